package detect

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func builtIn(mode string) Command {
	return Command{Path: os.Args[0], Env: []string{modeEnv + "=" + mode}}
}

func launch(t testing.TB, c LaunchConfig) *Plugins {
	t.Helper()
	p, err := Launch(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// thirdParty makes a third-party program that behaves as the mode says.
func thirdParty(t testing.TB, name, mode string) ThirdParty {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin_"+mode)
	if err := os.Link(os.Args[0], path); err != nil {
		from, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(to, from); err != nil {
			t.Fatal(err)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := fileSum(path)
	if err != nil {
		t.Fatal(err)
	}
	return ThirdParty{Name: name, Path: path, SHA256: sum}
}

func statusOf(t testing.TB, p *Plugins, name string) PluginStatus {
	t.Helper()
	for _, s := range p.Status() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no status of %s", name)
	return PluginStatus{}
}

func failure(r *Result, detector string) string {
	for _, f := range r.Failed {
		if f.Detector == detector {
			return f.Error
		}
	}
	return ""
}

func TestPluginsJudgeAsInProcess(t *testing.T) {
	in := district(t)
	want := asJSON(t, mustRun(t, in, Local(stepper{}), Local(balance{})))
	p := launch(t, LaunchConfig{BuiltIn: builtIn("good")})
	for range 2 {
		if got := asJSON(t, mustRun(t, in, p.Evaluators()...)); got != want {
			t.Fatalf("over gRPC:\n%s\nin process:\n%s", got, want)
		}
	}
	in.Curves.(*memory).reversed = true
	if got := asJSON(t, mustRun(t, in, p.Evaluators()...)); got != want {
		t.Error("the order in which the store answers changes the result")
	}
	for _, s := range p.Status() {
		if s.State != PluginReady || s.Runs != 3 || s.PID == 0 || len(s.SHA256) != 64 || !s.BuiltIn {
			t.Errorf("status %+v", s)
		}
	}
	if a, b := statusOf(t, p, "stepper"), statusOf(t, p, "balance"); a.PID != b.PID {
		t.Errorf("built-ins run in processes %d and %d; they share one", a.PID, b.PID)
	}
}

func TestThirdPartyRunsBesideBuiltIns(t *testing.T) {
	p := launch(t, LaunchConfig{BuiltIn: builtIn("good"), ThirdParty: []ThirdParty{thirdParty(t, "third", "third")}})
	r := mustRun(t, district(t), p.Evaluators()...)
	if len(r.Failed) != 0 {
		t.Fatalf("failed: %+v", r.Failed)
	}
	if got := r.UsagePoints[0].Detectors; len(got) != 2 {
		t.Errorf("detectors of the top finding: %v", got)
	}
	if a, b := statusOf(t, p, "stepper"), statusOf(t, p, "third"); a.PID == b.PID || b.PID == 0 || b.BuiltIn {
		t.Errorf("third party %+v beside %+v", b, a)
	}
}

// bad is a plugin that misbehaves, and what must be said of it.
type bad struct {
	mode, name string
	want       []string // in the failure
	state      PluginState
}

// runAmong runs bad plugins beside good ones and looks at what came of each.
func runAmong(t *testing.T, timeout time.Duration, cases []bad) {
	t.Helper()
	config := LaunchConfig{BuiltIn: builtIn("good"), Timeout: timeout, Metrics: prometheus.NewRegistry()}
	for _, c := range cases {
		config.ThirdParty = append(config.ThirdParty, thirdParty(t, c.name, c.mode))
	}
	p := launch(t, config)
	r := mustRun(t, district(t), p.Evaluators()...)
	if r.UsagePoints[0].UsagePointID != "UP-0007" || r.Transformers[0].Verdicts[0] != "theft" || len(r.Failed) != len(cases) {
		t.Errorf("the good ones did not go on: %+v", r.Failed)
	}
	if n := testutil.ToFloat64(p.runs.WithLabelValues("stepper", "ok")); n != 1 {
		t.Errorf("%v runs of stepper counted", n)
	}
	for _, c := range cases {
		t.Run(c.mode, func(t *testing.T) {
			got := failure(r, c.name)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("failure %q does not say %q", got, want)
				}
			}
			s := statusOf(t, p, c.name)
			if s.State != c.state || s.Error == "" {
				t.Errorf("status %+v", s)
			}
			result := map[PluginState]string{PluginRefused: "refused", PluginFailed: "failed"}[c.state]
			if strings.Contains(got, errTimeout.Error()) {
				result = "timeout"
			}
			if n := testutil.ToFloat64(p.runs.WithLabelValues(c.name, result)); n != 1 {
				t.Errorf("%v runs counted as %s", n, result)
			}
		})
	}
}

func TestAPluginThatFailsIsReportedAndTheOthersGoOn(t *testing.T) {
	runAmong(t, time.Minute, []bad{
		{"crash_at_start", "unborn", []string{"does not start", "cannot find my model file"}, PluginRefused},
		{"hostile_description", "description", []string{"describes itself wrongly", "galaxy", "mood"}, PluginRefused},
		{"third", "other", []string{`serves no detector "other"`}, PluginRefused},
		{"crash", "crash", []string{"its process ended"}, PluginFailed},
		{"panic", "panic", []string{"not judged", "detector panicked: index out of range: 7"}, PluginFailed},
		{"hostile_nan", "nan", []string{"broke the contract", "a score of NaN"}, PluginFailed},
		{"hostile_above_one", "above_one", []string{"broke the contract", "a score of 1.5"}, PluginFailed},
		{"hostile_unknown_subject", "unknown_subject", []string{`"u-nobody", which is not in the window`}, PluginFailed},
		{"hostile_unknown_window", "unknown_window", []string{"window 78, which it was not given"}, PluginFailed},
		{"hostile_reason", "reason", []string{"reason code"}, PluginFailed},
		{"hostile_flood", "flood", []string{"more than 120 findings"}, PluginFailed},
		{"hostile_text", "text", []string{"not printable UTF-8"}, PluginFailed},
		{"hostile_infinite", "infinite", []string{"+Inf kWh a month"}, PluginFailed},
		{"hostile_days", "days", []string{"the window spans"}, PluginFailed},
		{"hostile_huge", "huge", []string{"larger than max"}, PluginFailed},
		{"hostile_empty", "empty", []string{"not in the contract"}, PluginFailed},
		{"hostile_hangs_up", "hangs_up", []string{"ended the stream"}, PluginFailed},
	})
}

func TestAPluginThatHangsIsStoppedAndTheOthersGoOn(t *testing.T) {
	runAmong(t, 5*time.Second, []bad{
		{"hang", "hang", []string{"no end in time: stopped after 5s"}, PluginFailed},
		{"deaf", "deaf", []string{"no end in time"}, PluginFailed},
	})
}

func TestAWrongChecksumIsRefusedWithTheMend(t *testing.T) {
	third := thirdParty(t, "third", "third")
	right := third.SHA256
	third.SHA256 = strings.Repeat("ab", 32)
	p := launch(t, LaunchConfig{BuiltIn: builtIn("good"), ThirdParty: []ThirdParty{third}})
	s := statusOf(t, p, "third")
	for _, want := range []string{right, third.SHA256, third.Path, "pin its checksum"} {
		if !strings.Contains(s.Error, want) {
			t.Errorf("refusal %q does not say %q", s.Error, want)
		}
	}
	if s.State != PluginRefused || s.PID != 0 || s.Runs != 0 {
		t.Errorf("status %+v", s)
	}
	r := mustRun(t, district(t), p.Evaluators()...)
	if !strings.Contains(failure(r, "third"), "wrong checksum") || len(r.Failed) != 1 {
		t.Errorf("failed %+v", r.Failed)
	}
}

func TestAPluginWithoutAPinnedChecksumIsRefused(t *testing.T) {
	third := thirdParty(t, "third", "third")
	third.SHA256 = ""
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}})
	if s := statusOf(t, p, "third"); s.State != PluginRefused || s.PID != 0 || !strings.Contains(s.Error, "none is pinned") {
		t.Errorf("status %+v", s)
	}
	third.SHA256 = "abc"
	p = launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}})
	if s := statusOf(t, p, "third"); s.State != PluginRefused || !strings.Contains(s.Error, "is not a SHA-256") {
		t.Errorf("status %+v", s)
	}
}

