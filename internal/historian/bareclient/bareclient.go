// Package bareclient writes readings as InfluxDB's client for Go is commonly
// used: a point for each line, its tags and fields in maps, handed to the
// asynchronous WriteAPI, which makes batches of 5,000 and sends them one after
// the other. It is what benchmarks measure the historian against; the program
// does not use it, and only internal/streambench may import it.
package bareclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Result is what a run did.
type Result struct {
	Lines    int
	Readings int
	Took     time.Duration // from the first point to the acknowledgement of the last
}

// Write stores good readings, those of one device, meter and moment that
// follow each other as one point, or each as a point of its own where single.
func Write(ctx context.Context, url, org, bucket string, readings []meter.Reading, single bool) (Result, error) {
	client := influxdb2.NewClient(url, "")
	defer client.Close()
	api := client.WriteAPI(org, bucket)
	var failures []error
	var listen sync.WaitGroup
	listen.Add(1)
	errs := api.Errors() // closed by client.Close
	go func() {
		defer listen.Done()
		for err := range errs {
			failures = append(failures, err)
		}
	}()
	out := Result{Readings: len(readings)}
	began := time.Now()
	for i := 0; i < len(readings) && ctx.Err() == nil; out.Lines++ {
		first := &readings[i]
		fields := make(map[string]any, 12)
		end := i
		for end < len(readings) && (end == i || !single && sameMoment(first, &readings[end])) {
			fields[string(readings[end].Quantity)] = readings[end].Value
			end++
		}
		fields["received"] = first.ReceiveTime.UnixNano()
		api.WritePoint(influxdb2.NewPoint("meter", map[string]string{"device_id": first.DeviceID, "meter_id": first.MeterID}, fields, first.EventTime))
		i = end
	}
	api.Flush()
	out.Took = time.Since(began)
	client.Close()
	listen.Wait()
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("bare client: %w", err)
	}
	if len(failures) > 0 {
		return out, fmt.Errorf("bare client: %w", errors.Join(failures[:min(len(failures), 3)]...))
	}
	return out, nil
}

func sameMoment(a, b *meter.Reading) bool {
	return a.DeviceID == b.DeviceID && a.MeterID == b.MeterID && a.EventTime.Equal(b.EventTime)
}
