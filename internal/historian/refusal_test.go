package historian

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// graveyard takes what is given up.
type graveyard struct {
	mu       sync.Mutex
	readings []meter.Reading
	reasons  []string
}

func (g *graveyard) take(_ context.Context, readings []meter.Reading, reason error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readings, g.reasons = append(g.readings, readings...), append(g.reasons, reason.Error())
	return nil
}

func without(readings []meter.Reading, drop func(*meter.Reading) bool) []meter.Reading {
	return slices.DeleteFunc(slices.Clone(readings), func(r meter.Reading) bool { return drop(&r) })
}

// TestRefusals spoils something and looks at what is given up, and at how many
// requests it takes to find it.
func TestRefusals(t *testing.T) {
	const n = 10_000 // a thousand lines in one request
	quantity := sample(10)[7].Quantity
	for name, tc := range map[string]struct {
		spoil    func(*fake)
		lost     func(*meter.Reading) bool
		reason   string
		requests int // at most
	}{
		"a value's type": {
			func(f *fake) { f.types[string(quantity)] = "integer" },
			func(r *meter.Reading) bool { return r.Quantity == quantity }, "type conflict", 5,
		},
		"the type of flags": {
			func(f *fake) { f.types[string(sample(10)[5].Quantity)+".flags"] = "float" },
			func(r *meter.Reading) bool { return r.Quantity == sample(10)[5].Quantity }, "type conflict", 5,
		},
		"two types": {
			func(f *fake) {
				f.types[string(quantity)], f.types[string(sample(10)[2].Quantity)] = "integer", "string"
			},
			func(r *meter.Reading) bool { return r.Quantity == quantity || r.Quantity == sample(10)[2].Quantity }, "type conflict", 9,
		},
		"old ones": {
			func(f *fake) { f.begin = base().Add(1000_000_000 * 50).UnixNano() },
			func(r *meter.Reading) bool { return r.EventTime.Before(base().Add(1000_000_000 * 50)) }, "beyond retention", 5,
		},
		"the receive time's type": {
			func(f *fake) { f.types[fieldReceived] = "float" },
			func(*meter.Reading) bool { return false }, "", 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			tc.spoil(f)
			var lost graveyard
			h := f.on(t, func(c *Config) { c.Rejected = lost.take })
			in := sample(n)
			if err := h.Write(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			f.mustHold(without(in, tc.lost))
			if want := n - len(without(in, tc.lost)); len(lost.readings) != want {
				t.Errorf("%d readings given up, %d are spoilt", len(lost.readings), want)
			}
			for _, why := range lost.reasons {
				if !strings.Contains(why, tc.reason) {
					t.Errorf("reason %s", why)
				}
			}
			if len(f.writes) > tc.requests {
				t.Errorf("%d requests: %s", len(f.writes), f.statuses())
			}
			// The next batch is refused and found the same way.
			if err := h.Write(t.Context(), in[:1000]); err != nil {
				t.Error(err)
			}
		})
	}
}

// Texts that lead astray cost requests, and no reading.
func TestMisleadingRefusals(t *testing.T) {
	for name, said := range map[string]string{
		"another field":   `partial write: field type conflict: input field "voltage_z" on measurement "meter" is type float, already exists as type integer dropped=1`,
		"no hint":         `partial write: something`,
		"too many":        `partial write: points beyond retention policy dropped=999999`,
		"wrong lines":     `unable to parse: line 1, line 2, line 3000`,
		"a negative one":  `partial write: unable to parse dropped=-4`,
		"the wrong field": fmt.Sprintf(`partial write: field type conflict: input field %q on measurement "meter" is type float, already exists as type integer dropped=1`, sample(10)[1].Quantity),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.types[string(sample(10)[7].Quantity)] = "integer"
			f.faults = []fault{answers(400, fmt.Sprintf(`{"code":"invalid","message":%q}`, said))}
			var lost graveyard
			h := f.on(t, func(c *Config) { c.Rejected = lost.take })
			in := sample(300)
			if err := h.Write(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			bad := func(r *meter.Reading) bool { return r.Quantity == sample(10)[7].Quantity }
			f.mustHold(without(in, bad))
			if len(lost.readings) != 30 {
				t.Errorf("%d given up: %v", len(lost.readings), lost.reasons)
			}
		})
	}
}

// A refusal that does not say that it is about content is believed once the
// engine takes another line.
func TestRefusalWithoutAReason(t *testing.T) {
	f := newFake(t)
	var lost graveyard
	h := f.on(t, func(c *Config) { c.Rejected = lost.take })
	in := sample(30)
	write(t, h, in[:10])
	no := answers(400, `{"code":"invalid","message":"no"}`)
	// The first time, the proof by a line that was taken, and by itself again.
	f.faults = []fault{no}
	if err := h.Write(t.Context(), in[10:11]); err != nil || len(lost.readings) != 1 {
		t.Errorf("%d given up, %v", len(lost.readings), err)
	}
	if got := f.statuses(); got != "204 400 204 204" {
		t.Errorf("answers %s", got)
	}
	f.faults = forEver(no)
	if err := h.Write(t.Context(), in[10:]); err == nil || !strings.Contains(err.Error(), "refuses whatever it is sent") || len(lost.readings) != 1 {
		t.Errorf("%d given up, %v", len(lost.readings), err)
	}
}

// TestOrderAndRepeatsAreHarmless writes readings shuffled, cut anyhow and
// several times, through two writers at once, to a real engine.
func TestOrderAndRepeatsAreHarmless(t *testing.T) {
	c, db := shared(t)
	in := sample(6000)
	all := slices.Concat(in, in[:3000], in)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	parts := make(chan []meter.Reading, len(all))
	for len(all) > 0 {
		n := min(1+rng.IntN(900), len(all))
		parts <- all[:n]
		all = all[n:]
	}
	close(parts)
	h := historian(t, Config{URL: c.URL(), Bucket: db, BatchBytes: 20_000})
	err := h.Feed(t.Context(), func(ctx context.Context, write func(context.Context, []meter.Reading) error) error {
		for part := range parts {
			if err := write(ctx, part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustMatch(t, h, in)
}
