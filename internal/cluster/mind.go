package cluster

import (
	"errors"
	"time"
)

// mind decides what a host does. It does nothing itself and knows no clock:
// every method is told the time, and step returns what is to be done. Its
// caller runs it on one goroutine.
type mind struct {
	timing
	about heartbeat // what is shown of this host
	now   func() time.Time
	view  *view
	slots []slot // by partition; the last is the leader's

	beating  bool          // the heartbeat is being written
	begun    time.Duration // when that was begun last
	sent     []sending     // heartbeats that the view may still show
	revision uint64        // of our key, as far as we know
	until    time.Duration // the lease that the heartbeats give
	stands   time.Duration // since when that has not run out
	proof    time.Duration // when a heartbeat was begun that the view has shown

	fallen   bool          // the lease ran out, and not all that was held is proven or ended yet
	fell     time.Duration // when that was noticed
	leaving  bool
	departed bool
	unfit    time.Duration // until then
	failures int           // to acquire, in a row
	reread   time.Duration // when the bucket was last read anew
	taken    bool          // another process has our name
	writes   uint64

	plan plan
}

// tolerated is how many times in a row a host may fail to acquire before it
// counts as unfit for a while.
const tolerated = 3

type sending struct {
	beat uint64
	at   time.Duration
}

// slotState is where a partition stands at this host.
type slotState uint8

const (
	slotIdle      slotState = iota
	slotTaking              // its key is being written
	slotAcquiring           // Acquire is under way
	slotHeld
	slotReleasing // Release is under way
	slotFreeing   // its key is being written, as nobody's
)

type slot struct {
	state     slotState
	revision  uint64 // of the key as we wrote it
	token     uint64
	since     time.Time
	suspect   bool          // the lease ran out since it was proven to be ours
	told      bool          // its token has been written
	lost      bool          // the key is not ours any more
	quit      bool          // to be given up, for another reason than that others should have it
	called    bool          // while acquiring: Acquire was called
	cancelled bool          // while acquiring: its context was ended
	retry     time.Duration // nothing is begun before
	writing   uint64        // number of the write under way; 0 where there is none
	wrote     time.Duration // when that was begun
}

// kind is what an action does.
type kind uint8

const (
	doBeat    kind = iota // write the heartbeat
	doWrite               // write a holding
	doAcquire             // call Acquire
	doRelease             // call Release
	doCancel              // end the context of an Acquire under way
	doReread              // read the bucket anew
	doDepart              // delete the heartbeat
)

// action is something that is to be done, once.
type action struct {
	kind     kind
	slot     int
	number   uint64 // of a write
	revision uint64 // that the key must have
	beat     heartbeat
	hold     holding
	begun    time.Duration
	lost     bool
}

// errMismatch says that a key had another revision: it was not written.
var errMismatch = errors.New("the key has changed")

func newMind(t timing, about heartbeat, partitions int, now func() time.Time) *mind {
	return &mind{
		timing: t, about: about, now: now, view: newView(partitions), slots: make([]slot, partitions+1),
		fallen: true, proof: -forever / 2, begun: -forever / 2, reread: -forever / 2, fell: -forever / 2,
	}
}

// valid returns until when what is held is certainly ours; 0 where it is not.
func (m *mind) valid() time.Duration {
	if m.fallen {
		return 0
	}
	return m.until
}

// mine reports whether the view shows a holding to be ours.
func (m *mind) mine(i int) bool { return m.view.holds[i].identity == m.about.identity }

// lapse notices that the lease has run out. It comes before everything else.
func (m *mind) lapse(now time.Duration) {
	if m.fallen || now < m.until {
		return
	}
	m.fallen, m.fell = true, now
	for i := range m.slots {
		s := &m.slots[i]
		switch s.state {
		case slotHeld:
			s.suspect = true
		case slotTaking, slotAcquiring:
			s.quit = true
		}
	}
}

