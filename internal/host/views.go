package host

import (
	"context"
	"errors"
	"math"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/console"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// consoleConfig shows the host's services to the console in its own terms.
func (h *Host) consoleConfig() console.Config {
	cfg := console.Config{
		Site:          console.Site{Name: h.cfg.Site.Name, Area: h.cfg.Site.Organisation, Location: h.cfg.Location()},
		Results:       h.db.Results(),
		Network:       h.Network,
		Curves:        h.db.Curves(),
		Access:        accessView{h.access},
		Cases:         caseView{h.cases},
		Loading:       h.loading,
		Devices:       h.deviceView,
		Device:        h.deviceDetail,
		Reloaded:      h.reloadView,
		Plugins:       h.pluginView,
		Release:       func(ctx context.Context, name, by string) error { return h.ReleasePlugin(ctx, name, "user "+by) },
		Backlog:       h.Backlog,
		UseName:       h.useName,
		Hub:           h.hub,
		Sessions:      h.db.Sessions(h.opts.Now),
		SecureCookies: h.cfg.Console.TLSCert != "",
		Threshold:     h.cfg.Cases.Threshold,
		Version:       h.opts.Version,
		Clock:         h.opts.Now,
		Logger:        h.log,
	}
	if h.historian != nil {
		cfg.Historian = historianView{h}
	}
	return cfg
}

// useName is the name of a declared use, "" for a code that is not known.
func (h *Host) useName(code string) string {
	if use := h.reference.Uses.Use(code); use != nil {
		return use.Name
	}
	return ""
}

// loading is the present state of every transformer whose meter is polled.
func (h *Host) loading(context.Context) (map[string]console.Loading, error) {
	network := h.Network()
	out := make(map[string]console.Loading)
	for i := range network.Transformers {
		t := &network.Transformers[i]
		if t.MeterID == "" {
			continue
		}
		kw, at := h.latest.get(t.MeterID, meter.ActivePower)
		if at.IsZero() {
			continue
		}
		kva, _ := h.latest.get(t.MeterID, meter.ApparentPower)
		if math.IsNaN(kva) {
			if pf, _ := h.latest.get(t.MeterID, meter.PowerFactor); pf > 0 && pf <= 1 {
				kva = kw / pf
			}
		}
		hotSpot, _ := h.latest.get(t.MeterID, meter.HotSpotTemperature)
		out[t.ID] = console.Loading{At: at, KW: kw, KVA: kva, HotSpotC: hotSpot}
	}
	return out, nil
}

// historianView says in the console's words how the historian does.
type historianView struct{ h *Host }

// State implements console.Historian.
func (v historianView) State() (string, error) {
	state, err := v.h.HistorianState()
	if state == historian.Works {
		state = "writing"
	}
	return state, err
}

// accessView lets the console check logins.
type accessView struct{ service *access.Service }

// Authenticate implements console.Access.
func (v accessView) Authenticate(ctx context.Context, name, password, remote string) (console.User, error) {
	user, err := v.service.Authenticate(ctx, name, password, remote)
	var throttled *access.ThrottledError
	switch {
	case errors.As(err, &throttled):
		return console.User{}, &console.ThrottledError{RetryAfter: throttled.RetryAfter}
	case errors.Is(err, access.ErrBadLogin):
		return console.User{}, console.ErrBadLogin
	case err != nil:
		return console.User{}, err
	}
	return userView(user), nil
}

// User implements console.Access.
func (v accessView) User(ctx context.Context, name string) (console.User, error) {
	user, err := v.service.User(ctx, name)
	if errors.Is(err, access.ErrNotFound) {
		return console.User{}, console.ErrNotFound
	}
	if err != nil {
		return console.User{}, err
	}
	return userView(user), nil
}

func userView(u access.User) console.User {
	v := console.User{Name: u.Login, DisplayName: u.DisplayName}
	for _, r := range u.Roles {
		v.Roles = append(v.Roles, string(r))
	}
	if len(u.Roles) > 0 {
		v.Role = string(u.Roles[0])
	}
	return v
}

// caseView shows cases.
type caseView struct{ service *cases.Service }

// Cases implements console.CaseSource.
func (v caseView) Cases(ctx context.Context) ([]console.Case, error) {
	list, err := v.service.List(ctx, cases.Filter{})
	if err != nil {
		return nil, err
	}
	out := make([]console.Case, len(list))
	for i := range list {
		out[i] = oneCase(&list[i])
	}
	return out, nil
}

// Case implements console.CaseSource.
func (v caseView) Case(ctx context.Context, id string) (*console.Case, error) {
	c, err := v.service.Get(ctx, id)
	if errors.Is(err, cases.ErrNotFound) {
		return nil, console.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	out := oneCase(c)
	for i := range c.Timeline {
		e := &c.Timeline[i]
		event := console.CaseEvent{At: e.At, What: e.Summary()}
		if e.By != cases.Program {
			event.Actor = e.By
		}
		out.Timeline = append(out.Timeline, event)
	}
	return &out, nil
}

func oneCase(c *cases.Case) console.Case {
	return console.Case{
		ID: c.ID, UsagePointID: c.UsagePointID, CustomerID: c.CustomerID, TransformerID: c.TransformerID,
		State: string(c.State), Risk: c.Risk, Reasons: c.Reasons, Opened: c.Opened, Updated: c.Updated,
	}
}

// Measures implements console.CaseSource.
func (v caseView) Measures(ctx context.Context, id string) (*console.Measures, error) {
	j, err := v.service.Measures(ctx, id)
	if errors.Is(err, cases.ErrNotFound) {
		return nil, console.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	out := &console.Measures{Policy: j.Policy, PolicyHash: j.PolicyHash, FactsAt: j.At}
	for _, m := range j.Measures {
		measure := console.Measure{Code: m.Measure.String(), State: m.State.String(), Text: m.Text}
		if m.State == dueprocess.DoesNotApply {
			measure.State = "not_applicable"
		}
		for _, u := range m.Unmet {
			measure.Unmet = append(measure.Unmet, console.Unmet{Missing: u.Missing, Supplier: u.Supplier, Rule: u.Rule})
		}
		out.List = append(out.List, measure)
	}
	return out, nil
}
