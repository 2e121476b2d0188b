package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// The outage: half an hour at 5,000 readings/s, passed in less time.
const (
	outageDevices     = 500  // ten quantities a second each
	outageSeconds     = 1800 // of the fleet's time
	outageCompression = 20   // the fleet's seconds in one of ours while InfluxDB is away
	outageCalm        = 20   // seconds in real time before, at the end of, and at least after it
	outageClearing    = 3    // times the arrival rate
)

// outageCase takes InfluxDB away and brings it back.
func outageCase() Case {
	return Case{
		Name: "outage", About: "InfluxDB is away while 9,000,000 readings arrive, and comes back while 5,000/s go on arriving",
		Run: outageRun, Parts: map[string]Part{"outage": outagePart},
	}
}

func outageRun(ctx context.Context, r *Report) (err error) {
	dir, err := os.MkdirTemp(r.Dir, "run-")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, _, err := r.Part(ctx, "outage", dir); err != nil {
		return err
	}
	r.Note("time is compressed %d times while InfluxDB is away: its half hour of %d readings/s is published at %d/s, but for the last %d s; before and after it, arrivals are in real time. Latencies are those of one PublishReadings call of a tenth of a second's readings, to JetStream's acknowledgement; polling is undisturbed where that takes less than the tenth.", outageCompression, outageDevices*perDevice, outageDevices*perDevice*outageCompression, outageCalm)
	return nil
}

func outagePart(ctx context.Context, r *Report, args []string) (err error) {
	asProgram()
	quiet := slog.New(slog.DiscardHandler)
	dir := args[0]
	influx, err := influxIn(ctx, dir, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, influx.Close()) }()
	s, err := stream.Open(ctx, streamIn(dir))
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := historian.Open(historian.Config{URL: influx.URL(), Logger: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	feed := startFeed(ctx, s, h)
	defer func() { err = errors.Join(err, feed.stop()) }()

	calm, away := outageCalm, r.Scale(outageSeconds, 120)
	p := &pump{s: s, fleet: newFleet(outageDevices, time.Now().Add(-2*time.Hour).Truncate(time.Second))}
	phase := func(name string, seconds int, each time.Duration) error {
		r.Log("%s: %d s of the fleet", name, seconds)
		if err := p.run(ctx, seconds, each); err != nil {
			return err
		}
		p.tell(r, name)
		return nil
	}
	if err := phase("before", calm, time.Second); err != nil {
		return err
	}
	if err := influx.Close(); err != nil {
		return err
	}
	if err := phase("away, compressed", away-calm, time.Second/outageCompression); err != nil {
		return err
	}
	if err := phase("away", calm, time.Second); err != nil {
		return err
	}
	waiting := p.published() - int(feed.taken.Load())
	r.Measure("readings waiting when InfluxDB came back", float64(waiting), "readings")

	if influx, err = influxIn(ctx, dir, strings.TrimPrefix(influx.URL(), "http://")); err != nil {
		return err
	}
	cleared := make(chan time.Duration, 1)
	back, stop := time.Now(), make(chan struct{})
	go func() { cleared <- untilCaughtUp(feed, p, waiting, back, stop) }()
	r.Log("back, with %d readings waiting", waiting)
	took := time.Duration(0)
	for second := 0; took == 0 || second < calm; second++ { // arrivals go on
		if err := p.run(ctx, 1, time.Second); err != nil {
			close(stop)
			return err
		}
		select {
		case took = <-cleared:
			r.Log("caught up after %s", took)
		default:
		}
	}
	p.tell(r, "after")
	r.Measure("backlog cleared in", took.Seconds(), "s")
	arrival := float64(outageDevices * perDevice)
	rate := float64(waiting) / took.Seconds() / arrival
	r.Measure("backlog cleared, beyond what arrived meanwhile", rate, "times the arrival rate")
	r.Limit("backlog cleared, beyond what arrived meanwhile", rate, AtLeast, outageClearing)
	if err := untilDrained(ctx, s); err != nil {
		return err
	}
	r.Log("counting %d readings back, series by series", p.published())
	lost, twice, err := lostReadings(ctx, influx.URL(), p)
	if err != nil {
		return err
	}
	r.Measure("readings lost", float64(lost), "readings")
	r.Limit("readings lost", float64(lost), AtMost, 0)
	r.Measure("readings too many", float64(twice), "readings")
	r.Limit("readings too many", float64(twice), AtMost, 0)
	r.Measure("readings published", float64(p.published()), "readings")
	return nil
}

// tell reports the latencies since it was last called.
func (p *pump) tell(r *Report, phase string) {
	middle, p99, most := p.percentiles()
	r.Measure("publishing, "+phase+", median", middle, "ms")
	r.Measure("publishing, "+phase+", 99 of 100", p99, "ms")
	r.Limit("publishing, "+phase+", 99 of 100", p99, AtMost, float64(time.Second/ticks)/float64(time.Millisecond))
	r.Measure("publishing, "+phase+", longest", most, "ms")
	r.Measure("publishing, "+phase+", farthest behind its clock", float64(p.late.Milliseconds()), "ms")
	// Of this process alone, which publishes, streams and writes.
	memory := peakMiB(os.Getpid())
	r.Measure("memory, "+phase+", peak so far", memory, "MiB")
	r.Limit("memory, "+phase+", peak so far", memory, AtMost, steadyMiB)
	p.late = 0
}

// untilCaughtUp waits until InfluxDB has what waited and what has arrived
// since, but for half a second's worth, which is on its way.
func untilCaughtUp(f *feed, p *pump, waiting int, back time.Time, stop <-chan struct{}) time.Duration {
	arrival := p.fleet.devices * perDevice
	before := f.taken.Load()
	for {
		took := time.Since(back)
		want := int64(waiting) + int64((took.Seconds()-stream.DefaultFetchWait.Seconds()-0.5)*float64(arrival))
		if f.taken.Load()-before >= want && f.taken.Load()-before >= int64(waiting) {
			return took
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-stop:
			return took
		}
	}
}

// lostReadings counts every series back by InfluxQL and compares it with what
// was published of it: a reading a second.
func lostReadings(ctx context.Context, address string, p *pump) (lost, many int, err error) {
	query := url.Values{"db": {historian.DefaultBucket}, "q": {`SELECT count(*) FROM meter GROUP BY device_id, meter_id`}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/query?"+query.Encode(), nil)
	if err != nil {
		return 0, 0, fmt.Errorf("count: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, fmt.Errorf("count: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct {
				Tags    map[string]string
				Columns []string
				Values  [][]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, 0, fmt.Errorf("count: %w", err)
	}
	if len(answer.Results) != 1 || answer.Results[0].Error != "" {
		return 0, 0, fmt.Errorf("count: InfluxDB answers %+v", answer)
	}
	counts := make(map[string]map[string]int)
	for _, series := range answer.Results[0].Series {
		of := make(map[string]int)
		for i, column := range series.Columns {
			if n, ok := series.Values[0][i].(float64); ok {
				of[strings.TrimPrefix(column, "count_")] = int(n)
			}
		}
		counts[series.Tags["device_id"]+" "+series.Tags["meter_id"]] = of
	}
	for device := range p.fleet.devices {
		of := counts[p.fleet.ids[device]+" "+p.fleet.meters[device]]
		for _, reading := range p.fleet.appendPoll(nil, 0, device) {
			n := of[string(reading.Quantity)]
			lost += max(0, p.second-n)
			many += max(0, n-p.second)
		}
	}
	return lost, many, nil
}
