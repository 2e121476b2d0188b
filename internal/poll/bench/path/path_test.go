package path

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMeasure runs one short round of both.
func TestMeasure(t *testing.T) {
	const devices = 4
	addresses := simulated(t, devices)
	res, err := Measure(t.Context(), Config{
		Addresses: addresses, Dir: t.TempDir(), Rounds: 2, Warm: 300 * time.Millisecond, Window: 300 * time.Millisecond,
		SimCPU: func() float64 { return 0 }, OwnCPU: func() float64 { return float64(time.Now().UnixNano()) / 1e9 },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Connections != devices || len(res.Rounds) != 2 || res.Raw <= 0 || res.Path <= 0 || res.Ratio <= 0 || res.RawCPU <= 0 || res.CPURatio <= 0 {
		t.Errorf("%+v", res)
	}
}

// simulated builds and starts the simulator on free ports in a row.
func simulated(t *testing.T, n int) []string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sim")
	if out, err := exec.Command("go", "build", "-o", binary, "../sim").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for range 20 { // another program may take one of the ports
		base := 12_000 + rand.IntN(18_000)
		cmd := exec.Command(binary, "-stats", "127.0.0.1:0", "-base", fmt.Sprint(base), "-ports", fmt.Sprint(n))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("127.0.0.1:%d", base+i))
		}
		if answers(list[n-1]) {
			t.Cleanup(stop)
			return list
		}
		stop()
	}
	t.Fatal("the simulator does not start")
	return nil
}

func answers(address string) bool {
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func TestMedian(t *testing.T) {
	for want, list := range map[float64][]float64{0: nil, 3: {3}, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := median(list); got != want {
			t.Errorf("median of %v is %v", list, got)
		}
	}
}
