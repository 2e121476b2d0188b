package main

import (
	"flag"
	"fmt"
	"strings"
	"time"
)

// own is a case given by flags.
type own struct {
	c        Case
	simExtra string
}

// ownCase defines the flags of a case of one's own.
func ownCase() *own {
	o := new(own)
	flag.StringVar(&o.c.Label, "label", "", "label of a case of one's own, which the following flags describe")
	flag.StringVar(&o.c.Mode, "mode", modePorts, "ports or gateway")
	flag.IntVar(&o.c.N, "n", 100, "devices")
	flag.IntVar(&o.c.PerGateway, "per-gateway", 200, "unit ids per gateway (gateway mode)")
	flag.DurationVar(&o.c.Interval, "interval", time.Second, "poll interval")
	flag.DurationVar(&o.c.Latency, "latency", 0, "slave response latency")
	flag.Float64Var(&o.c.Faults.Stall, "stall", 0, "fraction of devices that never answer")
	flag.Float64Var(&o.c.Faults.Exceptions, "exc", 0, "fraction that answer exception 4")
	flag.Float64Var(&o.c.Faults.Flap, "flap", 0, "fraction that are dead and alive for 30 s in turn")
	flag.StringVar(&o.c.Style, "style", "request", "telegraf: request or register")
	flag.StringVar(&o.simExtra, "sim-extra", "", "more simulator flags, space separated (for example -bus)")
	return o
}

// orChosen plans the case of one's own where it has a label, else those of the
// given names.
func (o *own) orChosen(names string) (plan, error) {
	if o.c.Label == "" {
		return choose(names)
	}
	switch {
	case o.c.Mode != modePorts && o.c.Mode != modeGateway:
		return plan{}, fmt.Errorf("-mode %q; give %s or %s", o.c.Mode, modePorts, modeGateway)
	case o.c.N < 1 || o.c.PerGateway < 1 || o.c.PerGateway > 255 || o.c.Interval <= 0:
		return plan{}, fmt.Errorf("-n %d -per-gateway %d -interval %v; give a device, 1 to 255 and a positive time", o.c.N, o.c.PerGateway, o.c.Interval)
	}
	o.c.SimExtra = strings.Fields(o.simExtra)
	return plan{cases: []Case{o.c}}, nil
}
