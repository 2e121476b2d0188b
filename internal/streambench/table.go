package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// table prints what cases measured.
func table(w io.Writer, reports []*Report) {
	fmt.Fprintln(w, "| case | what | value | unit | wanted | verdict |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range reports {
		for _, row := range r.Rows {
			wanted, verdict := "", ""
			if row.Bound != "" {
				wanted = string(row.Bound) + " " + figure(row.Limit)
				verdict = "reached"
				switch {
				case r.Small:
					verdict = "little data"
				case row.missed():
					verdict = "MISSED"
				}
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.name, row.Name, figure(row.Value), row.Unit, wanted, verdict)
		}
		if r.failed != nil {
			fmt.Fprintf(w, "| %s | FAILED: %s | | | | |\n", r.name, strings.ReplaceAll(strings.ReplaceAll(r.failed.Error(), "\n", " "), "|", "/"))
		}
	}
	for _, r := range reports {
		for _, note := range r.Notes {
			fmt.Fprintf(w, "\n%s: %s\n", r.name, note)
		}
	}
}

// figure writes a value with some four significant digits, thousands apart.
func figure(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "none"
	}
	if a := math.Abs(v); a < 1000 {
		s := strconv.FormatFloat(v, 'g', 4, 64)
		if strings.Contains(s, "e") {
			s = strconv.FormatFloat(v, 'f', -1, 64)
		}
		return s
	}
	whole := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	return sign + whole
}

// writeResults puts what each case measured into a section of a results file;
// other sections, and what people wrote around them, stay.
func writeResults(path string, reports []*Report) error {
	data, err := os.ReadFile(path) //nolint:gosec // named on the command line
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("results: %w", err)
	}
	text := string(data)
	if text == "" {
		text = "# Results of make bench-streams\n"
	}
	for _, r := range reports {
		text = replaceSection(text, r)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // a file of the repository
		return fmt.Errorf("results: %w", err)
	}
	return nil
}

func replaceSection(text string, r *Report) string {
	begin, end := fmt.Sprintf("<!-- measured: %s -->\n", r.name), fmt.Sprintf("<!-- end of %s -->\n", r.name)
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s; %s on %d processors (%s), %s.\n\n", begin, r.about, r.began.Format(time.DateOnly), runtime.NumCPU(), processor(), runtime.Version())
	table(&b, []*Report{r})
	b.WriteString(end)
	before, rest, there := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !there || !closed {
		return strings.TrimRight(text, "\n") + "\n\n## " + r.name + "\n\n" + b.String()
	}
	return before + b.String() + after
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
