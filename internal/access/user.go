package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Role says for whom a person acts. Codes are stable: they stand in the store.
type Role string

// Roles.
const (
	Viewer         Role = "viewer"
	ControlRoom    Role = "control_room"
	CaseOfficer    Role = "case_officer"
	Inspector      Role = "inspector"
	StationHead    Role = "station_head"
	UnitHead       Role = "unit_head"
	CompanyManager Role = "company_manager"
	Executive      Role = "executive"
	Auditor        Role = "auditor"
	Admin          Role = "admin"
)

// Roles returns every role.
func Roles() []Role {
	return []Role{Viewer, ControlRoom, CaseOfficer, Inspector, StationHead, UnitHead, CompanyManager, Executive, Auditor, Admin}
}

// ParseRole reads a role's code.
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles(), Role(s)) {
		return Role(s), nil
	}
	var codes []string
	for _, r := range Roles() {
		codes = append(codes, string(r))
	}
	return "", fmt.Errorf("%q is not a role; write one of %s", s, strings.Join(codes, ", "))
}

// User is a person who may come in. The password hash never leaves the package
// and the store.
type User struct {
	Login       string // lower case, unique
	DisplayName string // for people; the login where none was given
	Roles       []Role // at least one
	Created     time.Time
	Disabled    bool // may not come in; kept, since old acts carry the login
}

// Has reports whether the user has a role.
func (u User) Has(r Role) bool { return slices.Contains(u.Roles, r) }

// maxLogin bounds a login name, in bytes.
const maxLogin = 64

// NormalLogin returns the one form of a login name, so that equal-looking names
// are one name: NFKC, lower case, no surrounding space.
func NormalLogin(s string) string {
	if len(s) > 4*maxLogin {
		s = s[:4*maxLogin] // longer than any login that exists, whatever it is
	}
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(s)))
}

// checkLogin says what is wrong with a login name in its normal form.
func checkLogin(login string) error {
	bad := strings.IndexFunc(login, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-' && r != '_'
	})
	if login == "" || len(login) > maxLogin || bad >= 0 {
		return fmt.Errorf("login %q: %w: write 1 to %d letters, digits, dots, dashes or underscores", login, ErrInvalid, maxLogin)
	}
	return nil
}
