package opcua

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
)

// Device options about values and subscriptions.
const (
	optSampling       = "sampling"         // how often the server looks at subscribed nodes; the groups' intervals where absent
	optDeadband       = "deadband"         // smallest change that is sent: 0.5, or 2% of the node's EURange
	optQueueSize      = "queue_size"       // values that the server keeps of a node between two publishings
	optDiscard        = "discard"          // oldest (default) or newest, where the queue is full
	optMaxClockOffset = "max_clock_offset" // beyond it the server's readings are uncertain
)

// dataOptionNames lists the options above.
func dataOptionNames() []string {
	return []string{optSampling, optDeadband, optQueueSize, optDiscard, optMaxClockOffset}
}

const (
	defaultQueue          = 10
	mostQueue             = 10000
	defaultMaxClockOffset = 10 * time.Second
)

// dataOptions is what a device says about its values.
type dataOptions struct {
	sampling       time.Duration // 0: as the groups say
	everyChange    bool          // instead: whatever the source reports, without sampling
	deadband       float64       // 0: none
	percent        bool          // of the range
	queue          uint32
	discardNewest  bool
	maxClockOffset time.Duration
}

// dataOptionsOf reads them.
func dataOptionsOf(dev drivers.Device) (dataOptions, error) {
	o := dataOptions{queue: defaultQueue, maxClockOffset: defaultMaxClockOffset}
	var list []error
	bad := func(format string, args ...any) {
		list = append(list, fmt.Errorf("device %s: %s", dev.ID, fmt.Sprintf(format, args...)))
	}
	var err error
	switch text := dev.Options[optSampling]; text {
	case "":
	case "0", "0s":
		o.everyChange = true
	default:
		if o.sampling, err = time.ParseDuration(text); err != nil || o.sampling < 10*time.Millisecond || o.sampling > drivers.MaxInterval {
			bad("%s is %q; write a duration from 10ms to %v, or 0 for every change", optSampling, text, drivers.MaxInterval)
		}
	}
	if text := dev.Options[optDeadband]; text != "" {
		digits, percent := strings.CutSuffix(text, "%")
		o.percent = percent
		o.deadband, err = strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(o.deadband >= 0) || math.IsInf(o.deadband, 0) || percent && o.deadband > 100 {
			bad("%s is %q; write the smallest change in the node's own unit, such as 0.5, or a share of its range, such as 2%%", optDeadband, text)
		}
	}
	if text := dev.Options[optQueueSize]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostQueue {
			bad("%s is %q; write a number from 1 to %d", optQueueSize, text, mostQueue)
		}
		o.queue = uint32(max(1, min(n, mostQueue)))
	}
	switch text := dev.Options[optDiscard]; text {
	case "", "oldest":
	case "newest":
		o.discardNewest = true
	default:
		bad("%s is %q; write oldest or newest", optDiscard, text)
	}
	if text := dev.Options[optMaxClockOffset]; text != "" {
		if o.maxClockOffset, err = time.ParseDuration(text); err != nil || o.maxClockOffset <= 0 {
			bad("%s is %q; write a duration such as 10s", optMaxClockOffset, text)
		}
	}
	return o, errors.Join(list...)
}

// filter returns the filter of monitored items, nil for none.
func (o *dataOptions) filter() *ua.ExtensionObject {
	if o.deadband == 0 {
		return nil
	}
	kind := ua.DeadbandTypeAbsolute
	if o.percent {
		kind = ua.DeadbandTypePercent
	}
	return ua.NewExtensionObject(&ua.DataChangeFilter{
		Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: uint32(kind), DeadbandValue: o.deadband,
	})
}
