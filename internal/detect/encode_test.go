package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/gridwarden/gridwarden/internal/grid"
)

// encoded returns a plan and its parts as bytes.
func encoded(t testing.TB) (in Input, plan []byte, parts [][]byte) {
	t.Helper()
	in = district(t)
	in.Evaluators = []Evaluator{Local(stepper{}), Local(balance{}), Local(doubter{})}
	p := planned(t, in, 12)
	run, err := runParts(context.Background(), in, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range run {
		data, err := part.Encode()
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, data)
	}
	if plan, err = p.Encode(); err != nil {
		t.Fatal(err)
	}
	return in, plan, parts
}

// packed is a head with a zstd frame of text.
func packed(t testing.TB, head, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return append([]byte(head), w.EncodeAll([]byte(text), nil)...)
}

// unpacked is the JSON in what packed or Encode made: the fuzzers change that,
// since hardly anything that is flipped in a compressed frame comes through.
func unpacked(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := r.DecodeAll(data[len(planHead):], nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDamagedPlansAndPartsAreRefused(t *testing.T) {
	_, plan, parts := encoded(t)
	seed := `"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`
	for name, data := range map[string][]byte{
		"nothing": nil, "head only": []byte(planHead), "a part": parts[0], "another version": append([]byte("GWDP\x02"), plan[5:]...),
		"cut off": plan[:len(plan)-4], "flipped": append(bytes.Clone(plan[:len(plan)-9]), 1, 2, 3, 4, 5, 6, 7, 8, 9),
		"unknown field":  packed(t, planHead, `{"first":"2026-01-01","last":"2026-01-02","prior":0.1,`+seed+`,"evil":1}`),
		"no seed":        packed(t, planHead, `{"first":"2026-01-01","last":"2026-01-02","prior":0.1}`),
		"days reversed":  packed(t, planHead, `{"first":"2026-01-03","last":"2026-01-02","prior":0.1,`+seed+`}`),
		"too many days":  packed(t, planHead, `{"first":"1926-01-03","last":"2026-01-02","prior":0.1,`+seed+`}`),
		"prior":          packed(t, planHead, `{"first":"2026-01-01","last":"2026-01-02","prior":1,`+seed+`}`),
		"negative group": packed(t, planHead, `{"first":"2026-01-01","last":"2026-01-02","prior":0.1,`+seed+`,"groups":[{"energy":{"n":-1}}]}`),
		"two documents":  packed(t, planHead, `{"first":"2026-01-01","last":"2026-01-02","prior":0.1,`+seed+`}{}`),
	} {
		if _, err := DecodePlan(data); err == nil {
			t.Errorf("plan, %s: taken", name)
		}
	}
	for name, data := range map[string][]byte{
		"a plan": plan, "cut off": parts[0][:len(parts[0])-3],
		"negative":         packed(t, partHead, `{"index":-1}`),
		"unknown detector": packed(t, partHead, `{"index":0,"points":[{"id":"U","scores":[{"d":0,"p":0.5}]}]}`),
		"probability":      packed(t, partHead, `{"index":0,"detectors":[{}],"points":[{"id":"U","scores":[{"d":0,"p":1.5}]}]}`),
		"unknown measurer": packed(t, partHead, `{"index":0,"areas":[{"id":"T","measures":[{"d":-1}]}]}`),
	} {
		if _, err := DecodePart(data); err == nil {
			t.Errorf("part, %s: taken", name)
		}
	}
}

// A million usage points are planned in a few megabytes.
func TestAPlanIsSmall(t *testing.T) {
	records := grid.Records{}
	const areas, each = 400, 50
	for i := range areas {
		records.Transformers = append(records.Transformers, grid.PowerTransformer{ID: fmt.Sprintf("TX-%06d", i)})
		for k := range each {
			records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: fmt.Sprintf("UP-%08d", 64*i+k), MeterID: fmt.Sprintf("M-%d-%d", i, k), TransformerID: fmt.Sprintf("TX-%06d", i)})
		}
	}
	in := Input{Network: grid.NewNetwork(records), Curves: newMemory(), First: firstDay, Last: lastDay, Prior: 0.01}
	plan, err := NewPlan(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	data, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	perPoint, raw := float64(len(data))/(areas*each), float64(len(text))/(areas*each)
	t.Logf("%.2f bytes a point (%.1f before compression): %.1f MB for a million points in %d parts", perPoint, raw, perPoint, 50*plan.Parts())
	if perPoint > 6 {
		t.Errorf("%.2f bytes a point; at most 6 are fine", perPoint)
	}
}

func FuzzDecodePlan(f *testing.F) {
	in, plan, _ := encoded(f)
	f.Add(plan)
	f.Add(unpacked(f, plan))
	f.Add([]byte(`{"first":"2024-10-04","last":"2024-10-23","prior":0.01,"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","fleet":true,"shares":[{"t":["TX-EAST-1"],"p":["UP-0001","UP-0001","no"]}],"groups":[{"energy":{"n":9,"cuts":[{"q":0.1,"i":-7,"v":[1]}]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.HasPrefix(data, []byte("{")) {
			data = packed(t, planHead, string(data))
		}
		p, err := DecodePlan(data)
		if err != nil {
			return
		}
		again, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodePlan(again); err != nil {
			t.Fatalf("a plan that was taken is refused: %v", err)
		}
		in := in
		in.First, in.Last = p.First, p.Last
		if p.Last-p.First > 100 || len(p.Shares) > 10 {
			return
		}
		r, err := NewRunner(context.Background(), in, p)
		if err != nil {
			return
		}
		for part := range p.Parts() { // whatever it says, no host falls over it
			_, _ = r.load(context.Background(), part)
		}
	})
}

func FuzzDecodePart(f *testing.F) {
	in, plan, parts := encoded(f)
	for _, part := range parts {
		f.Add(part)
		f.Add(unpacked(f, part))
	}
	p, err := DecodePlan(plan)
	if err != nil {
		f.Fatal(err)
	}
	var rest []*Part
	for _, data := range parts {
		part, err := DecodePart(data)
		if err != nil {
			f.Fatal(err)
		}
		rest = append(rest, part)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.HasPrefix(data, []byte("{")) {
			data = packed(t, partHead, string(data))
		}
		part, err := DecodePart(data)
		if err != nil {
			return
		}
		if _, err := part.Encode(); err != nil {
			t.Fatal(err)
		}
		all := append([]*Part{}, rest...)
		_ = p.Again(append(all, part))
		_, _ = Merge(in, p, append(all, part))
	})
}
