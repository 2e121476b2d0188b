package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	o := new(options)
	flag.IntVar(&o.ports, "ports", 0, "number of one-device listeners")
	flag.IntVar(&o.base, "base", 20000, "first port")
	flag.IntVar(&o.gateway, "gateway", 0, "port of the first many-unit gateway; 0: none")
	flag.IntVar(&o.gateways, "gateways", 1, "number of gateways, on ports in a row")
	flag.IntVar(&o.units, "units", 247, "unit ids served per gateway")
	flag.IntVar(&o.registers, "regs", 40, "registers per device")
	flag.DurationVar(&o.latency, "latency", 0, "delay before each response")
	flag.Float64Var(&o.faults.Stall, "stall", 0, "fraction of devices that never answer")
	flag.Float64Var(&o.faults.Exceptions, "exc", 0, "fraction of devices that answer exception 4")
	flag.Float64Var(&o.faults.Flap, "flap", 0, "fraction of devices that are dead for 30 s and alive for 30 s in turn")
	flag.BoolVar(&o.bus, "bus", false, "gateway: one request at a time over all connections, as an RS-485 bus behind it")
	flag.DurationVar(&o.slaveTimeout, "slave-timeout", 300*time.Millisecond, "with -bus: how long a dead unit holds the bus before the gateway answers exception 0x0B")
	flag.StringVar(&o.stats, "stats", "127.0.0.1:26200", "stats http address")
	flag.StringVar(&o.host, "host", "127.0.0.1", "address to listen on")
	flag.IntVar(&o.firstDevice, "first", 0, "number of the first device")
	flag.IntVar(&o.loops, "loops", 1, "threads that serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, o, func(statsAddress string) {
		fmt.Fprintf(os.Stderr, "%d ports from %d, %d gateways from %d with %d units each; counters on http://%s/\n",
			o.ports, o.base, o.gatewayCount(), o.gateway, o.units, statsAddress)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}
