package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
)

// Judge runs a detector on one window and returns its completed and checked
// report. A panic in the detector becomes an error that carries the stack.
func Judge(ctx context.Context, d Detector, w *Window) (report *Report, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			report, err = nil, fmt.Errorf("detector panicked: %v\n%s", p, debug.Stack())
		}
	}()
	r := new(Report)
	if err := d.Evaluate(ctx, w, r); err != nil {
		return nil, err
	}
	r.mu.Lock() // a detector that left a goroutine behind must not change it any more under us
	defer r.mu.Unlock()
	r.Complete(w)
	if err := r.Check(w); err != nil {
		return nil, fmt.Errorf("report refused: %w", err)
	}
	return r, nil
}

// Check returns an error where a description cannot be worked with.
func (d *Description) Check() error {
	var errs []error
	if !ValidCode(d.Name) {
		errs = append(errs, fmt.Errorf("name %q; write lower-case letters, digits and \"_\", starting with a letter", clip(d.Name)))
	}
	if d.Version == "" || !text(d.Version) || len(d.Version) > maxCodeBytes {
		errs = append(errs, fmt.Errorf("version %q; give a semantic version such as 1.0.0", clip(d.Version)))
	}
	if !text(d.Summary) {
		errs = append(errs, fmt.Errorf("summary that is not one line of UTF-8 of at most %d bytes", MaxTextBytes))
	}
	switch d.Scope {
	case ScopeUsagePoint, ScopeTransformerArea, ScopeFleet:
	default:
		errs = append(errs, fmt.Errorf("scope %q; use usage_point, transformer_area or fleet", clip(string(d.Scope))))
	}
	for _, q := range d.Quantities {
		if !q.Valid() || q.Cumulative() {
			errs = append(errs, fmt.Errorf("quantity %q; raw curves carry the interval means of package meter, not registers", clip(string(q))))
		}
	}
	for _, f := range d.Features {
		if !f.Valid() {
			errs = append(errs, fmt.Errorf("feature %q is none of Features", clip(string(f))))
		}
	}
	for _, name := range d.Provides {
		if !ValidCode(name) {
			errs = append(errs, fmt.Errorf("provided attribute %q; write lower-case letters, digits and \"_\"", clip(name)))
		}
	}
	for _, name := range slices.Concat(d.Attributes, d.OnlyWith) {
		if !ValidCode(name) {
			errs = append(errs, fmt.Errorf("attribute %q; write lower-case letters, digits and \"_\"", clip(name)))
		}
	}
	if d.Corroborates && d.Scope == ScopeTransformerArea {
		errs = append(errs, errors.New("a detector that only corroborates judges customers; give it scope usage_point or fleet"))
	}
	if d.LookbackDays < 0 {
		errs = append(errs, fmt.Errorf("lookback of %d days; give 0 for all there are or a positive number", d.LookbackDays))
	}
	return errors.Join(errs...)
}