// changed takes a change of the bucket in.
func (m *mind) changed(c *change, now time.Duration) error {
	m.lapse(now)
	if err := m.view.take(c, now); err != nil {
		return err
	}
	if p := m.view.hosts[m.about.Host]; p != nil && c.key == hostPrefix+m.about.Host {
		m.shown(p)
	}
	return nil
}

// rereads takes in that the bucket is being read anew. Only heartbeats that are
// begun from now on prove that the view is complete up to them.
func (m *mind) rereads(now time.Duration) {
	m.lapse(now)
	m.view.restart()
	m.proof, m.sent, m.reread = -forever/2, nil, now
}

// complete takes in that every key has been read since.
func (m *mind) complete(now time.Duration) {
	m.lapse(now)
	m.view.complete(now)
	if p := m.view.hosts[m.about.Host]; p != nil && p.deleted && p.revision == 0 {
		m.revision = 0
	}
}

// shown takes in that the view shows our own key.
func (m *mind) shown(p *peer) {
	switch {
	case p.deleted:
		if p.revision > m.revision {
			m.revision = p.revision // written again on top of it
		}
	case p.Instance != m.about.Instance:
		m.taken = p.revision > m.revision
	default:
		m.revision = max(m.revision, p.revision)
		for len(m.sent) > 0 && m.sent[0].beat <= p.Beat {
			m.proof = max(m.proof, m.sent[0].at)
			m.sent = m.sent[1:]
		}
	}
}

// beaten takes the outcome of a heartbeat in that was begun at a time.
func (m *mind) beaten(begun time.Duration, revision uint64, err error, now time.Duration) {
	m.lapse(now)
	m.beating = false
	if err != nil {
		return // the view tells whether it was written all the same
	}
	m.revision = max(m.revision, revision)
	until := begun + m.lease - m.margin
	if until <= now {
		return
	}
	if m.until <= now {
		m.stands, m.view.floor = now, now
	}
	m.until = max(m.until, until)
}

// written takes the outcome of the write of a holding in.
func (m *mind) written(i int, number uint64, h holding, revision uint64, err error, now time.Duration) {
	m.lapse(now)
	if err == nil {
		m.view.wrote(i, h, revision)
	}
	s := &m.slots[i]
	if s.writing != number {
		return
	}
	s.writing = 0
	switch s.state {
	case slotTaking:
		if err != nil {
			*s = slot{retry: now + m.every}
			return
		}
		s.state, s.revision, s.since = slotAcquiring, revision, h.Since
	case slotHeld:
		switch {
		case err == nil:
			s.revision, s.told = revision, h.Token == s.token
			// It proves that it is ours only where the lease has held since.
			s.suspect = s.suspect && (s.wrote < m.stands || m.until <= now)
		case errors.Is(err, errMismatch):
			// Another's, or a write of our own of which no answer came: the view
			// will tell.
			s.retry = now + m.every/4
		}
	case slotFreeing:
		*s = slot{retry: s.retry}
	case slotIdle, slotAcquiring, slotReleasing:
	}
}

// acquired takes the outcome of Acquire in.
func (m *mind) acquired(i int, token uint64, err error, now time.Duration) {
	m.lapse(now)
	s := &m.slots[i]
	s.state, s.token = slotHeld, token
	switch {
	case s.quit:
	case err == nil:
		m.failures = 0
	default:
		s.quit = true
		if m.failures++; m.failures >= tolerated {
			m.unfit, m.failures = now+m.pause, 0
		}
	}
}

// released takes in that Release has returned.
func (m *mind) released(i int, now time.Duration) {
	m.lapse(now)
	s := &m.slots[i]
	retry := now + m.every
	if s.quit {
		retry = now + m.lease
	}
	if s.lost {
		*s = slot{retry: retry}
		return
	}
	s.state, s.retry = slotFreeing, retry
}

// drop gives a partition up of which the holder found that it is not its own.
func (m *mind) drop(i int, now time.Duration) {
	m.lapse(now)
	if s := &m.slots[i]; s.state == slotTaking || s.state == slotAcquiring || s.state == slotHeld {
		s.quit = true
	}
}
