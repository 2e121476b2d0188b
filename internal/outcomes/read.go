package outcomes

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func columns() textfile.Columns {
	return textfile.Columns{Required: []string{"usage_point_id", "date", "outcome"}, Optional: []string{"choice", "propensity"}}
}

// ReadFile reads inspections.csv (also .gz or .zst). The error is a
// *textfile.Problems that lists everything that is wrong.
func ReadFile(path string, known func(usagePointID string) bool) ([]Inspection, error) {
	src, err := textfile.Open(path)
	if err != nil {
		var problems textfile.Problems
		problems.AddError(path, err)
		return nil, problems.Err()
	}
	defer func() { _ = src.Close() }()
	return Read(path, src, known)
}

// Read reads inspections from a CSV with the columns usage_point_id, date
// (YYYY-MM-DD), outcome (confirmed, innocent, records_error, no_access) and,
// where there, choice (suspicion, which is the default, lot, tip, other) and
// propensity (of the lot). known says which usage points there are; nil takes
// any.
func Read(name string, src io.Reader, known func(usagePointID string) bool) ([]Inspection, error) {
	r := reader{file: name, known: known, seen: make(map[visit]int)}
	lines := textfile.NewLines(name, src)
	if !lines.Next() {
		if lines.Err() == nil {
			r.problems.Add(name, 1, "the file is empty", "its first line names the columns usage_point_id, date, outcome")
		} else {
			r.problems.AddError(name, lines.Err())
		}
		return nil, r.problems.Err()
	}
	if r.header = textfile.ParseHeader(name, lines.Text(), columns(), &r.problems); r.header == nil {
		return nil, r.problems.Err()
	}
	for lines.Next() {
		if len(lines.Text()) > 0 {
			r.row(lines.Number(), lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		r.problems.AddError(name, err)
	}
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	return r.list, nil
}

type visit struct {
	point string
	day   curve.Date
}

type reader struct {
	file     string
	known    func(string) bool
	header   *textfile.Header
	problems textfile.Problems
	seen     map[visit]int // line
	list     []Inspection
	fields   [][]byte
}

func (r *reader) row(line int, text []byte) {
	bad := func(what, mend string) { r.problems.Add(r.file, line, what, mend) }
	fields, err := textfile.SplitCSV(text, r.fields[:0])
	if err != nil {
		bad(err.Error(), "")
		return
	}
	r.fields = fields
	if len(fields) != r.header.Width {
		bad(fmt.Sprintf("has %d fields, the header has %d", len(fields), r.header.Width), "give every column a field")
		return
	}
	field := func(name string) string {
		if i := r.header.At(name); i >= 0 {
			return string(fields[i])
		}
		return ""
	}
	before := r.problems.Len()
	in := Inspection{UsagePointID: field("usage_point_id"), Found: Found(field("outcome")), Choice: Choice(field("choice"))}
	switch {
	case in.UsagePointID == "":
		bad("usage_point_id is empty", "name the point that was inspected")
	case r.known != nil && !r.known(in.UsagePointID):
		bad(fmt.Sprintf("usage point %s is not in the registry", textfile.Quote(in.UsagePointID)), "correct the id, or import the registry first")
	}
	var day sdk.Date
	if err := day.UnmarshalText([]byte(field("date"))); err != nil {
		bad("date "+err.Error(), "")
	}
	in.Day = curve.Date(day)
	switch in.Found {
	case Confirmed, Innocent, RecordsError, NoAccess:
	default:
		bad(fmt.Sprintf("outcome %s is not known", textfile.Quote(string(in.Found))), "it is confirmed, innocent, records_error or no_access")
	}
	if in.Choice == "" {
		in.Choice = BySuspicion
	}
	switch in.Choice {
	case BySuspicion, ByLot, ByTip, ByOther:
	default:
		bad(fmt.Sprintf("choice %s is not known", textfile.Quote(string(in.Choice))), "it is suspicion, lot, tip or other")
	}
	in.Propensity = r.propensity(field("propensity"), in.Choice, bad)
	v := visit{in.UsagePointID, in.Day}
	if first, twice := r.seen[v]; twice {
		bad(fmt.Sprintf("the inspection of %s on %s stands on line %d too", textfile.Quote(in.UsagePointID), in.Day, first), "keep one of them")
	}
	r.seen[v] = line
	if r.problems.Len() == before {
		r.list = append(r.list, in)
	}
}

func (r *reader) propensity(text string, choice Choice, bad func(what, mend string)) float64 {
	switch {
	case text == "" && choice == ByLot:
		bad("propensity is empty for a point that the lot chose", "copy it from the list of gridwarden risk sample")
		return 0
	case text == "":
		return 0
	}
	p, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(p) || p <= 0 || p > 1 {
		bad(fmt.Sprintf("propensity %s is not a probability above 0", textfile.Quote(text)), "copy it from the list of gridwarden risk sample")
		return 0
	}
	if choice != ByLot {
		bad("propensity is given for a point that the lot did not choose", "leave it empty, or write lot as the choice")
	}
	return p
}
