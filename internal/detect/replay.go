package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Replayed is what became of judging one subject again.
type Replayed struct {
	Same        bool         `json:"same"` // the findings are the same, bit for bit
	Then        []Finding    `json:"then"` // what the run's detector found of the subject
	Now         []Finding    `json:"now"`  // what it finds again
	Differences []Difference `json:"differences"`
	Changes     []Change     `json:"changes"` // between the findings
}

// Difference is an input of the run that is not what it was.
type Difference struct {
	What string `json:"what"`
	Then string `json:"then"`
	Now  string `json:"now"`
}

// ErrNoInputs says that a run cannot be judged again.
var ErrNoInputs = errors.New("the run was stored by a version of the program that kept no record of what it was given")

// Replay has one subject of a stored run judged again by one detector: the
// part of the run that holds it. in has the curves as they were then, the
// records, and as Evaluators the detector and those that measured attributes
// for it (Inputs.Needed); the span and the prior are the run's. How peers
// spread over the fleet comes from the run, so that no other part is read.
//
// What is no longer as it was does not stop it: it is named in Differences.
func Replay(ctx context.Context, in Input, run *Result, kind sdk.SubjectKind, subject, detector string) (*Replayed, error) {
	if run.Inputs == nil {
		return nil, ErrNoInputs
	}
	in.First, in.Last, in.Prior, in.Shadow = run.FirstDay, run.LastDay, run.Prior, nil
	if err := in.check(); err != nil {
		return nil, err
	}
	r := &replay{in: &in, run: run, out: &Replayed{Then: run.findingsOf(kind, subject, detector), Differences: []Difference{}, Changes: []Change{}}}
	plan, part, err := r.plan(kind, subject, detector)
	if err != nil {
		return nil, err
	}
	judged, err := RunPart(ctx, in, plan, part)
	if err != nil {
		return nil, err
	}
	if err := r.programs(judged, detector); err != nil {
		return nil, err
	}
	r.data(plan, judged)
	return r.compare(judged, kind, subject, detector)
}

// replay is one call of Replay.
type replay struct {
	in       *Input
	run      *Result
	out      *Replayed
	sameData bool // so far
}

func (r *replay) differs(what, then, now string) {
	if then != now {
		r.out.Differences = append(r.out.Differences, Difference{what, then, now})
	}
}

// plan makes the run's plan again, as far as one part needs it.
func (r *replay) plan(kind sdk.SubjectKind, subject, detector string) (plan *Plan, part int, err error) {
	then := r.run.Inputs
	plan = &Plan{First: r.in.First, Last: r.in.Last, Prior: r.in.Prior, Began: then.Began, Groups: then.Groups, Provided: then.Provided}
	fleet := false
	for _, e := range byName(r.in.Evaluators) {
		d := e.Describe()
		plan.Detectors = append(plan.Detectors, d.Name+" "+d.Version)
		if slices.Contains(then.Providers, d.Name) {
			plan.Providers = append(plan.Providers, d.Name)
		}
		fleet = fleet || d.Name == detector && d.Scope == sdk.ScopeFleet
		plan.Fleet = plan.Fleet || d.Scope == sdk.ScopeFleet
	}
	ref := newReference(r.in)
	all := ref.records()
	plan.divide(r.in.Network, all.everybody(), partSize(r.in))
	part = slices.IndexFunc(plan.Shares, func(s share) bool {
		if kind == sdk.Transformer {
			return slices.Contains(s.Transformers, subject)
		}
		return slices.Contains(s.Points, subject)
	})
	if part < 0 {
		return nil, 0, fmt.Errorf("%s %s is not in the registry of today, and that of then is not kept; put it back to replay the finding", kind, subject)
	}
	for i := range plan.Shares {
		// A whole fleet is looked at, and without a key the seed hangs on all.
		if i == part || fleet || len(r.in.PseudonymKey) == 0 {
			plan.Shares[i].Records = all.digest(&plan.Shares[i])
		}
	}
	plan.Seed = plan.seed(r.in.PseudonymKey)
	plan.peers()
	r.differs("seed of the pseudonyms (its digest)", then.Seed, digestOf(plan.Seed))
	r.differs("time zone of the site", then.Location, r.in.location().String())
	if len(then.Parts) != len(plan.Shares) {
		r.differs("registry: parts that it makes", fmt.Sprint(len(then.Parts)), fmt.Sprint(len(plan.Shares)))
	} else {
		for i, s := range plan.Shares {
			if s.Records != "" {
				what := fmt.Sprintf("registry, weather or calendar of part %d (digest): %d usage points, %d transformers", i+1, len(s.Points), len(s.Transformers))
				r.differs(what, then.Parts[i].Records, s.Records)
			}
		}
	}
	if fleet {
		part = len(plan.Shares)
	}
	return plan, part, nil
}

