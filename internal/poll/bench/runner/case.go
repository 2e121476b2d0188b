package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// Case is one thing to measure.
type Case struct {
	Label      string
	Mode       string
	N          int // devices
	PerGateway int // units behind one gateway
	Interval   time.Duration
	Latency    time.Duration // of the simulated devices
	Faults     fleet.Faults
	SimExtra   []string
	Warm       time.Duration // 0: what the flags say
	Window     time.Duration
	Style      string // of -gen telegraf: request or register
	Limits     Limits
}

// Limits are what a case demands; zero values demand nothing.
type Limits struct {
	Delivered     float64       // % of the polls of all devices
	LiveDelivered float64       // % of the polls of devices that answer
	CPU           float64       // s per 1,000 delivered polls
	RSS           float64       // MiB
	Gap           time.Duration // between two polls of a device that answers
	InTurn        bool          // no device gets less than half of what the average one gets
}

func (l Limits) String() string {
	var list []string
	if l.Delivered > 0 {
		list = append(list, fmt.Sprintf("≥ %g %%", l.Delivered))
	}
	if l.LiveDelivered > 0 {
		list = append(list, fmt.Sprintf("≥ %g %% of live", l.LiveDelivered))
	}
	if l.CPU > 0 {
		list = append(list, fmt.Sprintf("≤ %g s", l.CPU))
	}
	if l.RSS > 0 {
		list = append(list, fmt.Sprintf("≤ %g MiB", l.RSS))
	}
	if l.Gap > 0 {
		list = append(list, fmt.Sprintf("gap ≤ %v", l.Gap))
	}
	if l.InTurn {
		list = append(list, "in turn")
	}
	return strings.Join(list, ", ")
}

// onPorts is a case of devices on their own ports, polled every second.
func onPorts(label string, n int) Case {
	return Case{Label: label, Mode: modePorts, N: n, PerGateway: 200, Interval: time.Second, Style: "request"}
}

// behind is a case of devices behind gateways, polled every second.
func behind(label string, n, perGateway int) Case {
	return Case{Label: label, Mode: modeGateway, N: n, PerGateway: perGateway, Interval: time.Second, Style: "request"}
}

func (c Case) latency(d time.Duration) Case     { c.Latency = d; return c }
func (c Case) every(d time.Duration) Case       { c.Interval = d; return c }
func (c Case) bus() Case                        { c.SimExtra = []string{"-bus"}; return c }
func (c Case) stall(share float64) Case         { c.Faults.Stall = share; return c }
func (c Case) flap(share float64) Case          { c.Faults.Flap = share; return c }
func (c Case) watch(warm, w time.Duration) Case { c.Warm, c.Window = warm, w; return c }
func (c Case) demand(l Limits) Case             { c.Limits = l; return c }

// cases is the list, in the order in which they are run.
func cases() []Case {
	const ms = time.Millisecond
	thousand := Limits{Delivered: 100, CPU: 0.035, RSS: 70}
	return []Case{
		onPorts("ports-100", 100),
		onPorts("ports-500", 500),
		onPorts("ports-1000", 1000).demand(thousand),
		behind("gw-100", 100, 100),
		behind("gw-500", 500, 167),
		behind("gw-1000", 1000, 200),
		// 5 ms behind a gateway that takes one request at a time are 1 s for
		// 200 units, 10 ms are 2 s; but this one takes parallel requests.
		behind("gw-1000-lat10", 1000, 200).latency(10 * ms).demand(Limits{Delivered: 99}),
		onPorts("ports-1000-lat50", 1000).latency(50 * ms),
		// A serial line behind each gateway: 4 ms a request are 0.8 s for 200
		// units; 10 ms are 2 s, so that half of the polls can be had.
		behind("gw-1000-bus4", 1000, 200).latency(4 * ms).bus().demand(Limits{Delivered: 100, Gap: 1300 * ms}),
		behind("gw-1000-bus10", 1000, 200).latency(10 * ms).bus().demand(Limits{Delivered: 47, InTurn: true}),
		// Dead units; on a line each try holds it for 300 ms.
		behind("gw-1000-bus1-stall2", 1000, 200).latency(ms).bus().stall(0.02).demand(Limits{Delivered: 95}),
		behind("gw-1000-stall2", 1000, 200).stall(0.02).demand(Limits{Delivered: 97.5, Gap: 2 * time.Second}),
		behind("gw-1000-stall10", 1000, 200).stall(0.1).demand(Limits{LiveDelivered: 97}),
		behind("gw-1000-flap", 1000, 200).flap(0.1).watch(0, 60*time.Second).demand(Limits{LiveDelivered: 97}),
		onPorts("ports-1000-stall10", 1000).stall(0.1),
		onPorts("ports-5000", 5000).demand(Limits{Delivered: 100, RSS: 200, Gap: 1300 * ms}),
		onPorts("ports-1000-200ms", 1000).every(200 * ms),
		behind("gw-1000-stall2-10s", 1000, 200).stall(0.02).every(10*time.Second).watch(12*time.Second, 40*time.Second),
		onPorts("ports-1000-influx", 1000).demand(thousand),
	}
}

// Names that stand beside the cases of the list.
const (
	nameList    = "list"
	nameLargest = "largest"
	namePath    = "path"
)

// plan is what one run does.
type plan struct {
	list          bool // only say which cases there are
	cases         []Case
	largest, path bool
}

// choose plans the cases of the given names, separated by spaces or commas;
// the whole list where there is none.
func choose(names string) (plan, error) {
	all := cases()
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' })
	if len(wanted) == 0 {
		return plan{cases: all}, nil
	}
	var p plan
	for _, name := range wanted {
		switch name {
		case nameList:
			p.list = true
		case nameLargest:
			p.largest = true
		case namePath:
			p.path = true
		default:
			i := slices.IndexFunc(all, func(c Case) bool { return c.Label == name })
			if i < 0 {
				return plan{}, fmt.Errorf("no case %q; there are %s, %s and %s", name, strings.Join(labels(all), ", "), nameLargest, namePath)
			}
			p.cases = append(p.cases, all[i])
		}
	}
	return p, nil
}

func labels(list []Case) []string {
	names := make([]string, 0, len(list))
	for _, c := range list {
		names = append(names, c.Label)
	}
	return names
}
