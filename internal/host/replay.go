package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
	"github.com/gridwarden/gridwarden/internal/risk"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Replayer judges stored days again, beside a running host: it stores nothing.
// Close must be called.
type Replayer struct {
	cfg       *config.Config
	db        *sqlstore.DB
	network   *grid.Network
	reference *Reference
	secret    []byte
	programs  *programs
}

// OpenReplayer opens the data of a configuration. builtIn names the built-in
// detectors, serve is the command line that serves them; nil is this program.
func OpenReplayer(ctx context.Context, cfg *config.Config, builtIn, serve []string) (_ *Replayer, err error) {
	secret := secretFile(cfg)
	if _, err := os.Stat(secret); err != nil {
		return nil, fmt.Errorf("the pseudonym key of this installation cannot be read: %w; there is nothing to replay before the first run", err)
	}
	r := &Replayer{cfg: cfg}
	if r.secret, err = pseudonymKey(secret); err != nil {
		return nil, err
	}
	if r.reference, err = LoadReference(); err != nil {
		return nil, err
	}
	if r.programs, err = newPrograms(ctx, cfg, builtIn, serve); err != nil {
		return nil, err
	}
	where, opts := Database(cfg, nil)
	if r.db, err = sqlstore.Open(ctx, where, opts...); err != nil {
		return nil, err
	}
	if r.network, err = r.db.Registry().LoadNetwork(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("registry: %w", err), r.db.Close())
	}
	if r.network == nil {
		return nil, errors.Join(errors.New("no registry is stored yet; run the host with one first"), r.db.Close())
	}
	return r, nil
}

// secretFile is where the pseudonyms' key lies.
func secretFile(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "pseudonym.key") }

// Close closes the database.
func (r *Replayer) Close() error {
	if err := r.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// ReplayOptions say with what a case's findings are judged again.
type ReplayOptions struct {
	WithCurrent bool // take the present program where that of then is missing
	CurrentData bool // the curves as they are now, not as they were
}

// CaseReplay is one finding of a case, judged again.
type CaseReplay struct {
	CaseID    string           `json:"case_id"`
	FindingID string           `json:"finding_id"`
	RunID     string           `json:"run_id"`
	RunAt     time.Time        `json:"run_at"`
	AsOf      time.Time        `json:"as_of"` // the curves as of this time
	Subject   string           `json:"subject"`
	Reason    string           `json:"reason"`
	Stamp     detect.Stamp     `json:"stamp"`
	Replayed  *detect.Replayed `json:"replayed,omitempty"`
	Error     string           `json:"error,omitempty"` // why it could not be judged again
}

// Case judges the findings of a case again, each from the run that made it.
func (r *Replayer) Case(ctx context.Context, id string, o ReplayOptions) ([]CaseReplay, error) {
	c, err := r.db.Cases().Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", id, err)
	}
	var out []CaseReplay
	for i := range c.Findings {
		f := &c.Findings[i]
		one := CaseReplay{
			CaseID: id, FindingID: f.ID, RunID: runOf(c, f.ID), Subject: f.Detail.Subject, Reason: f.Reason, Stamp: f.Detail.Stamp,
		}
		if err := r.finding(ctx, &one, f.Detail.Kind, o); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			one.Error = err.Error()
		}
		out = append(out, one)
	}
	return out, nil
}

// runOf finds the run from which a finding came into a case.
func runOf(c *cases.Case, finding string) string {
	run := ""
	for i := range c.Timeline {
		e := &c.Timeline[i]
		if e.Opened != nil && slices.ContainsFunc(e.Opened.Findings, func(f cases.Finding) bool { return f.ID == finding }) {
			run = e.Opened.Assessment.RunID
		}
		if e.Finding != nil && e.Finding.Finding.ID == finding {
			run = e.Finding.Assessment.RunID
		}
	}
	return run
}

