package cluster

import (
	"slices"
	"time"
)

// plan is who should have what, and from what that follows.
type plan struct {
	hosts   []string
	holders []string
	desired []string // nil where there is none
}

// step returns what is to be done now.
func (m *mind) step(now time.Duration) []action {
	m.lapse(now)
	var out []action
	out = m.beat(now, out)
	if m.until > now && now-max(m.proof, m.reread) > m.stale {
		m.reread = now
		out = append(out, action{kind: doReread})
	}
	m.lookForLosses()
	if m.fallen {
		out = m.prove(now, out)
	}
	m.think(now)
	busy := 0
	for i := range m.slots {
		if s := m.slots[i].state; s == slotTaking || s == slotAcquiring || s == slotReleasing {
			busy++
		}
	}
	for i := range m.slots {
		out = m.move(i, now, &busy, out)
	}
	if m.leaving && !m.departed && m.bare(now) {
		m.departed = true
		out = append(out, action{kind: doDepart, revision: m.revision})
	}
	return out
}

// beat renews the heartbeat.
func (m *mind) beat(now time.Duration, out []action) []action {
	if m.beating || m.departed || now-m.begun < m.every {
		return out
	}
	m.beating, m.begun = true, now
	m.about.Beat++
	m.about.Leaving, m.about.Unfit = m.leaving, now < m.unfit
	m.sent = append(m.sent, sending{m.about.Beat, now})
	if len(m.sent) > 64 { // the view shows nothing
		m.sent = slices.Delete(m.sent, 0, 1)
	}
	return append(out, action{kind: doBeat, beat: m.about, revision: m.revision, begun: now})
}

// lookForLosses marks what the view shows to be another's.
func (m *mind) lookForLosses() {
	for i := range m.slots {
		s := &m.slots[i]
		if s.state != slotAcquiring && s.state != slotHeld && s.state != slotReleasing {
			continue
		}
		switch h := &m.view.holds[i]; {
		case h.revision <= s.revision:
		case m.mine(i):
			s.revision = h.revision // we wrote it, and no answer came
		default:
			s.lost, s.quit = true, true
		}
	}
}

// prove writes what was held before the lease ran out once more: where that
// succeeds it has been ours all the time. What takes too long is given up.
func (m *mind) prove(now time.Duration, out []action) []action {
	clear := m.until > now
	for i := range m.slots {
		s := &m.slots[i]
		switch {
		case s.state == slotAcquiring || s.state == slotReleasing, s.state == slotHeld && (s.lost || s.quit):
			clear = false
		case s.state != slotHeld || !s.suspect:
		case now-m.fell >= m.lease:
			s.lost, clear = true, false
		default:
			clear = false
			if m.until > now && now >= s.retry && (s.writing == 0 || s.wrote < m.stands) {
				out = m.write(i, holding{m.about.identity, s.token, s.since}, s.revision, now, out)
			}
		}
	}
	if clear {
		m.fallen = false
	}
	return out
}

// write begins to write a holding.
func (m *mind) write(i int, h holding, revision uint64, now time.Duration, out []action) []action {
	m.writes++
	m.slots[i].writing, m.slots[i].wrote = m.writes, now
	return append(out, action{kind: doWrite, slot: i, number: m.writes, hold: h, revision: revision})
}

// fresh reports whether the view is recent enough to act on.
func (m *mind) fresh(now time.Duration) bool { return m.view.loaded && now-m.proof <= m.stale }

// think says who should have what.
func (m *mind) think(now time.Duration) {
	if m.fallen || !m.fresh(now) {
		m.plan = plan{}
		return
	}
	m.view.judge(m.proof, m.lease)
	hosts := m.hosts(now, false)
	if len(hosts) == 0 {
		hosts = m.hosts(now, true)
	}
	holders := make([]string, len(m.slots))
	for i := range holders {
		h := &m.view.holds[i]
		if h.Host != "" && !m.view.gone(h.identity, m.proof, m.lease) {
			holders[i] = h.Host
		}
	}
	if m.plan.desired != nil && slices.Equal(hosts, m.plan.hosts) && slices.Equal(holders, m.plan.holders) {
		return
	}
	last := len(holders) - 1
	m.plan = plan{hosts, holders, append(m.share(hosts, holders[:last]), preferred(hosts, holders[last]))}
}

// share says who should have each partition. A host that could not take on
// what it was given keeps what it has: that works.
func (m *mind) share(hosts, holders []string) []string {
	var rest []int
	var open []string
	desired := make([]string, len(holders))
	for i, h := range holders {
		if p := m.view.hosts[h]; p != nil && p.Unfit && !p.Leaving && !slices.Contains(hosts, h) {
			desired[i] = h
			continue
		}
		rest, open = append(rest, i), append(open, h)
	}
	for k, h := range assign(hosts, open) {
		desired[rest[k]] = h
	}
	return desired
}

// hosts are those that can be given something.
func (m *mind) hosts(now time.Duration, unfit bool) []string {
	var list []string
	for name, p := range m.view.hosts {
		if p.deleted || p.Leaving || p.Unfit && !unfit || m.view.gone(p.identity, m.proof, m.lease) || now-p.joined < m.settle {
			continue
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// move brings one partition a step nearer to where it should be.
func (m *mind) move(i int, now time.Duration, busy *int, out []action) []action {
	s := &m.slots[i]
	planned := m.plan.desired != nil
	want := planned && !m.leaving && m.plan.desired[i] == m.about.Host
	switch s.state {
	case slotIdle:
		h := m.view.holds[i]
		switch {
		case now < s.retry || now >= m.until:
		case want && *busy < m.moves && (h.Host == "" || m.mine(i) || m.view.gone(h.identity, m.proof, m.lease)):
			*busy++
			*s = slot{state: slotTaking}
			return m.write(i, holding{identity: m.about.identity, Since: m.now()}, h.revision, now, out)
		case m.mine(i) && (m.leaving || planned && !want):
			*s = slot{state: slotFreeing, revision: h.revision}
		}
	case slotAcquiring:
		switch {
		case !s.called && s.quit: // the lease ran out meanwhile
			s.state = slotFreeing
		case !s.called:
			s.called = true
			return append(out, action{kind: doAcquire, slot: i})
		case s.quit && !s.cancelled:
			s.cancelled = true
			return append(out, action{kind: doCancel, slot: i})
		}
	case slotHeld:
		switch {
		case s.lost || s.quit || m.leaving || planned && !want && *busy < m.moves:
			*busy++
			s.state = slotReleasing
			return append(out, action{kind: doRelease, slot: i, lost: s.lost || s.quit})
		case !m.fallen && !s.told && s.writing == 0 && now >= s.retry:
			return m.write(i, holding{m.about.identity, s.token, s.since}, s.revision, now, out)
		}
	case slotTaking, slotReleasing:
	case slotFreeing:
		if s.writing == 0 {
			return m.write(i, holding{Since: m.now()}, s.revision, now, out)
		}
	}
	return out
}

// bare reports whether nothing is held. What cannot be written off while the
// lease is over is left to the others.
func (m *mind) bare(now time.Duration) bool {
	for i := range m.slots {
		s := m.slots[i].state
		if s == slotFreeing && now >= m.until {
			continue
		}
		if s != slotIdle || m.mine(i) && now < m.until {
			return false
		}
	}
	return true
}
