package ingest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/gridwarden/gridwarden/internal/textfile"
)

// input is one file with what its header says.
type input struct {
	path    string
	size    int64
	wide    *wideFormat
	long    *longFormat
	parquet bool
}

func (in *input) format() string {
	switch {
	case in.parquet:
		return "Parquet"
	case in.wide != nil:
		return in.wide.name()
	}
	return "long CSV"
}

// open looks at the header of a file and adds it to the inputs.
func (r *reader) open(path string) {
	in := &input{path: path}
	if strings.EqualFold(filepath.Ext(path), ".parquet") {
		info, err := os.Stat(path)
		if err != nil {
			r.problems.Add(path, 0, err.Error(), "name a file that can be read")
			return
		}
		in.parquet, in.size = true, info.Size()
		in.long = &longFormat{file: path}
		r.inputs = append(r.inputs, in)
		return
	}
	src, err := textfile.Open(path)
	if err != nil {
		var problem textfile.Problem
		if !errors.As(err, &problem) {
			problem = textfile.Problem{File: path, What: err.Error(), Mend: "name a file that can be read"}
		}
		r.problems.AddProblem(problem)
		return
	}
	defer func() { _ = src.Close() }()
	in.size = src.Size
	lines := textfile.NewLines(path, src)
	if !lines.Next() {
		if err := lines.Err(); err != nil {
			r.problems.AddError(path, err)
		} else {
			r.problems.Add(path, 1, "the file is empty", "its first line names the columns: meter_id, date, p1 … or meter_id, start, kwh")
		}
		return
	}
	before := r.problems.Len()
	if looksWide(lines.Text()) {
		in.wide = newWideFormat(path, lines.Text(), &r.problems)
	} else {
		in.long = newLongFormat(path, lines.Text(), &r.problems)
	}
	if r.problems.Len() == before {
		r.inputs = append(r.inputs, in)
	}
}

// looksWide tells the two shapes of CSV apart by their header.
func looksWide(header []byte) bool {
	fields, err := textfile.SplitCSV(header, nil)
	if err != nil {
		return false
	}
	for _, f := range fields {
		if bytes.Equal(f, []byte("date")) || bytes.Equal(f, []byte("p1")) {
			return true
		}
	}
	return false
}
