package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
)

// Readings is the store of meter-days with their versions, for people who look
// at them or edit them.
func (d *Desk) Readings() curve.EditStore { return d.db.Curves() }

// ErrNotEditor says that a person may not edit readings.
var ErrNotEditor = errors.New("may not edit readings")

// editors may vouch for a value: those who handle cases or inspect, not those
// who look on.
func editors() []access.Role {
	return []access.Role{access.CaseOfficer, access.Inspector, access.StationHead, access.UnitHead, access.CompanyManager, access.Admin}
}

// Editor returns the user who edits readings under this login.
func (d *Desk) Editor(ctx context.Context, login string) (access.User, error) {
	user, err := d.Access.User(ctx, login)
	if errors.Is(err, access.ErrNotFound) {
		return user, fmt.Errorf("%q: %w; `gridwarden users list` shows who there is", login, ErrNotEditor)
	}
	if err != nil {
		return user, fmt.Errorf("user %q: %w", login, err)
	}
	if !slices.ContainsFunc(editors(), user.Has) {
		return user, fmt.Errorf("%s: %w; that is for %v", user.Login, ErrNotEditor, editors())
	}
	return user, nil
}

// LimitsOf returns what the supply of a meter can carry at a moment, by the
// records of the configuration.
func (d *Desk) LimitsOf(ctx context.Context, cfg *config.Config, meterID string, at time.Time) (curve.Limits, error) {
	network, err := d.Records(ctx, cfg)
	if err != nil {
		return curve.Limits{}, err
	}
	return curve.LimitsOf(network, meterID, at), nil
}
