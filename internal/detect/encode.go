package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

// Plans and parts travel as a five-byte head (four letters and a version) and
// zstd over JSON.
const (
	planHead = "GWDP\x01"
	partHead = "GWDR\x01"
)

// Bounds on what is decoded; a plan for a million usage points has about 20 MB.
const (
	mostPlanBytes = 1 << 30
	mostPartBytes = 256 << 20
	mostParts     = 1 << 20
)

// errNotOurs says that bytes are no plan or part of this version.
var errNotOurs = errors.New("not written by this version of the program; give all hosts the same")

// Encode writes the plan for other hosts. It holds real ids and the seed of
// the pseudonyms: keep it where the registry may be kept.
func (p *Plan) Encode() ([]byte, error) { return encode(planHead, p) }

// Encode writes the part for the host that merges.
func (p *Part) Encode() ([]byte, error) { return encode(partHead, p) }

func encode(head string, v any) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(head)
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return nil, errors.Join(fmt.Errorf("encode: %w", err), w.Close())
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}

func decode(head string, most int64, data []byte, into any) error {
	if !bytes.HasPrefix(data, []byte(head)) {
		return errNotOurs
	}
	r, err := zstd.NewReader(bytes.NewReader(data[len(head):]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(most)), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	defer r.Close()
	limited := &io.LimitedReader{R: r, N: most}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	var more json.RawMessage
	if err := d.Decode(&more); !errors.Is(err, io.EOF) || limited.N <= 0 {
		return errors.New("decode: more than one document, or too large")
	}
	return nil
}

// DecodePlan reads what Plan.Encode wrote.
func DecodePlan(data []byte) (*Plan, error) {
	p := &Plan{}
	if err := decode(planHead, mostPlanBytes, data, p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p.peers()
	return p, nil
}

func (p *Plan) check() error {
	switch {
	case p.First > p.Last || p.Last-p.First >= mostDays:
		return fmt.Errorf("days %d to %d", p.First, p.Last)
	case !(p.Prior > 0 && p.Prior < 1):
		return fmt.Errorf("prior %v", p.Prior)
	case len(p.Seed) != 32:
		return fmt.Errorf("a seed of %d bytes", len(p.Seed))
	case len(p.Shares) > mostParts:
		return fmt.Errorf("%d parts; at most %d", len(p.Shares), mostParts)
	}
	for i := range p.Groups {
		for _, s := range []*spread{&p.Groups[i].Energy, &p.Groups[i].Night} {
			if s.Count < 0 || s.Count > math.MaxInt32 {
				return fmt.Errorf("a group of %d points", s.Count)
			}
		}
	}
	return nil
}

// DecodePart reads what Part.Encode wrote.
func DecodePart(data []byte) (*Part, error) {
	p := &Part{}
	if err := decode(partHead, mostPartBytes, data, p); err != nil {
		return nil, fmt.Errorf("part: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("part: %w", err)
	}
	return p, nil
}

func (p *Part) check() error {
	if p.Index < 0 || p.Index > mostParts {
		return fmt.Errorf("part %d", p.Index)
	}
	known := func(detector int) error {
		if detector < 0 || detector >= len(p.Detectors) {
			return fmt.Errorf("detector %d of %d", detector, len(p.Detectors))
		}
		return nil
	}
	for i := range p.Points {
		for _, s := range p.Points[i].Scores {
			if err := known(s.Detector); err != nil {
				return err
			}
			if !(s.Probability >= 0 && s.Probability <= 1) || !(s.Doubt >= 0 && s.Doubt <= 1) {
				return fmt.Errorf("a score of %v with a doubt of %v", s.Probability, s.Doubt)
			}
		}
	}
	for i := range p.Shadow {
		if err := p.Shadow[i].check(); err != nil {
			return err
		}
	}
	for i := range p.Areas {
		for _, m := range p.Areas[i].Measures {
			if err := known(m.Detector); err != nil {
				return err
			}
		}
	}
	return nil
}