// finding judges one finding again.
func (r *Replayer) finding(ctx context.Context, out *CaseReplay, kind sdk.SubjectKind, o ReplayOptions) error {
	run, err := r.db.Results().Result(ctx, out.RunID)
	if err != nil {
		return fmt.Errorf("run %s: %w", out.RunID, err)
	}
	if run == nil {
		return fmt.Errorf("run %s is not stored any more, and with it what it was given; a backup of its time has it", out.RunID)
	}
	out.RunAt = run.At
	if run.Inputs == nil {
		return detect.ErrNoInputs
	}
	stamps, ok := run.Inputs.Needed(out.Stamp.Detector)
	if !ok {
		return fmt.Errorf("detector %s did not judge in run %s", out.Stamp.Detector, out.RunID)
	}
	launched, err := r.programs.then(ctx, stamps, o.WithCurrent)
	if err != nil {
		return err
	}
	defer launched.close()
	in := r.input()
	in.Evaluators, in.Calibration = launched.evaluators, run.Calibration
	// A run reads for a while: days that came meanwhile are in or not.
	for _, at := range []time.Time{run.Inputs.Began, run.At} {
		out.AsOf = at
		if in.Curves = r.db.Curves().AsOf(at); o.CurrentData {
			in.Curves, out.AsOf = r.db.Curves(), time.Time{}
		}
		if out.Replayed, err = detect.Replay(ctx, in, run, kind, out.Subject, out.Stamp.Detector); err != nil {
			return err
		}
		if out.Replayed.Same || o.CurrentData {
			break
		}
	}
	return nil
}

// input is what judging needs, without days, curves and detectors.
func (r *Replayer) input() detect.Input {
	return detect.Input{
		Network: r.network, Location: r.cfg.Location(), Uses: r.reference.Uses, Tariffs: r.reference.Tariffs,
		Prior: r.cfg.Risk.Prior, Calibration: risk.Calibration(r.cfg.Risk.Calibration), PseudonymKey: r.secret,
	}
}

// Candidate is a version of a detector that is tried on past days.
type Candidate struct {
	Detector string
	Plugin   string // path of its program; empty takes the one that is kept or configured
	SHA256   string // of the program; "" takes the configured one, out of shadow mode
	First    curve.Date
	Last     curve.Date // both 0: the span of a nightly run
	Days     int        // the last so many days; 0: all
	Progress func(detect.Progress)
}

// Detector runs a candidate over past days beside what runs now, and compares.
func (r *Replayer) Detector(ctx context.Context, c Candidate) (*detect.Comparison, error) {
	in := r.input()
	in.Curves, in.Progress = r.db.Curves(), c.Progress
	if err := r.span(ctx, &c, &in); err != nil {
		return nil, err
	}
	present, candidate, err := r.programs.pair(ctx, c)
	if err != nil {
		return nil, err
	}
	defer present.close()
	defer candidate.close()
	in.Evaluators, in.Shadow = present.evaluators, r.cfg.Plugins.Shadow
	then, err := detect.Run(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("what runs now: %w", err)
	}
	named := func(e detect.Evaluator) bool { return e.Describe().Name == c.Detector }
	in.Evaluators = append(slices.DeleteFunc(slices.Clone(present.evaluators), named), candidate.evaluators...)
	in.Shadow = slices.DeleteFunc(slices.Clone(in.Shadow), func(name string) bool { return name == c.Detector })
	now, err := detect.Run(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("the candidate: %w", err)
	}
	return detect.Compare(then, now, c.Detector, r.cfg.Cases.Threshold)
}

// span puts the days to look at into the input.
func (r *Replayer) span(ctx context.Context, c *Candidate, in *detect.Input) error {
	first, last, ok, err := r.db.Curves().Span(ctx)
	if err != nil {
		return fmt.Errorf("span of the curves: %w", err)
	}
	if !ok {
		return ErrNoDays
	}
	in.First, in.Last = first, last
	if c.Last != 0 {
		in.Last = min(last, c.Last)
	}
	switch {
	case c.First != 0:
		in.First = max(first, c.First)
	case c.Days > 0:
		in.First = max(first, in.Last-curve.Date(c.Days)+1)
	default:
		in.First = max(first, in.Last-curve.Date(r.cfg.Detection.LookbackDays)+1)
	}
	if in.First > in.Last {
		return fmt.Errorf("no closed day lies in that span; days from %s to %s are stored", first, last)
	}
	return nil
}

// sumOf is the SHA-256 of a program.
func sumOf(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the program itself or one that the user names
	if err != nil {
		return "", fmt.Errorf("reading a program: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// storeOf opens the store of programs.
func storeOf(cfg *config.Config) (*pluginstore.Store, error) {
	store, err := pluginstore.Open(cfg.StoreDir())
	if err != nil {
		return nil, fmt.Errorf("the store of programs: %w", err)
	}
	return store, nil
}
