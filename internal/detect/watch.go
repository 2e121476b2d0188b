package detect

import (
	"fmt"
	"sync"
	"time"
)

// How often plugins are looked at: while one is in a run, and while all rest.
const (
	busyLook = 200 * time.Millisecond
	idleLook = 2 * time.Second
)

// burst is for how long a plugin may use more processors than it is allowed,
// after it has used none.
const burst = 2 * time.Second

// usage is what a plugin's processes have used.
type usage struct {
	peak int64         // most memory that they held at a time, bytes
	cpu  time.Duration // processor time
	held time.Duration // for which they were held up, since they used too many processors
}

// watcher looks at all plugins' processes time and again, and keeps them
// within their limits. It works while there is any to look at.
type watcher struct {
	mu      sync.Mutex
	watched map[*process]*watch
	stop    chan struct{} // of the loop; nil while it does not run
	loop    sync.WaitGroup
}

func newWatcher() *watcher { return &watcher{watched: make(map[*process]*watch)} }

// watch is one plugin's process under watch.
type watch struct {
	process  *process
	limits   Limits
	tree     *tree
	confined bool

	looked    time.Time
	cpu, gone time.Duration // as seen last, and of members that have ended
	allowance time.Duration // of processor time; below zero it is held up
	held      bool
	used      usage
}

// add begins to watch a process that is about to start. Its mark, NAME=VALUE in
// its environment, tells it from all others.
func (w *watcher) add(c *process, l Limits, mark string) {
	if !watchable {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched[c] = &watch{
		process: c, limits: l, tree: newTree(mark), looked: time.Now(),
		allowance: time.Duration(l.CPUs * float64(burst)),
	}
	if w.stop == nil {
		w.stop = make(chan struct{})
		stop := w.stop
		w.loop.Go(func() { w.run(stop) })
	}
}

// remove ends the watch over a process and lets it go on where it was held up,
// so that it can end by itself. The function that it returns kills what is left
// of it then.
func (w *watcher) remove(c *process) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.watched[c]
	if one == nil {
		return func() {}
	}
	delete(w.watched, c)
	if one.held {
		resume(one.tree.members(tasks()))
	}
	if len(w.watched) == 0 {
		close(w.stop)
		w.stop = nil
	}
	var killing sync.Mutex
	return func() {
		killing.Lock()
		defer killing.Unlock()
		one.tree.kill()
	}
}

// wait returns once no loop runs any more.
func (w *watcher) wait() { w.loop.Wait() }

func (w *watcher) run(stop <-chan struct{}) {
	timer := time.NewTimer(busyLook)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		timer.Reset(w.look(stop))
	}
}

// look looks at every process once and says when to do so again.
func (w *watcher) look(stop <-chan struct{}) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-stop: // another loop may run by now
		return idleLook
	default:
	}
	next := idleLook
	all := tasks()
	for _, one := range w.watched {
		one.look(all, time.Now())
		if one.process.busy.Load() > 0 || one.held {
			next = busyLook
		}
	}
	return next
}

// measure looks at one process out of turn, so that a short run is seen too.
func (w *watcher) measure(c *process) usage {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.watched[c]; one != nil {
		one.look(tasks(), time.Now())
		one.used.peak = max(one.used.peak, highWater(one.tree.root))
		return one.used
	}
	return usage{}
}

// used returns what was seen of a process last.
func (w *watcher) used(c *process) usage {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.watched[c]; one != nil {
		return one.used
	}
	return usage{}
}

// look measures, and acts where a limit is passed.
func (o *watch) look(all []task, now time.Time) {
	members := o.tree.members(all)
	if len(members) == 0 {
		return
	}
	if !o.confined && o.tree.root > 0 {
		o.confined = true
		confine(o.tree.root, o.limits)
	}
	var rss int64
	var cpu time.Duration
	for _, m := range members {
		rss += m.rss
		cpu += m.cpu
	}
	passed := now.Sub(o.looked)
	o.looked = now
	if o.held {
		o.used.held += passed
	}
	if cpu < o.cpu { // a member has ended with its time unaccounted
		o.gone += o.cpu - cpu
	}
	o.cpu = cpu
	spent := o.gone + cpu - o.used.cpu
	o.used.cpu += spent
	o.used.peak = max(o.used.peak, rss)
	switch limit := o.limits.MemoryBytes; {
	case limit > 0 && rss > limit:
		if held := fairMemory(members); held > limit {
			o.condemn(fmt.Sprintf("killed: it held %s of memory, and may hold %s (plugins.memory)", bytesInWords(held), bytesInWords(limit)))
			return
		}
	case len(members) > mostProcesses:
		o.condemn(fmt.Sprintf("killed: it had %d processes, and may have %d", len(members), mostProcesses))
		return
	}
	if o.limits.CPUs > 0 {
		o.pace(members, passed, spent)
	}
}

// pace holds the processes up while they have used more than their share.
func (o *watch) pace(members []task, passed, spent time.Duration) {
	most := time.Duration(o.limits.CPUs * float64(burst))
	o.allowance = min(o.allowance+time.Duration(o.limits.CPUs*float64(passed))-spent, most)
	switch {
	case o.allowance < 0:
		o.held = true
		pause(members) // again for those that came since
	case o.held:
		o.held = false
		resume(members)
	}
}

// condemn kills the process with all that it started, and says why.
func (o *watch) condemn(why string) {
	if o.process.verdict.CompareAndSwap(nil, &why) {
		o.process.launch.Logger.Error("plugin killed", "path", o.process.cmd.Path, "reason", why)
	}
	o.tree.kill()
}