func TestCloseEndsARunAndLeavesNoProcess(t *testing.T) {
	p := launch(t, LaunchConfig{BuiltIn: builtIn("hanging_among")})
	pid := statusOf(t, p, "hang").PID
	in := district(t)
	in.Evaluators = p.Evaluators()
	in.Progress = func(at Progress) {
		if at.Detector == "stepper" && at.Done == at.Total { // the others are at work
			go p.Close() // closed once more by the clean-up, which waits
		}
	}
	r, err := Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if failure(r, "hang") == "" {
		t.Errorf("failed %+v", r.Failed)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if s := statusOf(t, p, "hang"); s.PID != 0 {
		t.Errorf("status %+v", s)
	}
	if !processGone(pid) {
		t.Errorf("process %d is left", pid)
	}
}

func TestACrashAmongBuiltInsTakesNoOtherDown(t *testing.T) {
	p := launch(t, LaunchConfig{BuiltIn: builtIn("among")})
	in := district(t)
	for range 2 {
		r := mustRun(t, in, p.Evaluators()...)
		if len(r.Failed) != 1 || r.Failed[0].Detector != "crash" {
			t.Fatalf("failed %+v", r.Failed)
		}
		if r.UsagePoints[0].UsagePointID != "UP-0007" || r.Transformers[0].Verdicts[0] != "theft" {
			t.Errorf("the others did not judge: %s", asJSON(t, r.UsagePoints[0]))
		}
	}
	if s := statusOf(t, p, "stepper"); s.State != PluginReady || s.Failures != 0 || s.Runs != 2 {
		t.Errorf("stepper %+v", s)
	}
	if s := statusOf(t, p, "crash"); s.State != PluginFailed || s.Failures != 2 {
		t.Errorf("crash %+v", s)
	}
}

func TestAHangAmongBuiltInsTakesNoOtherDown(t *testing.T) {
	p := launch(t, LaunchConfig{BuiltIn: builtIn("hanging_among"), Timeout: 4 * time.Second})
	in := district(t)
	for range 2 {
		r := mustRun(t, in, p.Evaluators()...)
		if len(r.Failed) != 1 || r.Failed[0].Detector != "hang" {
			t.Fatalf("failed %+v", r.Failed)
		}
	}
}

func TestRepeatedFailureEndsInQuarantine(t *testing.T) {
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{thirdParty(t, "crash", "crash")}, QuarantineAfter: 2})
	in := district(t)
	var pids []int
	for range 2 {
		pids = append(pids, statusOf(t, p, "crash").PID)
		mustRun(t, in, p.Evaluators()...)
	}
	if s := statusOf(t, p, "crash"); s.State != PluginQuarantined || s.Failures != 2 || s.PID != 0 {
		t.Fatalf("status %+v", s)
	}
	if pids[0] == 0 || pids[1] != 0 {
		t.Errorf("processes before the runs: %v", pids)
	}
	r := mustRun(t, in, p.Evaluators()...)
	if got := failure(r, "crash"); !strings.Contains(got, "in quarantine after 2 failures") {
		t.Errorf("failure %q", got)
	}
	if err := p.Release(t.Context(), "crash"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"crash", "nobody"} {
		if err := p.Release(t.Context(), name); !errors.Is(err, ErrNotQuarantined) {
			t.Errorf("released %s: %v", name, err)
		}
	}
	r = mustRun(t, in, p.Evaluators()...)
	if got := failure(r, "crash"); !strings.Contains(got, "its process ended") {
		t.Errorf("released, it was not tried again: %q", got)
	}
}

