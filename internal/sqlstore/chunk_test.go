package sqlstore

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/curve"
)

func drawChunk(t *rapid.T) *chunk {
	c := new(chunk)
	width := 4 * rapid.IntRange(0, 30).Draw(t, "features")
	for _, slot := range rapid.SliceOfDistinct(rapid.IntRange(0, chunkMeters-1), rapid.ID).Draw(t, "slots") {
		c.put(slot, record{
			curve:    rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "curve"),
			features: rapid.SliceOfN(rapid.Byte(), width, width).Draw(t, "features"),
			version:  rapid.Int64Range(1, 1<<40).Draw(t, "version"),
			at:       rapid.Int64Range(0, 1<<62).Draw(t, "at"),
			origin: curve.Origin{Rule: rapid.SampledFrom([]string{"", curve.OriginImported, curve.OriginEdited}).Draw(t, "rule"),
				Author: rapid.String().Draw(t, "author"), Reason: rapid.String().Draw(t, "reason")},
		})
	}
	return c
}

func TestChunksComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawChunk(t)
		index, features, curves := want.encode()
		var got chunk
		if err := decodeChunk(&got, index, features, curves); err != nil {
			t.Fatal(err)
		}
		if got.present != want.present {
			t.Fatalf("slots %x, want %x", got.present, want.present)
		}
		for slot := range chunkMeters {
			g, w := &got.days[slot], &want.days[slot]
			if !bytes.Equal(g.curve, w.curve) || !bytes.Equal(g.features, w.features) || g.version != w.version || g.at != w.at || g.origin != w.origin {
				t.Fatalf("slot %d: %+v, want %+v", slot, g, w)
			}
			r, from, to, ok, err := locate(index, slot)
			if err != nil || ok != want.has(slot) {
				t.Fatalf("slot %d located: %v, %v", slot, ok, err)
			}
			if ok && (!bytes.Equal(curves[from:to], w.curve) || r.version != w.version || r.origin != w.origin) {
				t.Fatalf("slot %d located at %d to %d: %+v", slot, from, to, r)
			}
		}
	})
}

// Days with features of an earlier version stand beside ones with more.
func TestChunksPadFeatures(t *testing.T) {
	c := new(chunk)
	c.put(3, record{curve: []byte{1}, features: []byte{1, 2, 3, 4}, version: 1})
	c.put(9, record{curve: []byte{2}, features: []byte{1, 2, 3, 4, 5, 6, 7, 8}, version: 1})
	index, features, curves := c.encode()
	var got chunk
	if err := decodeChunk(&got, index, features, curves); err != nil {
		t.Fatal(err)
	}
	if want := []byte{1, 2, 3, 4, 0, 0, 0xc0, 0x7f}; !bytes.Equal(got.days[3].features, want) {
		t.Errorf("padded features %v, want %v (NaN)", got.days[3].features, want)
	}
}

func TestChunkKeys(t *testing.T) {
	for _, date := range []curve.Date{-100000, -1, 0, 1, 20400, 1 << 30} {
		for _, meter := range []int64{1, 63, 64, 1 << 32} {
			key := chunkKey(date, meter)
			if dateOf(key) != date || groupOf(key) != meter/chunkMeters {
				t.Errorf("key %d of %d, meter %d reads as %d, group %d", key, date, meter, dateOf(key), groupOf(key))
			}
		}
	}
	if chunkKey(-1, 1<<37) >= chunkKey(0, 1) {
		t.Error("keys are not in the order of days")
	}
}

func FuzzDecodeChunk(f *testing.F) {
	c := new(chunk)
	c.put(0, record{curve: []byte("curve"), features: []byte("feat"), version: 2, at: 5, origin: curve.Origin{Rule: "edited", Author: "a", Reason: "r"}})
	c.put(63, record{curve: []byte("other"), features: []byte("ures"), version: 1})
	index, features, curves := c.encode()
	f.Add(index, features, curves)
	f.Add(index[:200], []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, index, features, curves []byte) {
		var got, again chunk
		if err := decodeChunk(&got, index, features, curves); err != nil {
			if !errors.Is(err, errChunk) {
				t.Fatal(err)
			}
			return
		}
		for slot := range chunkMeters {
			if _, from, to, ok, err := locate(index, slot); err != nil || ok != got.has(slot) || ok && to > len(curves) {
				t.Fatalf("slot %d: %d, %d, %v, %v", slot, from, to, ok, err)
			}
		}
		index, features, curves = got.encode()
		if err := decodeChunk(&again, index, features, curves); err != nil || !reflect.DeepEqual(&again, &got) {
			t.Fatalf("a second round gave %+v, %v; want %+v", again, err, got)
		}
	})
}
