package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// blocks returns the lines that cutting src into blocks of size gives.
func blocks(src io.Reader, size int) (lines []string, err error) {
	b := NewBlocks("f", src, size)
	var buf []byte
	for {
		block, err := b.Next(buf)
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		if block.FirstLine != len(lines)+1 {
			return lines, fmt.Errorf("a block starts at line %d after %d lines", block.FirstLine, len(lines))
		}
		for data := block.Data; len(data) > 0; {
			var line []byte
			line, data = CutLine(data)
			lines = append(lines, string(line))
		}
		buf = block.Data
	}
}

func TestBlocksKeepEveryLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.StringMatching(`[a-z,"äж ]{0,30}`)).Draw(t, "lines")
		text := strings.Join(want, "\n")
		if rapid.Bool().Draw(t, "final newline") && len(want) > 0 {
			text += "\n"
		} else if len(want) > 0 && want[len(want)-1] == "" {
			want = want[:len(want)-1] // an empty last line without its end is none
		}
		var src io.Reader = strings.NewReader(text)
		if rapid.Bool().Draw(t, "byte by byte") {
			src = iotest.OneByteReader(src)
		}
		got, err := blocks(src, rapid.IntRange(1, 50).Draw(t, "size"))
		if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	})
}

func TestBlocksRefuse(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, c := range []struct{ name, text, want string }{
		{"a long line", "a\n" + long + "x\nb\n", "f:2: line is longer than 1048576 bytes"},
		{"a long line at the end", "a\nb\n" + long + "x", "f:3: line is longer than"},
		{"Latin-1", "a\nb\n\xe4\n", "f:3: is not UTF-8"},
		{"UTF-16", "\xff\xfea\x00\n\x00", "f:1: holds a zero byte"},
		{"a zero byte", "a\n\x00\n", "f:2: holds a zero byte"},
	} {
		for _, size := range []int{10, 1 << 16, 4 << 20} {
			if _, err := blocks(strings.NewReader(c.text), size); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s in blocks of %d: error %v, want %s", c.name, size, err, c.want)
			}
		}
	}
	if lines, err := blocks(strings.NewReader("a\n"+long+"\nb"), 10); err != nil || len(lines) != 3 {
		t.Errorf("a line of just the limit: %d lines, %v", len(lines), err)
	}
	broken := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("a\nb\nc\n")))
	if _, err := blocks(broken, 10); err == nil || !strings.Contains(err.Error(), "f:1: cannot be read further") {
		t.Errorf("a failing disk gave %v", err)
	}
}

func TestSplitCSVReadsWhatIsQuoted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.StringMatching(`[a-z",ж;]{0,8}`), 1, 6).Draw(t, "fields")
		var line bytes.Buffer
		for i, f := range want {
			if i > 0 {
				line.WriteByte(',')
			}
			line.WriteString(`"` + strings.ReplaceAll(f, `"`, `""`) + `"`)
		}
		got, err := SplitCSV(line.Bytes(), nil)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %q, %v", line.String(), got, err)
		}
		for i := range got {
			if string(got[i]) != want[i] {
				t.Fatalf("%s: field %d is %q, want %q", line.String(), i, got[i], want[i])
			}
		}
	})
	for line, want := range map[string]string{`a, b ,,"c"`: `["a" "b" "" "c"]`, ``: `[""]`, `,`: `["" ""]`, `"a",`: `["a" ""]`, `a"b`: `["a\"b"]`} {
		if got, err := SplitCSV([]byte(line), nil); err != nil || fmt.Sprintf("%q", got) != want {
			t.Errorf("SplitCSV(%s) = %q, %v; want %s", line, got, err, want)
		}
	}
	for _, line := range []string{`"a`, `"a"b`, `"`, `"""`} {
		if got, err := SplitCSV([]byte(line), nil); err == nil {
			t.Errorf("SplitCSV(%s) = %q, want an error", line, got)
		}
	}
}

func TestProblemsShowTheFirstAndCountTheRest(t *testing.T) {
	var p Problems
	if p.Err() != nil {
		t.Error("no problem is an error")
	}
	for i := range 2500 {
		p.Add("f.csv", i+1, "wrong", "mend it")
	}
	text := p.Err().Error()
	if lines := strings.Split(text, "\n"); len(lines) != 21 || lines[0] != "f.csv:1: wrong; mend it" || lines[20] != "… and 2480 more" {
		t.Errorf("the message is\n%s", text)
	}
	var all Problems
	all.AddError("g", fmt.Errorf("reading: %w", p.Err()))
	all.AddError("g", errors.New("plain"))
	all.AddError("g", nil)
	if all.Len() != 2501 {
		t.Errorf("%d problems, want 2501", all.Len())
	}
}

func TestNearest(t *testing.T) {
	known := []string{"meter_id", "customer_id", "lat", "A"}
	for s, want := range map[string]string{"meterid": "meter_id", "METER_ID": "meter_id", "lng": "", "B": "", "colour": "", "costumer_id": "customer_id"} {
		if got := Nearest(s, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", s, got, want)
		}
	}
}
