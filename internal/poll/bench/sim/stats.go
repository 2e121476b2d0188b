package main

import "time"

// counters are what one loop has seen since they were last zeroed.
type counters struct {
	requests, registers, exceptions, stalled int64
	connections, open, maxOpen               int64

	devices []visits // by device number less first
	first   int
}

// visits are the requests to one device while it answered.
type visits struct {
	n              int64
	last           int64 // ns of the epoch
	gaps           int64
	maxGap, sumGap int64 // ns
}

// touch counts a request to an answering device. A gap does not reach back
// beyond the moment since when the device answers.
func (c *counters) touch(device int, now, since time.Time) {
	v := &c.devices[device-c.first]
	at := now.UnixNano()
	if v.last != 0 {
		from := v.last
		if !since.IsZero() {
			from = max(from, since.UnixNano())
		}
		v.gaps++
		v.sumGap += at - from
		v.maxGap = max(v.maxGap, at-from)
	}
	v.last = at
	v.n++
}

// add counts a request that arrived now.
func (c *counters) add(r reply, now time.Time) {
	c.requests++
	c.registers += int64(r.registers)
	if r.exception {
		c.exceptions++
	}
	if r.silent {
		c.stalled++
	}
	if r.device >= 0 {
		c.touch(r.device, now, r.since)
	}
}

func (c *counters) opened() {
	c.connections++
	c.open++
	c.maxOpen = max(c.maxOpen, c.open)
}

func (c *counters) reset() {
	clear(c.devices)
	*c = counters{open: c.open, maxOpen: c.open, devices: c.devices, first: c.first}
}

// Stats are the counters of all loops, as they are served.
type Stats struct {
	Requests    int64 `json:"requests"`
	Registers   int64 `json:"registers"`
	Exceptions  int64 `json:"exceptions"`
	Stalled     int64 `json:"stalled"`
	Connections int64 `json:"connections"`
	Open        int64 `json:"open"`
	MaxOpen     int64 `json:"max_open"`

	DevicesSeen int64   `json:"devices_seen"` // answering ones that were asked
	MinRequests int64   `json:"min_requests_per_device"`
	MaxRequests int64   `json:"max_requests_per_device"`
	MeanGapMS   float64 `json:"mean_gap_ms"` // between two requests to an answering device
	MaxGapMS    float64 `json:"max_gap_ms"`
	Late        int64   `json:"devices_gap_over_1500ms"`
}

const lateGap = 1500 * time.Millisecond

// sum adds counters up.
func sum(list []*counters) Stats {
	var s Stats
	var gaps, total, longest int64
	for _, c := range list {
		s.Requests += c.requests
		s.Registers += c.registers
		s.Exceptions += c.exceptions
		s.Stalled += c.stalled
		s.Connections += c.connections
		s.Open += c.open
		s.MaxOpen += c.maxOpen
		for i := range c.devices {
			v := &c.devices[i]
			if v.n == 0 {
				continue
			}
			if s.DevicesSeen == 0 || v.n < s.MinRequests {
				s.MinRequests = v.n
			}
			s.DevicesSeen++
			s.MaxRequests = max(s.MaxRequests, v.n)
			gaps += v.gaps
			total += v.sumGap
			longest = max(longest, v.maxGap)
			if v.maxGap > int64(lateGap) {
				s.Late++
			}
		}
	}
	if gaps > 0 {
		s.MeanGapMS = float64(total) / float64(gaps) / 1e6
	}
	s.MaxGapMS = float64(longest) / 1e6
	return s
}
