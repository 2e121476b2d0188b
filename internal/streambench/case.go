package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Case is one thing to measure.
type Case struct {
	Name  string
	About string // one line
	// Run measures and reports. An error is for what could not be measured; a
	// limit that is missed is no error.
	Run func(ctx context.Context, r *Report) error
	// Parts run in processes of their own (Report.Part), by name.
	Parts map[string]Part
}

// Part is a piece of a case that runs in a process of its own. What it reports
// becomes the case's; its standard error is shown.
type Part func(ctx context.Context, r *Report, args []string) error

// cases is the list, in the order in which they run.
func cases() []Case {
	return []Case{
		drainCase(), outageCase(), killCase(), scanCase(), judgeCase(), importCase(),
	}
}

// choose returns the cases of the given names, separated by spaces or commas:
// all where there is none, nil for "list".
func choose(names string) ([]Case, error) {
	all := cases()
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' })
	if len(wanted) == 0 {
		return all, nil
	}
	var out []Case
	for _, name := range wanted {
		if name == "list" {
			return nil, nil
		}
		i := slices.IndexFunc(all, func(c Case) bool { return c.Name == name })
		if i < 0 {
			var known []string
			for _, c := range all {
				known = append(known, c.Name)
			}
			return nil, fmt.Errorf("no case %q; there are %s", name, strings.Join(known, ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}
