package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Options say what is tried and how gently. The zero values are right in
// service.
type Options struct {
	Profiles map[string]*profile.Profile
	Requests int           // at most; 150 where zero
	Pause    time.Duration // between two requests; 20 ms where zero
	Between  time.Duration // the two readings of energies; 3 s where zero
	Progress func(string)  // is told what happens; nobody where nil
}

// Report is what a probe found.
type Report struct {
	Requests   int           `json:"requests"`
	Refused    int           `json:"refused"`    // by exceptions
	Unanswered int           `json:"unanswered"` // without any answer
	Stopped    string        `json:"stopped,omitempty"`
	Took       time.Duration `json:"-"`
	Conclusion string        `json:"conclusion"`
	Proposal   *Candidate    `json:"proposal"` // null where nothing can be proposed
	Equivalent []string      `json:"equivalent,omitempty"`
	Rivals     []string      `json:"rivals,omitempty"`
	Orders     []string      `json:"orders,omitempty"` // in which the proposal fits as well
	Candidates []*Candidate  `json:"candidates"`       // best first
}

// How many candidates are looked into after each step.
const (
	screened = 10
	reread   = 8
)

// run is one probe under way.
type run struct {
	w       *wire
	opt     Options
	list    []*profile.Profile // with those that were found at another base
	stopped string
}

// Run probes dev, whose profile is not used. It fails where the device does
// not answer at all; that nothing fits is no error.
func Run(ctx context.Context, driver drivers.Driver, dev drivers.Device, opt Options) (report *Report, err error) {
	opt.Requests = cmp.Or(opt.Requests, defaultRequests)
	opt.Pause = cmp.Or(opt.Pause, defaultPause)
	opt.Between = cmp.Or(opt.Between, 3*time.Second)
	if opt.Progress == nil {
		opt.Progress = func(string) {}
	}
	began := time.Now()
	r := &run{w: &wire{driver: driver, dev: dev, pause: opt.Pause, most: opt.Requests}, opt: opt}
	defer func() { err = errors.Join(err, r.w.close()) }()
	for _, name := range slices.Sorted(maps.Keys(opt.Profiles)) {
		if p := opt.Profiles[name]; p.Modbus != nil {
			r.list = append(r.list, p)
		}
	}
	candidates, err := r.find(ctx)
	if err != nil {
		return nil, err
	}
	report = &Report{Requests: r.w.requests, Stopped: r.stopped, Candidates: candidates, Took: time.Since(began)}
	for _, a := range r.w.answers {
		switch {
		case a.refused:
			report.Refused++
		case a.data == nil:
			report.Unanswered++
		}
	}
	report.conclude()
	report.Candidates = shown(report.Candidates)
	return report, nil
}

