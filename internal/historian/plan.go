package historian

import (
	"fmt"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Retention of buckets that Provision makes, where Plan does not say.
const (
	DefaultRetention     = 400 * 24 * time.Hour
	DefaultLongRetention = 3650 * 24 * time.Hour
	DefaultWindow        = 15 * time.Minute

	// nearPast is what the frequent task goes over again: late readings of a
	// gateway that was away, or of a short outage.
	nearPast = 2 * time.Hour
	// farPast is what the nightly task goes over again: everything that the
	// stream can have kept by default, and a day.
	farPast = 8 * 24 * time.Hour
)

// Plan says what Provision makes. A nil retention leaves an existing bucket's
// as it is; 0 is forever.
type Plan struct {
	Retention     *time.Duration // of readings as they came
	LongRetention *time.Duration // of the values of windows
	Window        time.Duration  // of the values that are kept for long; DefaultWindow where 0
	// Shorten allows a retention below the one that a bucket has, which
	// deletes what is older.
	Shorten bool
}

func (p Plan) window() time.Duration { return positive(p.Window, DefaultWindow) }

// Check says what is wrong with the plan.
func (p Plan) Check() error {
	for name, d := range map[string]*time.Duration{"retention": p.Retention, "long retention": p.LongRetention} {
		if d != nil && (*d < 0 || *d > 0 && *d < time.Hour || *d%time.Second != 0) {
			return fmt.Errorf("%s %s; give at least 1h, or 0 for ever", name, *d)
		}
	}
	if w := p.window(); w < time.Minute || (24*time.Hour)%w != 0 || w%time.Minute != 0 {
		return fmt.Errorf("window %s; give whole minutes of which a day is a multiple, such as 15m", w)
	}
	return nil
}

// longName is the bucket of windows' values.
func (p Plan) longName(bucket string) string { return bucket + "_" + fluxDuration(p.window()) }

// step is one task: it goes over a span of the past again and writes the
// values of its windows, which replace those of its last run.
type step struct {
	name, about string
	schedule    string // in Flux
	past        time.Duration
}

func (p Plan) steps(bucket string) []step {
	w := fluxDuration(p.window())
	return []step{{
		name: "gridwarden " + bucket + " " + w, about: "values of the last windows of " + w + ", with the last two hours again for late readings",
		schedule: "every: " + w + ", offset: 1m", past: nearPast,
	}, {
		name: "gridwarden " + bucket + " " + w + " nightly", about: "values of windows of " + w + " of the last eight days again: what came after an outage",
		schedule: `cron: "20 2 * * *"`, past: farPast,
	}}
}

// flux is the program of one task: means of what is read, last values of what
// is counted, under the names and types of the fields that they come from.
// Windows are whole: none is replaced by a part of itself.
func (s step) flux(p Plan, bucket, org string) string {
	w := fluxDuration(p.window())
	return fmt.Sprintf(`import "date"
import "experimental"

option task = {name: %q, %s}

begin = date.truncate(t: experimental.subDuration(d: %s, from: now()), unit: %s)
end = date.truncate(t: now(), unit: %s)
`, s.name, s.schedule, fluxDuration(s.past), w, w) + windowsFlux(p, bucket, "mean", fmt.Sprintf("\n  |> to(bucket: %q, org: %q)\n", p.longName(bucket), org)) +
		windowsFlux(p, bucket, "last", fmt.Sprintf("\n  |> to(bucket: %q, org: %q)\n", p.longName(bucket), org))
}

// windowsFlux is the part of a task for the quantities of one function.
func windowsFlux(p Plan, bucket, fn, end string) string {
	var which []string
	for _, q := range cumulative() {
		if fn == "last" {
			which = append(which, fmt.Sprintf("r._field == %q", q))
		} else {
			which = append(which, fmt.Sprintf("r._field != %q", q))
		}
	}
	join := " and "
	if fn == "last" {
		join = " or "
	}
	return fmt.Sprintf(`
from(bucket: %q)
  |> range(start: begin, stop: end)
  |> filter(fn: (r) => r._measurement == %q%s)
  |> filter(fn: (r) => %s)
  |> aggregateWindow(every: %s, fn: %s, timeSrc: "_start", createEmpty: false)`,
		bucket, measurement, onlyValues, strings.Join(which, join), fluxDuration(p.window()), fn) + end
}

// fluxDuration writes d in one unit, as Flux, InfluxQL and VictoriaMetrics
// read it.
func fluxDuration(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= unit.of && d%unit.of == 0 {
			return fmt.Sprint(int64(d/unit.of), unit.name)
		}
	}
	return fmt.Sprint(int64(d/time.Second), "s")
}