// programs compares who judges with who judged.
func (r *replay) programs(judged *Part, detector string) error {
	for _, d := range judged.Detectors {
		if d.Failure != "" && d.Stamp.Detector == detector {
			return fmt.Errorf("detector %s: %s", detector, d.Failure)
		}
		then, _ := r.run.Inputs.stamp(d.Stamp.Detector)
		name := "detector " + d.Stamp.Detector
		r.differs(name+": version", then.Version, d.Stamp.Version)
		r.differs(name+": program (SHA-256)", then.SHA256, d.Stamp.SHA256)
		r.differs(name+": configuration (SHA-256)", then.ConfigHash, d.Stamp.ConfigHash)
	}
	return nil
}

// data compares what the part was given.
func (r *replay) data(plan *Plan, judged *Part) {
	parts := r.run.Inputs.Parts
	if judged.Index < len(parts) && len(parts) == len(plan.Shares) {
		r.differs(fmt.Sprintf("daily features and attributes of part %d (digest)", judged.Index+1), parts[judged.Index].Data, judged.Version)
	}
	r.sameData = len(r.out.Differences) == 0
}

// compare holds what is found again against what was found.
func (r *replay) compare(judged *Part, kind sdk.SubjectKind, subject, detector string) (*Replayed, error) {
	version := r.run.DataVersion
	if slices.ContainsFunc(r.out.Differences, func(d Difference) bool { return d.What[:min(5, len(d.What))] == "daily" }) {
		version = judged.Version
	}
	r.out.Now = stampedWith(version, judged.findingsOf(kind, subject, detector))
	sortFindings(r.out.Now)
	then, err := json.Marshal(r.out.Then)
	if err != nil {
		return nil, fmt.Errorf("findings of then: %w", err)
	}
	now, err := json.Marshal(r.out.Now)
	if err != nil {
		return nil, fmt.Errorf("findings of now: %w", err)
	}
	r.out.Same = bytes.Equal(then, now)
	r.out.Changes, err = changes(r.out.Then, r.out.Now)
	return r.out, err
}

// findingsOf returns what a detector found of a subject in the run.
func (r *Result) findingsOf(kind sdk.SubjectKind, subject, detector string) []Finding {
	out := []Finding{}
	take := func(findings []Finding) {
		for _, f := range findings {
			if f.Stamp.Detector == detector {
				out = append(out, f)
			}
		}
	}
	if kind == sdk.Transformer {
		for i := range r.Transformers {
			if r.Transformers[i].TransformerID == subject {
				take(r.Transformers[i].Findings)
			}
		}
		return out
	}
	for i := range r.UsagePoints {
		if r.UsagePoints[i].UsagePointID == subject {
			take(r.UsagePoints[i].Findings)
		}
	}
	return out
}

// findingsOf returns what a detector found of a subject in the part.
func (p *Part) findingsOf(kind sdk.SubjectKind, subject, detector string) []Finding {
	out := []Finding{}
	take := func(findings []Finding) {
		for _, f := range findings {
			if f.Stamp.Detector == detector {
				out = append(out, f)
			}
		}
	}
	if kind == sdk.Transformer {
		for i := range p.Areas {
			if p.Areas[i].ID == subject {
				take(p.Areas[i].Findings)
			}
		}
		return out
	}
	for i := range p.Points {
		if p.Points[i].ID == subject {
			take(p.Points[i].Findings)
		}
	}
	return out
}
