package textfile

import (
	"bytes"
	"fmt"
	"strings"
)

// SplitCSV appends the fields of one line to dst. Fields may be quoted with
// ", a doubled quote standing for one; they may not span lines. Blanks around
// unquoted fields are dropped.
func SplitCSV(line []byte, dst [][]byte) ([][]byte, error) {
	for {
		if len(line) > 0 && line[0] == '"' {
			field, rest, err := quoted(line[1:])
			if err != nil {
				return dst, err
			}
			dst = append(dst, field)
			if len(rest) == 0 {
				return dst, nil
			}
			line = rest[1:]
			continue
		}
		end := bytes.IndexByte(line, ',')
		if end < 0 {
			return append(dst, bytes.TrimSpace(line)), nil
		}
		dst = append(dst, bytes.TrimSpace(line[:end]))
		line = line[end+1:]
	}
}

// quoted reads a quoted field after its opening quote; rest is empty or
// begins with the comma.
func quoted(line []byte) (field, rest []byte, err error) {
	end := bytes.IndexByte(line, '"')
	if end >= 0 && !bytes.HasPrefix(line[end:], []byte(`""`)) {
		field, rest = line[:end], line[end+1:]
	} else {
		for {
			end = bytes.IndexByte(line, '"')
			if end < 0 {
				return nil, nil, fmt.Errorf("a quoted field is not closed on this line; end it with a quote")
			}
			field = append(field, line[:end]...)
			line = line[end+1:]
			if len(line) == 0 || line[0] != '"' {
				rest = line
				break
			}
			field = append(field, '"')
			line = line[1:]
		}
	}
	if len(rest) > 0 && rest[0] != ',' {
		return nil, nil, fmt.Errorf("text follows the closing quote of a field; double quotes that belong to the text")
	}
	return field, rest, nil
}

// Columns says which column names a file has.
type Columns struct {
	Required []string
	Optional []string
}

// Header is a matched header: where each known column stands.
type Header struct {
	Width int
	names []string
	at    map[string]int
}

// At returns the position of the named column, -1 where the file has none.
func (h *Header) At(name string) int {
	if i, ok := h.at[name]; ok {
		return i
	}
	return -1
}

// Has reports whether the file has the named column.
func (h *Header) Has(name string) bool { return h.At(name) >= 0 }

// Names returns the columns in the order of the file.
func (h *Header) Names() []string { return h.names }

// headerProblems is how many problems of a header are told.
const headerProblems = 50

// ParseHeader matches the first line of file against columns. Every problem
// is added to problems; the header is nil where there was one.
func ParseHeader(file string, line []byte, columns Columns, problems *Problems) *Header {
	fields, err := SplitCSV(line, nil)
	if err != nil {
		problems.Add(file, 1, err.Error(), "")
		return nil
	}
	known := append(append([]string{}, columns.Required...), columns.Optional...)
	if len(fields) == 1 && len(columns.Required) > 1 {
		for _, separator := range []string{";", "\t"} {
			if bytes.Contains(line, []byte(separator)) {
				problems.Add(file, 1, fmt.Sprintf("the columns are separated by %q", separator), "separate them by commas")
				return nil
			}
		}
	}
	before := problems.Len()
	h := &Header{Width: len(fields), at: make(map[string]int, len(fields))}
	for i, field := range fields {
		if problems.Len()-before >= headerProblems {
			return nil // a line of data, or of something else: more says no more
		}
		name := string(field)
		h.names = append(h.names, name)
		switch {
		case name == "":
			problems.Add(file, 1, fmt.Sprintf("column %d has no name", i+1), "name it, or drop the trailing comma")
		case !contains(known, name):
			mend := "the columns are " + strings.Join(known, ", ")
			if near := Nearest(name, known); near != "" {
				mend = fmt.Sprintf("did you mean %s?", near)
			}
			problems.Add(file, 1, fmt.Sprintf("unknown column %s", Quote(name)), mend)
		case h.Has(name):
			problems.Add(file, 1, fmt.Sprintf("column %s stands there twice", name), "drop one of them")
		default:
			h.at[name] = i
		}
	}
	for _, name := range columns.Required {
		if !h.Has(name) {
			problems.Add(file, 1, fmt.Sprintf("column %s is missing", name), "the first line must name "+strings.Join(columns.Required, ", "))
		}
	}
	if problems.Len() > before {
		return nil
	}
	return h
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// Quote returns s in quotes, cut where it is long.
func Quote(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// Nearest returns the candidate closest to s by edit distance, "" where none is near.
func Nearest(s string, candidates []string) string {
	if len(s) < 3 || len(s) > 64 {
		return "" // anything is near to a letter or two
	}
	s = strings.ToLower(s)
	best, bestDistance := "", 1+max(1, len(s)/3)
	for _, c := range candidates {
		if d := distance(s, strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
