package mining

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTheTableIsSound(t *testing.T) {
	names := make(map[string]string)
	claim := func(code, name string) {
		if other, taken := names[plain(name)]; taken && other != code {
			t.Errorf("%q names both %s and %s", name, other, code)
		}
		names[plain(name)] = code
	}
	var codes []string
	coins := make(map[string]string)
	for _, a := range Algorithms() {
		codes = append(codes, a.Code)
		claim(a.Code, a.Code)
		claim(a.Code, a.Name)
		for _, s := range a.Synonyms {
			claim(a.Code, s)
		}
		for _, c := range a.Coins {
			if coins[c] != "" || c != strings.ToUpper(c) {
				t.Errorf("coin %s of %s", c, a.Code)
			}
			coins[c] = a.Code
		}
		for _, m := range []Machine{a.Best, a.Typical, a.Worst} {
			if m.Model == "" || m.Source == "" || m.Watts < 50 || m.Watts > 4000 || m.HashRate <= 0 {
				t.Errorf("%s: %+v", a.Code, m)
			}
		}
		best, typical, worst := a.Best.JoulesPerHash(), a.Typical.JoulesPerHash(), a.Worst.JoulesPerHash()
		if best > typical || typical > worst || worst/best < 1.3 {
			t.Errorf("%s: %g, %g and %g J a hash", a.Code, best, typical, worst)
		}
	}
	if !slices.IsSorted(codes) {
		t.Errorf("not by code: %v", codes)
	}
}

func TestExpectedKW(t *testing.T) {
	for _, c := range []struct {
		algorithm string
		rate      float64
		low, high float64
	}{
		{"SHA-256", 100e12, 1.35, 9.8},           // 13.5 to 98 J/TH
		{"Etchash", 500e6, 0.298, 2.334},         // a GPU rig of 500 MH/s
		{"scrypt", 9.5e9, 1.995, 15.08},          //
		{"Equihash", 420e3, 1.39, 12.6},          //
		{"RandomX", 20e3, 0.127, 0.8637},         //
		{"kheavyhash", 1e12, 0.15, 0.6},          //
		{"x11", 1.77e12, 2.839, 23.29},           //
		{"dagger-hashimoto", 30e6, 0.0179, 0.14}, //
	} {
		low, high, ok := ExpectedKW(c.algorithm, c.rate)
		if !ok || math.Abs(low/c.low-1) > 0.01 || math.Abs(high/c.high-1) > 0.01 {
			t.Errorf("%s at %g H/s: %g to %g kW; want %g to %g", c.algorithm, c.rate, low, high, c.low, c.high)
		}
	}
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, _, ok := ExpectedKW("sha256", rate); ok {
			t.Errorf("power of %v H/s", rate)
		}
	}
	if _, _, ok := ExpectedKW("proof of stake", 1); ok {
		t.Error("an algorithm that nobody knows")
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct{ name, coin, want string }{
		{"SHA256d", "", "sha256"}, {"", "btc", "sha256"}, {"", " Ltc ", "scrypt"}, {"BTC", "", "sha256"}, {"", "monero", "randomx"},
		{"Daggerhashimoto", "BTC", "ethash"}, {"something new", "BTC", ""}, {"", "", ""}, {"", "SOL", ""}, {"Equihash 144,5", "", "zhash"}, {"Equihash 200,9", "", "equihash"},
	} {
		if a, ok := Resolve(c.name, c.coin); a.Code != c.want || ok != (c.want != "") {
			t.Errorf("%q of %q is %q; want %q", c.name, c.coin, a.Code, c.want)
		}
	}
}

func TestPowerGrowsWithTheHashRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(Algorithms()).Draw(t, "algorithm")
		rate := rapid.Float64Range(1e-3, 1e21).Draw(t, "rate")
		k := rapid.Float64Range(1, 1000).Draw(t, "k")
		low, typical, high := a.KW(rate)
		more, _, _ := a.KW(k * rate)
		if low > typical || typical > high || math.Abs(more-k*low) > 1e-9*more {
			t.Fatalf("%s: %g, %g, %g kW; %g at %g times", a.Code, low, typical, high, more, k)
		}
	})
}

func TestClassOf(t *testing.T) {
	for kw, want := range map[float64]string{0.1: "", 0.3: "gpu_rig", 1.2: "gpu_rig", 1.25: "", 1.3: "asic", 3.6: "asic", 4: "", math.NaN(): ""} {
		if c, ok := ClassOf(kw); c.Code != want || ok != (want != "") {
			t.Errorf("%g kW is %q; want %q", kw, c.Code, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"sha-256", "BTC", "", "Equihash 144,5", "\xff", "ＳＨＡ256"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, ok := Find(s); ok && a.Code == "" {
			t.Errorf("%q found nothing", s)
		}
	})
}