func TestACancelledRunIsNobodysFailure(t *testing.T) {
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{thirdParty(t, "slow", "slow")}})
	in := district(t)
	in.Evaluators = p.Evaluators()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, in); err == nil {
		t.Fatal("a cancelled run succeeded")
	}
	if s := statusOf(t, p, "slow"); s.State != PluginReady || s.Failures != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestConfigurationReachesThePlugin(t *testing.T) {
	third := thirdParty(t, "configurable", "configurable")
	third.Config = []byte(`{"score": 0.2}`)
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}})
	r := mustRun(t, district(t), p.Evaluators()...)
	if got := r.UsagePoints[3].Risk; got < 0.19 || got > 0.21 {
		t.Errorf("risk %v; the configuration says 0.2", got)
	}

	third.Config = []byte(`{"score": 7}`)
	p = launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}})
	if s := statusOf(t, p, "configurable"); s.State != PluginRefused || !strings.Contains(s.Error, "score: 7 does not lie between 0 and 1; write 0.2") {
		t.Errorf("status %+v", s)
	}
}

func TestLaunchRefusesAContradiction(t *testing.T) {
	for name, c := range map[string]LaunchConfig{
		"no such program":    {BuiltIn: Command{Path: "/nonexistent/gridwarden"}},
		"taken name":         {BuiltIn: builtIn("good"), ThirdParty: []ThirdParty{{Name: "stepper"}}},
		"unknown detector":   {BuiltIn: builtIn("good"), Configs: map[string][]byte{"nobody": []byte("{}")}},
		"configures nothing": {BuiltIn: builtIn("good"), Configs: map[string][]byte{"stepper": []byte("{}")}},
		"built-in crashes":   {BuiltIn: builtIn("crash_at_start")},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Launch(context.Background(), c); err == nil {
				_ = p.Close()
				t.Error("launched")
			} else {
				t.Log(err)
			}
		})
	}
}

// Plugins are asked about many parts in one session, by a worker too.
func TestOneSessionServesAllParts(t *testing.T) {
	in := district(t)
	in.Evaluators = []Evaluator{Local(stepper{}), Local(balance{})}
	plan := planned(t, in, 12)
	parts, err := runParts(t.Context(), in, plan)
	if err != nil {
		t.Fatal(err)
	}
	want := merged(t, in, plan, parts)
	p := launch(t, LaunchConfig{BuiltIn: builtIn("good")})
	in.Evaluators = p.Evaluators()
	if parts, err = runParts(t.Context(), in, plan); err != nil {
		t.Fatal(err)
	}
	if got := merged(t, in, plan, parts); len(parts) < 2 || got != want {
		t.Errorf("%d parts by plugins:\n%s\nin process:\n%s", len(parts), got, want)
	}
	raw, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorker(func() Input { return in })
	for i := range plan.Parts() {
		if _, err := w.Do(t.Context(), raw, i); err != nil {
			t.Fatal(err)
		}
	}
	if s := statusOf(t, p, "stepper"); s.State != PluginRunning || s.Runs != 1 {
		t.Errorf("within the worker's session: %+v", s)
	}
	w.Rest()
	if s := statusOf(t, p, "stepper"); s.State != PluginReady || s.Runs != 2 {
		t.Errorf("after %d parts in two runs: %+v", 2*plan.Parts(), s)
	}
	w.Close()
}
