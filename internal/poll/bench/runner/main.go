package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-polling:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var names, results string
	r := &runner{log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&names, "cases", "", "cases of the list, separated by spaces; all where empty; also largest, path, and list, which says what there is")
	flag.StringVar(&results, "results", "", "file to which the JSON lines are appended too")
	flag.StringVar(&r.collector, "collector", "bin/gridwarden run -c {cfg}", "collector command, {cfg} is replaced")
	flag.StringVar(&r.gen, "gen", genGridwarden, "configuration: gridwarden, telegraf, json or cmd:PROG")
	flag.StringVar(&r.out, "out", outInflux, "how the collector delivers: influx or stdout")
	flag.StringVar(&r.sim, "sim", "bin/bench-sim", "simulator binary")
	flag.StringVar(&r.dir, "dir", "var/bench-polling", "folder for configurations, data and logs; a case's folder in it is made anew")
	flag.DurationVar(&r.warm, "warm", 8*time.Second, "warm-up")
	flag.DurationVar(&r.window, "window", 30*time.Second, "measured window")
	r.drain = drainTime
	flag.IntVar(&r.ports.base, "base", 20000, "first device port (ports mode)")
	flag.IntVar(&r.ports.gateway, "gwport", 26100, "first gateway port (gateway mode)")
	flag.StringVar(&r.stats, "stats", "", "simulator stats address; a free one where empty")
	flag.StringVar(&r.sink, "sink", "127.0.0.1:0", "sink address (-out influx)")
	flag.StringVar(&r.jitter, "jitter", "0s", "telegraf: collection_jitter")
	flag.StringVar(&r.agentExtra, "agent-extra", "", "telegraf: further lines of [agent], separated by ;")
	flag.StringVar(&r.timeout, "timeout", "1s", "telegraf: timeout of a request")
	flag.IntVar(&r.largestFrom, "largest-from", searchFrom, "largest: devices to begin with")
	flag.DurationVar(&r.largestBudget, "largest-budget", searchBudget, "largest: time after which no further number is tried")
	own := ownCase()
	flag.Parse()
	p, err := own.orChosen(names)
	if err != nil {
		return err
	}
	return r.all(ctx, os.Stdout, p, results)
}
