package sdktest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// WindowsEnv names the environment variable that says how many windows the
// check "many windows" streams; 2,000 without it. Set it to 1000000 for a
// night of a large fleet.
const WindowsEnv = "SDKTEST_WINDOWS"

const (
	manyWindowsDefault = 2000
	// growthAllowed is how much memory may be held more at the end than after a
	// quarter of the windows: caches fill and other tests run beside.
	growthAllowed = 16 << 20
	growthTries   = 3
)

// manyWindows streams windows one after the other: nothing may pile up, and
// the first window is judged in the end as it was in the beginning.
func manyWindows(d sdk.Detector) error {
	n := manyWindowsDefault
	if text := os.Getenv(WindowsEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 8 {
			return fmt.Errorf("%s is %q; write a number of at least 8", WindowsEnv, text)
		}
	}
	windows := make([]*sdk.Window, 8)
	for i := range windows {
		s := scene(d.Describe(), points(len(windows))[i:i+1])
		s.Days = 14
		windows[i] = s.Window(d.Describe(), false)
	}
	var growth int64
	for range growthTries { // what others in the process allocate counts as well, but not three times over
		var err error
		if growth, err = stream(d, windows, n); err != nil {
			return err
		}
		if growth <= growthAllowed {
			return nil
		}
	}
	return fmt.Errorf("memory grows by %d bytes over %d windows; keep nothing from one window for another", growth, n)
}

// stream judges n windows and returns by how much the memory in use grew after
// the first quarter of them.
func stream(d sdk.Detector, windows []*sdk.Window, n int) (growth int64, err error) {
	first := make([]*sdk.Report, len(windows))
	var early int64
	for i := range n {
		w := *windows[i%len(windows)]
		w.ID = uint64(i + 1)
		report, err := sdk.Judge(context.Background(), d, &w)
		if err != nil {
			return 0, fmt.Errorf("window %d: %w", i+1, err)
		}
		if i < len(windows) {
			first[i] = report
		}
		if i >= n-len(windows) {
			if err := same(first[i%len(windows)], report); err != nil {
				return 0, fmt.Errorf("the same window as the first and as number %d: %w", i+1, err)
			}
		}
		if i == n/4 {
			early = inUse()
		}
	}
	return inUse() - early, nil
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
