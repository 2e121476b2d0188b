package accuracy

import (
	"fmt"
	"hash/fnv"
)

// Part is which of the host loads are taken. Whoever chooses a weight, a
// threshold or a rule looks at the development part only; the final part is
// measured once, for the figure that is published.
type Part string

// Parts.
const (
	AllHosts    Part = "all"
	Development Part = "development"
	Final       Part = "final"
)

// PartOf returns the part that a host belongs to, by a hash of its id: one in
// three is kept for the final figure.
func PartOf(id string) Part {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	// The low bits of short, similar ids differ too regularly.
	if x := h.Sum32() * 2654435761; x>>16%3 == 0 {
		return Final
	}
	return Development
}

// ReadHosts reads the loads that injections go into, with the records that a
// utility would hold of them: homes as dwellings, the others as offices.
func ReadHosts(homes, others string, part Part) ([]Load, error) {
	if part != AllHosts && part != Development && part != Final {
		return nil, fmt.Errorf("part %q of the hosts; give development, final or all", part)
	}
	var hosts []Load
	for _, f := range []struct{ file, use, category string }{
		{homes, "dwelling", "residential"}, {others, "office", "commercial"},
	} {
		if f.file == "" {
			continue
		}
		loads, err := ReadWide(f.file)
		if err != nil {
			return nil, err
		}
		for i := range loads {
			if part != AllHosts && PartOf(loads[i].ID) != part {
				continue
			}
			if loads[i].Days < 28 || !(loads[i].MeanKW() > 0.02) {
				continue
			}
			loads[i].DeclaredUse, loads[i].Category = f.use, f.category
			hosts = append(hosts, loads[i])
		}
	}
	return hosts, nil
}
