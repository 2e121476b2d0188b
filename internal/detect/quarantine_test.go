package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func remembered(t *testing.T, path string) *Memory {
	t.Helper()
	m, err := OpenMemory(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A plugin that is in quarantine stays there when the host starts again: its
// program is not even started. Another program under the name starts afresh.
func TestQuarantineOutlivesTheHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugins.json")
	third := thirdParty(t, "crash", "crash")
	in := district(t)

	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}, QuarantineAfter: 2, Memory: remembered(t, path)})
	mustRun(t, in, p.Evaluators()...)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}, QuarantineAfter: 2, Memory: remembered(t, path)})
	if s := statusOf(t, p, "crash"); s.State != PluginFailed || s.Failures != 1 || s.PID == 0 {
		t.Errorf("after one failure and a restart: %+v", s)
	}
	mustRun(t, in, p.Evaluators()...)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}

	m := remembered(t, path)
	if got := m.Quarantined(); len(got) != 1 || got[0] != "crash" {
		t.Errorf("in quarantine: %v", got)
	}
	p = launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}, QuarantineAfter: 2, Memory: m})
	if s := statusOf(t, p, "crash"); s.State != PluginQuarantined || s.Failures != 2 || s.PID != 0 || !strings.Contains(s.Error, "its process ended") {
		t.Errorf("after two failures and a restart: %+v", s)
	}
	r := mustRun(t, in, p.Evaluators()...)
	if got := failure(r, "crash"); !strings.Contains(got, "in quarantine after 2 failures") {
		t.Errorf("failure %q", got)
	}
	if err := p.Release(t.Context(), "crash"); err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, p, "crash"); s.PID == 0 || s.Version != "1.0.0" || s.State == PluginQuarantined {
		t.Errorf("released: %+v", s)
	}
	if got := remembered(t, path).Quarantined(); len(got) > 0 {
		t.Errorf("in quarantine after the release: %v", got)
	}

	other := thirdParty(t, "crash", "third")
	if err := os.WriteFile(other.Path+".note", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m = remembered(t, path)
	if err := m.Put("third", Record{SHA256: strings.Repeat("0", 64), Failures: 9, Quarantined: true}); err != nil {
		t.Fatal(err)
	}
	other.Name = "third"
	p = launch(t, LaunchConfig{ThirdParty: []ThirdParty{other}, Memory: m})
	if s := statusOf(t, p, "third"); s.State != PluginReady || s.Failures != 0 {
		t.Errorf("another program: %+v", s)
	}
}

func TestMemoryFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plugins.json")
	m := remembered(t, path)
	r := Record{SHA256: "ab", Failures: 3, LastError: "it ended", LastFailure: time.Unix(1000, 0).UTC(), Quarantined: true}
	if err := m.Put("one", r); err != nil {
		t.Fatal(err)
	}
	again := remembered(t, path)
	if got, ok := again.Get("one", "ab"); !ok || got != r {
		t.Errorf("%+v, %v", got, ok)
	}
	if _, ok := again.Get("one", "cd"); ok {
		t.Error("known under another checksum")
	}
	if was, err := again.Forget("one"); !was || err != nil {
		t.Errorf("forget: %v, %v", was, err)
	}
	if was, err := again.Forget("one"); was || err != nil {
		t.Errorf("forget again: %v, %v", was, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".plugins-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	for _, bad := range []string{"{", `[1]`, `{"one": 3}`} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenMemory(path); err == nil || !strings.Contains(err.Error(), "start afresh") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.WriteFile(path, []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := remembered(t, path).Put("one", r); err != nil {
		t.Error(err)
	}
	if err := remembered(t, filepath.Join(dir, "no", "folder.json")).Put("one", r); err == nil || !strings.Contains(err.Error(), "make the folder writable") {
		t.Errorf("no folder: %v", err)
	}
}

func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"one": {"sha256": "ab", "failures": 3, "last_failure": "2026-01-01T00:00:00Z", "quarantined": true}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "plugins.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := OpenMemory(path); err == nil {
			m.Get("one", "ab")
			m.Quarantined()
		}
	})
}

func TestBackoffGrowsWithinBounds(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		plain := min(firstBackoff<<min(failures-1, 10), maxBackoff)
		different := make(map[time.Duration]bool)
		for range 20 {
			got := backoff(failures)
			if got < plain*3/4 || got > plain*5/4 {
				t.Fatalf("after %d failures %v; about %v", failures, got, plain)
			}
			different[got] = true
		}
		if len(different) < 2 {
			t.Errorf("after %d failures always the same", failures)
		}
	}
}

func TestAPluginThatBlocksAtItsStartIsRefused(t *testing.T) {
	config := LaunchConfig{StartTimeout: 3 * time.Second}
	blocked := thirdParty(t, "blocks_in_configure", "hostile_blocks_in_configure")
	blocked.Config = []byte(`{}`)
	config.ThirdParty = []ThirdParty{
		blocked, thirdParty(t, "blocks_in_describe", "hostile_blocks_in_describe"), thirdParty(t, "no_handshake", "no_handshake"),
	}
	p := launch(t, config)
	for _, third := range config.ThirdParty {
		if s := statusOf(t, p, third.Name); s.State != PluginRefused || s.PID != 0 || s.Error == "" {
			t.Errorf("status %+v", s)
		} else {
			t.Log(s.Error)
		}
	}
}

func TestAPluginThatSaysTooMuchIsStopped(t *testing.T) {
	runAmong(t, 5*time.Second, []bad{
		{"hostile_flood_of_scores", "flood_of_scores", []string{"no end in time"}, PluginFailed},
		{"hostile_silent", "silent", []string{"no end in time"}, PluginFailed},
	})
}

func TestAPluginMayChatter(t *testing.T) {
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{thirdParty(t, "chatters", "chatters")}})
	r := mustRun(t, district(t), p.Evaluators()...)
	if len(r.Failed) > 0 || r.UsagePoints[0].UsagePointID != "UP-0007" {
		t.Errorf("failed %+v", r.Failed)
	}
}