// find asks the device step by step and returns the candidates, ranked.
func (r *run) find(ctx context.Context) ([]*Candidate, error) {
	r.opt.Progress("asking the device who it is")
	if err := r.sunspec(ctx); err != nil {
		return nil, err
	}
	for _, p := range r.list {
		if slices.ContainsFunc(p.Modbus.Identity, func(id profile.Identity) bool { return id.Distinctive() }) {
			if err := r.read(ctx, p.Modbus.IdentityBlocks()); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range r.list {
		if c := r.candidate(p, p); c.recognised {
			if err := r.readAll(ctx, p); err != nil {
				return nil, err
			}
		}
	}
	ranked := r.rank()
	if len(ranked) == 0 || ranked[0].Verdict != Identified || ranked[0].strong < 2 {
		var err error
		if ranked, err = r.screen(ctx); err != nil {
			return nil, err
		}
	}
	return ranked, r.second(ctx, ranked)
}

// screen reads of every profile the one block that tells most, and of those
// that fit so far the rest.
func (r *run) screen(ctx context.Context) ([]*Candidate, error) {
	r.opt.Progress("trying the registers of each profile")
	var mains []profile.Block
	for _, p := range r.list {
		mains = append(mains, telling(p))
	}
	// A long block may answer for shorter ones.
	slices.SortStableFunc(mains, func(a, b profile.Block) int { return cmp.Compare(b.Count, a.Count) })
	if err := r.read(ctx, mains); err != nil {
		return nil, err
	}
	tried := 0
	seen := make(map[*profile.Profile]bool)
	for _, c := range r.rank() {
		if seen[c.source] || c.answered == 0 || c.strange > 1 || tried == screened {
			continue
		}
		seen[c.source], tried = true, tried+1
		if err := r.readAll(ctx, c.source); err != nil {
			return nil, err
		}
	}
	return r.rank(), nil
}

// second reads the energies of the best candidates again.
func (r *run) second(ctx context.Context, ranked []*Candidate) error {
	var best []*Candidate
	for _, c := range ranked {
		if c.Verdict != None && len(best) < reread && len(c.cumulative()) > 0 {
			best = append(best, c)
		}
	}
	if len(best) == 0 || r.stopped != "" {
		return nil
	}
	r.opt.Progress("waiting to see energies rise")
	if err := sleep(ctx, r.opt.Between); err != nil {
		return err
	}
	type place struct {
		table   profile.Table
		address uint16
		count   uint16
	}
	later := make(map[place]*answer)
	for _, c := range best {
		for _, b := range c.cumulative() {
			at := place{b.Table, b.Address, b.Count}
			if first := r.w.known(b); later[at] != nil || first == nil || first.data == nil {
				continue
			}
			a, err := r.w.again(ctx, b)
			if err != nil {
				return r.stop(err)
			}
			later[at] = a
		}
	}
	for _, c := range best {
		c.rising(r.w, c.reread(func(b *profile.Block) *answer { return later[place{b.Table, b.Address, b.Count}] }))
	}
	rank(ranked)
	return nil
}

// read asks for blocks. That no further request is made is no error.
func (r *run) read(ctx context.Context, blocks []profile.Block) error {
	for i := range blocks {
		if r.stopped != "" {
			return nil
		}
		if _, err := r.w.read(ctx, &blocks[i]); err != nil {
			return r.stop(err)
		}
		if err := r.w.mute(); err != nil {
			return err
		}
	}
	return nil
}

// stop remembers why no further request is made, where err says so.
func (r *run) stop(err error) error {
	if !errors.Is(err, errSpent) {
		return err
	}
	r.stopped = err.Error()
	return nil
}

func (r *run) readAll(ctx context.Context, p *profile.Profile) error {
	err := r.read(ctx, p.Modbus.IdentityBlocks())
	for group := range p.Groups() {
		err = errors.Join(err, r.read(ctx, p.Modbus.Blocks(group)))
	}
	return err
}

// rank holds every profile, in every order of words, against the answers.
func (r *run) rank() []*Candidate {
	var out []*Candidate
	for _, p := range r.list {
		orders := []profile.Order{p.Modbus.Order}
		if p.MultiRegister() {
			for _, o := range profile.Orders() {
				if o != p.Modbus.Order {
					orders = append(orders, o)
				}
			}
		}
		for _, o := range orders {
			out = append(out, r.candidate(p, p.Reordered(o)))
		}
	}
	rank(out)
	return out
}

// candidate holds an adapted profile against what is known of the device.
func (r *run) candidate(written, p *profile.Profile) *Candidate {
	original := r.opt.Profiles[p.Name]
	c := &Candidate{
		Profile: p.Name, Device: p.Manufacturer + " " + p.Model, Order: p.Modbus.Order, Base: p.Modbus.Base,
		AsWritten: p == original, p: p, written: original, Options: make(map[string]string),
	}
	if p.Modbus.Base != original.Modbus.Base {
		c.Options[profile.OptionBase] = strconv.Itoa(int(p.Modbus.Base))
	}
	if p.Modbus.Order != original.Modbus.Order {
		c.Options[profile.OptionOrder] = string(p.Modbus.Order)
	}
	c.source = written
	c.decode(r.w)
	c.check(r.w)
	return c
}

// telling returns the block of a profile that tells most about it.
func telling(p *profile.Profile) profile.Block {
	var best profile.Block
	most := -1
	for group := range p.Groups() {
		blocks := p.Modbus.Blocks(group)
		for i := range blocks {
			n := 0
			for k := range blocks[i].Points {
				switch blocks[i].Point(k).Quantity.Unit() {
				case meter.Volt, meter.Hertz, meter.Celsius:
					n += 3
				case meter.Kilowatt, meter.Kilovar, meter.KilovoltAmp, meter.Ampere, meter.One:
					n++
				}
			}
			if n > most {
				best, most = blocks[i], n
			}
		}
	}
	return best
}

// mute says that a device never answers.
func (w *wire) mute() error {
	const tries = 3
	if w.silent < tries || w.silent < len(w.answers) {
		return nil
	}
	return fmt.Errorf("the device does not answer: %s", w.answers[0].why)
}

// shown leaves out what nobody wants to see: the further orders and bases of
// profiles that do not fit.
func shown(list []*Candidate) []*Candidate {
	seen := make(map[string]bool)
	return slices.DeleteFunc(list, func(c *Candidate) bool {
		again := seen[c.Profile]
		seen[c.Profile] = true
		if c.Verdict == None {
			c.Values = nil
		}
		return c.Verdict == None && again
	})
}
