package textfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Looking at eight bytes at once tells what looking at each one does.
func TestPlainIsASCIIWithoutZeros(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.SampledFrom([]byte("abc,.\n\x7f")), 0, 70).Draw(t, "data")
		if at := rapid.IntRange(-1, len(data)-1).Draw(t, "at"); at >= 0 {
			data[at] = rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff, 'x'}).Draw(t, "byte")
		}
		want := true
		for _, c := range data {
			want = want && c != 0 && c < 0x80
		}
		if got := plain(data); got != want {
			t.Fatalf("plain(%q) is %v", data, got)
		}
	})
}

func TestLongLine(t *testing.T) {
	line := strings.Repeat("x", MaxLine)
	for _, tc := range []struct {
		text string
		want bool
	}{
		{"", false}, {line, false}, {line + "x", true}, {line + "\n", false}, {line + "\n" + line, false}, {line + "\n" + line + "x", true},
		{line + "x\n", true}, {"a\n" + line + "\nb\n", false}, {"a\n" + line + "x\nb\n", true}, {strings.Repeat("\n", 3*MaxLine), false},
	} {
		if got := longLine([]byte(tc.text)); got != tc.want {
			t.Errorf("%d bytes: %v, want %v", len(tc.text), got, tc.want)
		}
	}
}

// FuzzBlocks cuts what comes into small blocks: put together again they are
// the file, whole lines each and rightly numbered; else the fault is named.
func FuzzBlocks(f *testing.F) {
	for _, seed := range []string{"", "\n", "a,b\n1,2\n", "\xef\xbb\xbfa\r\nb", "a\x00b\n", "\xff\xfea\x00", strings.Repeat("row\n", 200), "zoë,ゼロ\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks := NewBlocks("a.csv", bytes.NewReader(data), 100)
		want := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		var got []byte
		var buf []byte
		for {
			block, err := blocks.Next(buf)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				var problem Problem
				if !errors.As(err, &problem) || problem.Line != 1+bytes.Count(got, newline)+faultIn(want[len(got):]) {
					t.Fatalf("error %v after %d bytes", err, len(got))
				}
				return
			}
			if block.FirstLine != 1+bytes.Count(got, newline) {
				t.Fatalf("a block begins with line %d after %d lines", block.FirstLine, bytes.Count(got, newline))
			}
			got = append(got, block.Data...)
			if len(got) < len(want) && !bytes.HasSuffix(got, newline) {
				t.Fatalf("a block ends within a line, after %d bytes", len(got))
			}
			buf = block.Data
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of %d came through", len(got), len(want))
		}
		if !utf8.Valid(got) || bytes.IndexByte(got, 0) >= 0 {
			t.Fatal("what is no text came through")
		}
	})
}

// faultIn returns how many lines stand before the first that is no text.
func faultIn(data []byte) int {
	for i, line := range bytes.Split(data, newline) {
		if bytes.IndexByte(line, 0) >= 0 || !utf8.Valid(line) || len(line) > MaxLine {
			return i
		}
	}
	return -1
}

func FuzzSplitCSV(f *testing.F) {
	for _, seed := range []string{"", ",", `"a","b ""c""",d`, `"open`, `"a"b,c`, " a , b "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		fields, err := SplitCSV(bytes.Clone(line), nil)
		if err != nil {
			return
		}
		// Quoted again, the fields are the same.
		var again bytes.Buffer
		for i, field := range fields {
			if i > 0 {
				again.WriteByte(',')
			}
			again.WriteString(`"` + strings.ReplaceAll(string(field), `"`, `""`) + `"`)
		}
		back, err := SplitCSV(again.Bytes(), nil)
		if err != nil || len(back) != len(fields) {
			t.Fatalf("%q gave %d fields, %q gives %d: %v", line, len(fields), again.Bytes(), len(back), err)
		}
		for i := range back {
			if !bytes.Equal(back[i], fields[i]) {
				t.Fatalf("field %d of %q is %q and %q", i, line, fields[i], back[i])
			}
		}
	})
}