// byHand is what to do on an engine that has no API for it, command by
// command, with a word before each group.
func (p Plan) byHand(e Engine, bucket string) []Manual {
	keep := func(d *time.Duration, otherwise time.Duration) time.Duration {
		if d != nil {
			return *d
		}
		return otherwise
	}
	short, long := keep(p.Retention, DefaultRetention), keep(p.LongRetention, DefaultLongRetention)
	if e == VictoriaMetrics {
		return p.victoriaByHand(short)
	}
	forever := func(d time.Duration) string {
		if d == 0 {
			return "INF"
		}
		return fluxDuration(d)
	}
	database, policy, ok := strings.Cut(bucket, "/")
	if !ok || policy == "" {
		policy = "autogen"
	}
	w, longName := fluxDuration(p.window()), "long"
	ql := func(what string) string { return `"` + strings.ReplaceAll(what, `"`, `\"`) + `"` }
	out := []Manual{{"Make the database and say how long it keeps readings:", []string{
		"CREATE DATABASE " + ql(database),
		fmt.Sprintf("CREATE RETENTION POLICY %s ON %s DURATION %s REPLICATION 1 DEFAULT", ql(policy), ql(database), forever(short)),
		fmt.Sprintf("ALTER RETENTION POLICY %s ON %s DURATION %s DEFAULT", ql(policy), ql(database), forever(short)),
		fmt.Sprintf("CREATE RETENTION POLICY %s ON %s DURATION %s REPLICATION 1", ql(longName), ql(database), forever(long)),
	}}}
	var means, lasts []string
	for _, q := range meter.Quantities() {
		if q.Cumulative() {
			lasts = append(lasts, fmt.Sprintf("last(%q) AS %q", q, q))
		} else {
			means = append(means, fmt.Sprintf("mean(%q) AS %q", q, q))
		}
	}
	query := func(name string, fields []string) string {
		return fmt.Sprintf(`CREATE CONTINUOUS QUERY %s ON %s RESAMPLE FOR %s BEGIN SELECT %s INTO %s.%s.%q FROM %s.%s.%q GROUP BY time(%s), * END`,
			ql("gridwarden_"+name+"_"+w), ql(database), fluxDuration(nearPast), strings.Join(fields, ", "),
			ql(database), ql(longName), measurement, ql(database), ql(policy), measurement, w)
	}
	return append(out, Manual{
		"Have it keep the values of windows of " + w + ` (the engine needs [continuous_queries] enabled = true). To change one, DROP CONTINUOUS QUERY first:`,
		[]string{query("mean", means), query("last", lasts)},
	})
}

func (p Plan) victoriaByHand(short time.Duration) []Manual {
	keep := fluxDuration(short)
	if short == 0 {
		keep = "100y"
	}
	w := fluxDuration(p.window())
	var counted []string
	for _, q := range cumulative() {
		counted = append(counted, metricPrefix+q)
	}
	all := strings.Join(counted, "|")
	return []Manual{{
		"Retention is a flag of the program, for all its data; repeats are removed with a second one:",
		[]string{"victoria-metrics -retentionPeriod=" + keep + " -dedup.minScrapeInterval=1ms"},
	}, {
		"Windows of " + w + " are recording rules of vmalert. Put this into gridwarden-rules.yml:",
		[]string{strings.Join([]string{
			"groups:",
			"  - name: gridwarden",
			"    interval: " + w,
			"    rules:",
			"      - record: meter_mean_" + w,
			fmt.Sprintf(`        expr: label_move(avg_over_time({__name__=~"%s",__name__!~"%s|%s"}[%s]) keep_metric_names, "__name__", "quantity")`, anyValue, all, metricPrefix+fieldReceived, w),
			"      - record: meter_last_" + w,
			fmt.Sprintf(`        expr: label_move(last_over_time({__name__=~"%s"}[%s]), "__name__", "quantity")`, all, w),
		}, "\n")},
	}, {
		"and run it beside the engine:",
		[]string{"vmalert -rule=gridwarden-rules.yml -datasource.url=URL -remoteWrite.url=URL"},
	}}
}

// Manual is something to be done by hand.
type Manual struct {
	What     string   `json:"what"`
	Commands []string `json:"commands"`
}
