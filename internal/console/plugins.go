package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
)

type pluginRow struct {
	Plugin
	Label, StateWords, Short string
	Bad                      bool
	Last, Memory, Processors string
	MayRelease               bool
}

// shadowRow is what a detector in shadow mode said in the last run.
type shadowRow struct {
	Label, Name, Failure         string
	Scored, Points, Transformers int
	Also                         int // points where other detectors found something too
	Expected                     string
}

type pluginsView struct {
	NotSetUp bool
	Rows     []pluginRow
	Failed   []string
	Note     string
	Limits   string
	Shadows  []shadowRow
}

func (c *console) plugins(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	v := pluginsView{NotSetUp: c.cfg.Plugins == nil}
	user, _ := userOf(r.Context())
	for _, p := range s.plugins {
		row := c.pluginRow(p, s)
		row.MayRelease = p.State == "quarantined" && c.cfg.Release != nil && mayRelease(user)
		if p.Watched {
			v.Limits = "The program looks at every plugin's processes several times a second: more memory than allowed ends a plugin, more processors hold it up."
		}
		v.Rows = append(v.Rows, row)
	}
	if s.result != nil {
		v.Note = c.resultNote(s)
		for _, f := range s.result.Failed {
			v.Failed = append(v.Failed, in(c.words.detectors, f.Detector)+": "+f.Error)
		}
		v.Shadows = c.shadowRows(s.result)
	}
	c.render(w, r, http.StatusOK, "plugins", "Plugins", v)
}

func (c *console) pluginRow(p Plugin, s *state) pluginRow {
	row := pluginRow{
		Plugin: p, Label: in(c.words.detectors, p.Name), StateWords: orElse(strings.ReplaceAll(p.State, "_", " "), unknown),
		Short: clip(p.SHA256, 13), Bad: p.Error != "",
	}
	if p.Failures > 0 {
		row.StateWords += ", " + plural(p.Failures, "failure", "failures") + " in a row"
	}
	if !p.LastRun.IsZero() {
		row.Last = stamp(p.LastRun, s.now, s.loc)
		if p.LastTook > 0 {
			row.Last += ", took " + briefly(p.LastTook)
		}
	}
	row.Memory, row.Processors = "not known", "not known"
	if p.Watched {
		row.Memory = mebibytes(p.MemoryPeak)
		if p.MemoryLimit > 0 {
			row.Memory += " of " + mebibytes(p.MemoryLimit)
		}
		row.Processors = briefly(p.CPU)
		if p.CPULimit > 0 {
			row.Processors += " on at most " + num3(p.CPULimit)
		}
		if p.Held >= time.Second {
			row.Processors += ", held up for " + briefly(p.Held)
		}
	}
	return row
}

func (c *console) shadowRows(r *index) []shadowRow {
	var out []shadowRow
	for i := range r.Shadow {
		s := &r.Shadow[i]
		row := shadowRow{
			Label: in(c.words.detectors, s.Stamp.Detector), Name: s.Stamp.Detector + " " + s.Stamp.Version, Failure: s.Failure,
			Scored: s.Scored, Points: len(s.UsagePoints), Transformers: len(s.Transformers), Expected: num3(s.Expected),
		}
		for _, p := range s.UsagePoints {
			if a := r.points[p.UsagePointID]; a != nil && len(a.Findings) > 0 {
				row.Also++
			}
		}
		out = append(out, row)
	}
	return out
}

// mayRelease reports whether a user may let a plugin out of quarantine.
func mayRelease(u User) bool { return u.Role == "admin" || slices.Contains(u.Roles, "admin") }

// release lets a plugin out of quarantine.
func (c *console) release(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	user, _ := userOf(r.Context())
	if c.cfg.Release == nil {
		c.missing(w, r, "plugin", name)
		return
	}
	if !mayRelease(user) {
		plain(w, http.StatusForbidden, "only an administrator releases a plugin from quarantine")
		return
	}
	switch err := c.cfg.Release(r.Context(), name, user.Name); {
	case errors.Is(err, ErrNotFound):
		c.missing(w, r, "plugin in quarantine", name)
	case err != nil:
		c.fail(w, r, "The plugin could not be released", err)
	default:
		http.Redirect(w, r, "/plugins", http.StatusSeeOther)
	}
}

// briefly is a duration to three figures or so.
func briefly(d time.Duration) string {
	switch {
	case d < time.Second:
		return withUnit(whole(float64(d.Milliseconds())), "ms")
	case d < time.Minute:
		return withUnit(fixed(d.Seconds(), 1), "s")
	}
	return lasting(d)
}

// mebibytes is a size in the unit that fits.
func mebibytes(n int64) string {
	if n >= 1<<30 {
		return withUnit(fixed(float64(n)/(1<<30), 1), "GiB")
	}
	return withUnit(whole(float64(n)/(1<<20)), "MiB")
}

// shadowFindings are what detectors in shadow mode found at a usage point.
type shadowFinding struct {
	Label, Reason, Probability, Days string
	Evidence                         []evidenceRow
}

func (c *console) shadowFindings(r *index, usagePointID string) []shadowFinding {
	var out []shadowFinding
	for _, p := range r.ShadowsAt(usagePointID) {
		for _, f := range p.Findings {
			row := shadowFinding{
				Label: in(c.words.detectors, f.Stamp.Detector) + " " + f.Stamp.Version, Reason: in(c.words.reasons, f.Reason),
				Probability: riskWords(f.Probability), Days: findingDays(f),
			}
			for _, e := range f.Evidence {
				row.Evidence = append(row.Evidence, evidenceRow{Text: orElse(e.Text, in(c.words.evidence, e.Code)), Value: evidenceValue(e)})
			}
			out = append(out, row)
		}
	}
	return out
}

func findingDays(f detect.Finding) string {
	if f.FirstDay <= 0 || f.LastDay < f.FirstDay {
		return ""
	}
	return span(curve.Date(f.FirstDay), curve.Date(f.LastDay))
}
