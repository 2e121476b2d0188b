package host

import (
	"fmt"
	"slices"
	"strings"
)

// Role is a part of the program's work. One process does all of them by
// default; hosts in different security zones do some, joined by the stream and
// the database.
type Role string

// The roles.
const (
	Polling   Role = "poll"    // reads devices into the stream
	Storing   Role = "store"   // historian and curves from the stream
	Detecting Role = "detect"  // imports exports, runs detectors
	Casework  Role = "cases"   // findings become cases
	Serving   Role = "console" // the console and its events
)

// AllRoles lists every role.
func AllRoles() []Role { return []Role{Polling, Storing, Detecting, Casework, Serving} }

// ParseRoles reads a list of roles; none means all.
func ParseRoles(list []string) ([]Role, error) {
	var out []Role
	for _, text := range list {
		role := Role(strings.TrimSpace(text))
		if !slices.Contains(AllRoles(), role) {
			return nil, fmt.Errorf("role %q; give some of %s", text, rolesText(AllRoles()))
		}
		if !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	if len(out) == 0 {
		return AllRoles(), nil
	}
	return out, nil
}

func rolesText(roles []Role) string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = string(r)
	}
	return strings.Join(texts, ", ")
}

// does reports whether this process has the role.
func (h *Host) does(role Role) bool {
	return len(h.opts.Roles) == 0 || slices.Contains(h.opts.Roles, role)
}
