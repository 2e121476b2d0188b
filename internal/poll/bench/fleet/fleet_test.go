package fleet

import (
	"encoding/binary"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// TestRegistersHoldValues reads the points out of the registers as a
// collector would, and the same registers in two requests.
func TestRegistersHoldValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		device := rapid.IntRange(0, 100_000).Draw(t, "device")
		second := rapid.Int64Range(0, 4_000_000_000).Draw(t, "second")
		image := AppendRegisters(nil, device, 0, Registers, second)
		want := Values(device, second)
		for i, p := range List() {
			at := image[2*p.Address:]
			got := float64(binary.BigEndian.Uint16(at))
			if p.Float {
				got = float64(math.Float32frombits(binary.BigEndian.Uint32(at)))
			}
			if got != want[i] {
				t.Fatalf("%s is %v, want %v", p.Name, got, want[i])
			}
			if back, err := strconv.ParseFloat(strconv.FormatFloat(got, 'f', 6, 64), 64); err != nil || back != got {
				t.Fatalf("%s: %v does not survive six decimals: %v", p.Name, got, back)
			}
		}
		cut := rapid.IntRange(1, Registers-1).Draw(t, "cut")
		parts := AppendRegisters(AppendRegisters(nil, device, 0, cut, second), device, cut, Registers-cut, second)
		if string(parts) != string(image) {
			t.Fatalf("cut at %d the registers differ", cut)
		}
	})
}

// TestNothingPassesForAnother compares a device's points with those of other
// devices, other seconds and neighbouring registers: none may agree in all
// points, and only few in one.
func TestNothingPassesForAnother(t *testing.T) {
	const device, second = 417, 1_790_000_000
	right := Values(device, second)
	others, single := 0, 0
	compare := func(what string, other [Points]float64) {
		same := 0
		for i := range other {
			if other[i] == right[i] {
				same++
			}
		}
		others++
		if same > 0 {
			single++
		}
		if same > 1 {
			t.Errorf("%s agrees in %d points", what, same)
		}
	}
	for d := range 20_000 {
		if d != device {
			compare("device "+strconv.Itoa(d), Values(d, second))
		}
	}
	for s := int64(1); s < 3600; s++ {
		compare("a second earlier", Values(device, second-s))
	}
	if single > others/1000 {
		t.Errorf("%d of %d others agree in one point", single, others)
	}
	image := AppendRegisters(nil, device, 0, Registers+stride, second)
	for shift := 1; shift < stride; shift++ {
		var shifted [Points]float64
		for i, p := range List() {
			at := image[2*(p.Address+shift):]
			shifted[i] = float64(binary.BigEndian.Uint16(at))
			if p.Float {
				shifted[i] = float64(math.Float32frombits(binary.BigEndian.Uint32(at)))
			}
		}
		compare("shift by "+strconv.Itoa(shift), shifted)
	}
}

// TestValuesChange: a value that stood still could not be told from a stuck
// one.
func TestValuesChange(t *testing.T) {
	for device := range 1000 {
		a, b := Values(device, 1_790_000_000), Values(device, 1_790_000_001)
		same := 0
		for i := range a {
			if a[i] == b[i] {
				same++
			}
		}
		if same > 1 {
			t.Errorf("device %d: %d points stand still", device, same)
		}
	}
}

func TestFates(t *testing.T) {
	f := Faults{Stall: 0.02, Exceptions: 0.01, Flap: 0.1}
	count := map[Fate]int{}
	for device := 1; device <= 1000; device++ {
		count[f.Of(device)]++
	}
	if count[Silent] != 20 || count[Excepting] != 10 || count[Flapping] != 100 || count[Live] != 870 {
		t.Errorf("%v", count)
	}
}

// TestAlive holds the spans to the moments in them.
func TestAlive(t *testing.T) {
	f := Faults{Stall: 0.02, Exceptions: 0.01, Flap: 0.1}
	from := time.Unix(1_790_000_000, 123)
	to := from.Add(95 * time.Second)
	var alive [100]int // devices by second
	flapping := 0
	for device := 1; device <= 1000; device++ {
		spans := f.Alive(device, from, to)
		inside := func(at time.Time) bool {
			for _, s := range spans {
				if !at.Before(s.From) && at.Before(s.To) {
					return true
				}
			}
			return false
		}
		for ms := 0; ms < 95_000; ms += 250 {
			at := from.Add(time.Duration(ms) * time.Millisecond)
			fate, since := f.At(device, at)
			answers := fate == Live
			if answers != inside(at) {
				t.Fatalf("device %d (%v) at %v: %v, alive in %v", device, f.Of(device), at, fate, spans)
			}
			if f.Of(device) == Flapping && answers && (at.Before(since) || at.Sub(since) >= FlapPeriod/2) {
				t.Fatalf("device %d at %v answers since %v", device, at, since)
			}
			if f.Of(device) == Flapping && answers && ms%1000 == 0 {
				alive[ms/1000]++
			}
		}
		if f.Of(device) == Flapping {
			flapping++
		}
	}
	for s, n := range alive[:95] {
		if n < flapping/2-1 || n > flapping/2+1 {
			t.Errorf("after %d s %d of %d flapping devices are alive: their phases are not spread", s, n, flapping)
		}
	}
}

// TestProfile: Gridwarden reads all ten points in one request.
func TestProfile(t *testing.T) {
	p, err := profile.Parse("bench.yaml", []byte(Profile()))
	if err != nil {
		t.Fatal(err)
	}
	if b := p.Modbus.Blocks(0); len(b) != 1 || len(b[0].Points) != Points || b[0].Count != 37 {
		t.Errorf("%+v", b)
	}
}
