package main

import (
	"context"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// ticks is into how many batches a pump cuts a second of its fleet.
const ticks = 10

// pump publishes what a fleet says, second by second, as polling does: in
// batches of a tenth of the devices.
type pump struct {
	s      *stream.Stream
	fleet  *fleet
	second int // the next of the fleet

	buffer    []meter.Reading
	latencies []time.Duration // from a batch to its acknowledgement
	late      time.Duration   // the farthest that it was behind its clock
}

// run publishes a number of the fleet's seconds, each in so much time.
func (p *pump) run(ctx context.Context, seconds int, each time.Duration) error {
	next := time.Now()
	for range seconds {
		for tick := range ticks {
			if err := p.tick(ctx, tick); err != nil {
				return err
			}
			next = next.Add(each / ticks)
			wait := time.Until(next)
			if wait <= 0 {
				p.late = max(p.late, -wait)
				continue
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p.second++
	}
	return nil
}

func (p *pump) tick(ctx context.Context, tick int) error {
	p.buffer = p.buffer[:0]
	n := p.fleet.devices
	for device := n * tick / ticks; device < n*(tick+1)/ticks; device++ {
		p.buffer = p.fleet.appendPoll(p.buffer, p.second, device)
	}
	began := time.Now()
	if err := p.s.PublishReadings(ctx, p.buffer); err != nil {
		return err
	}
	p.latencies = append(p.latencies, time.Since(began))
	return nil
}

// published is the number of readings so far.
func (p *pump) published() int { return p.second * p.fleet.devices * perDevice }

// percentiles returns percentiles of the latencies since the last call, in
// milliseconds, and forgets them.
func (p *pump) percentiles() (median, p99, most float64) {
	slices.Sort(p.latencies)
	at := func(share float64) float64 {
		if len(p.latencies) == 0 {
			return 0
		}
		return float64(p.latencies[int(share*float64(len(p.latencies)-1))]) / float64(time.Millisecond)
	}
	median, p99, most = at(0.5), at(0.99), at(1)
	p.latencies = p.latencies[:0]
	return median, p99, most
}
