package host

import (
	"slices"
	"testing"
)

func TestParseRoles(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want []Role
	}{
		{nil, AllRoles()},
		{[]string{"poll"}, []Role{Polling}},
		{[]string{" detect", "cases", "detect"}, []Role{Detecting, Casework}},
	} {
		got, err := ParseRoles(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	if _, err := ParseRoles([]string{"poll", "everything"}); err == nil {
		t.Error("a role that is none was taken")
	}
	h := &Host{}
	if !h.does(Serving) {
		t.Error("without roles something is not done")
	}
	h.opts.Roles = []Role{Polling}
	if h.does(Serving) || !h.does(Polling) {
		t.Error("a process with the role poll does not poll alone")
	}
}
