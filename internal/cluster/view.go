package cluster

import "time"

// forever is later than every time of a clock.
const forever = time.Duration(1<<63 - 1)

// view is the bucket as one host has seen it, in the order of its stream.
type view struct {
	partitions int
	hosts      map[string]*peer
	holds      []held        // by partition; the last is the leader
	loaded     bool          // it has been read once as a whole
	floor      time.Duration // silence counts from here: before, we were silent ourselves
	reading    map[string]bool
}

// peer is another host's heartbeat, or our own.
type peer struct {
	heartbeat

	revision uint64
	deleted  bool
	seen     time.Duration // when this revision was first seen, by our clock
	joined   time.Duration // since when it has been there without a gap
	was      bool          // judged gone; joined counts anew once it is back
}

// held is who holds a partition.
type held struct {
	holding

	revision uint64
}

func newView(partitions int) *view {
	return &view{partitions: partitions, hosts: make(map[string]*peer), holds: make([]held, partitions+1), reading: make(map[string]bool)}
}

// restart begins to read the whole bucket anew; what follows replaces what is
// known, whatever its revision.
func (v *view) restart() { v.reading = make(map[string]bool) }

// complete says that all keys have been seen since restart.
func (v *view) complete(now time.Duration) {
	if v.reading == nil {
		return
	}
	for name, p := range v.hosts {
		if !v.reading[hostPrefix+name] {
			*p = peer{deleted: true, seen: now}
		}
	}
	for i := range v.holds {
		if !v.reading[keyOf(i, v.partitions)] {
			v.holds[i] = held{}
		}
	}
	v.reading, v.loaded = nil, true
}

// take takes a change in.
func (v *view) take(c *change, now time.Duration) error {
	if v.reading != nil {
		v.reading[c.key] = true
	}
	if i := slotOf(c.key, v.partitions); i >= 0 {
		h := held{revision: c.revision}
		if err := decode(c, &h.holding); err != nil {
			return err
		}
		if v.reading != nil || c.revision > v.holds[i].revision {
			v.holds[i] = h
		}
		return nil
	}
	if len(c.key) <= len(hostPrefix) || c.key[:len(hostPrefix)] != hostPrefix {
		return nil
	}
	name := c.key[len(hostPrefix):]
	next := peer{revision: c.revision, deleted: c.deleted, seen: now, joined: now}
	if err := decode(c, &next.heartbeat); err != nil {
		return err
	}
	if before := v.hosts[name]; before != nil {
		if v.reading == nil && c.revision <= before.revision {
			return nil
		}
		if before.revision == next.revision && before.heartbeat == next.heartbeat {
			next.seen = before.seen
		}
		if !before.deleted && !before.was && before.Instance == next.Instance {
			next.joined = before.joined
		}
	}
	if !v.loaded {
		next.joined = now - forever/2 // it was there before us
	}
	v.hosts[name] = &next
	return nil
}

// wrote takes in what we wrote ourselves.
func (v *view) wrote(slot int, h holding, revision uint64) {
	if revision > v.holds[slot].revision {
		v.holds[slot] = held{h, revision}
	}
}

// gone reports whether one run of a host can hold nothing any more. proof is
// when a heartbeat of our own was sent that the view has shown since: whatever
// came before that in the stream has been seen.
func (v *view) gone(id identity, proof, lease time.Duration) bool {
	p := v.hosts[id.Host]
	if p == nil || p.deleted || p.Instance != id.Instance {
		return true
	}
	return v.silent(p, proof, lease)
}

// silent reports whether a host has been silent for a lease while we were not.
// After an outage of the bucket nobody is gone: all of them were silent.
func (v *view) silent(p *peer, proof, lease time.Duration) bool {
	return proof >= max(p.seen, v.floor)+lease
}

// judge remembers who is gone, so that it settles anew when it is back.
func (v *view) judge(proof, lease time.Duration) {
	for _, p := range v.hosts {
		if !p.deleted && v.silent(p, proof, lease) {
			p.was = true
		}
	}
}
