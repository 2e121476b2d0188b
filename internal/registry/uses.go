package registry

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// OtherUse is the code of uses that no synonym matched.
const OtherUse = "other"

// Use says what a declared use usually looks like at the meter.
type Use struct {
	Code     string   `yaml:"code"`
	Name     string   `yaml:"name"`
	NameZH   string   `yaml:"name_zh"`
	Synonyms []string `yaml:"synonyms"`

	DailyKWhLow   float64  `yaml:"daily_kwh_low"`   // usual energy of a day, low end
	DailyKWhHigh  float64  `yaml:"daily_kwh_high"`  // … high end
	NightDayRatio float64  `yaml:"night_day_ratio"` // usual highest ratio of mean night (0 to 5 h) to mean day (9 to 17 h) power
	Flat          bool     `yaml:"flat"`            // flat day and night by nature
	OpeningHours  string   `yaml:"opening_hours"`   // typical, such as "09:00-18:00"; "always" or ""
	Registration  bool     `yaml:"registration"`    // may lawfully run data processing only when registered as such
	Categories    []string `yaml:"categories"`      // customer categories in which the use is usual; empty: any
	Source        string   `yaml:"source"`          // where the figures come from
}

// Uses is the catalogue of declared uses. It is safe for concurrent use; a
// nil catalogue knows only "other".
type Uses struct {
	list     []Use
	byCode   map[string]*Use
	synonyms map[string]string // normalised text to code
	phrases  []string          // normalised synonyms, longest first, for matching within a text
}

type usesFile struct {
	Uses []Use `yaml:"uses"`
}

// ParseUses reads a catalogue of uses; problems come as FILE:LINE:COL: what; mend.
func ParseUses(file string, data []byte) (*Uses, error) {
	var content usesFile
	doc, err := strictyaml.Decode(file, data, &content)
	if err != nil {
		return nil, fmt.Errorf("declared uses: %w", err)
	}
	u := &Uses{list: content.Uses, byCode: map[string]*Use{}, synonyms: map[string]string{}}
	for i := range u.list {
		u.add(doc, fmt.Sprintf("$.uses[%d]", i), &u.list[i])
	}
	if u.byCode[OtherUse] == nil {
		doc.Add("$.uses", "there is no use with the code other; add one, it stands for all that no synonym matches")
	}
	if err := doc.Err(); err != nil {
		return nil, fmt.Errorf("declared uses: %w", err)
	}
	for s, code := range u.synonyms {
		if code != OtherUse {
			u.phrases = append(u.phrases, s)
		}
	}
	sort.Slice(u.phrases, func(i, j int) bool {
		if len(u.phrases[i]) != len(u.phrases[j]) {
			return len(u.phrases[i]) > len(u.phrases[j])
		}
		return u.phrases[i] < u.phrases[j]
	})
	return u, nil
}

func (u *Uses) add(doc *strictyaml.Document, path string, use *Use) {
	bad := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) || v < 0 }
	switch {
	case use.Code == "" || strings.Trim(use.Code, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		doc.Add(path, "code %q is not a code; use small letters, digits and _", use.Code)
		return
	case u.byCode[use.Code] != nil:
		doc.Add(path, "code %q stands there twice; give each use once", use.Code)
		return
	case bad(use.DailyKWhLow) || bad(use.DailyKWhHigh) || use.DailyKWhLow > use.DailyKWhHigh:
		doc.Add(path, "daily_kwh_low %v and daily_kwh_high %v are no range; give low ≤ high, in kWh a day", use.DailyKWhLow, use.DailyKWhHigh)
	case bad(use.NightDayRatio):
		doc.Add(path, "night_day_ratio %v cannot be; give a ratio of 0 or more", use.NightDayRatio)
	}
	u.byCode[use.Code] = use
	for _, s := range append([]string{use.Code, use.Name, use.NameZH}, use.Synonyms...) {
		key := normalise(s)
		if key == "" {
			continue
		}
		if other, ok := u.synonyms[key]; ok && other != use.Code {
			doc.Add(path, "synonym %q belongs to %s already; give it to one use", s, other)
			continue
		}
		u.synonyms[key] = use.Code
	}
}

// All returns the uses in the order of the file.
func (u *Uses) All() []Use {
	if u == nil {
		return nil
	}
	return u.list
}

// Use returns the use with this code, nil where there is none.
func (u *Uses) Use(code string) *Use {
	if u == nil {
		return nil
	}
	return u.byCode[code]
}

// Match returns the code for a declared use as it stands in the records: a
// code, a synonym in any spelling of case, width and punctuation, or a text
// that contains a synonym as whole words (the longest wins); else "other".
func (u *Uses) Match(text string) string {
	key := normalise(text)
	if u == nil || key == "" {
		return OtherUse
	}
	if code, ok := u.synonyms[key]; ok {
		return code
	}
	padded := " " + key + " "
	for _, phrase := range u.phrases {
		if isASCII(phrase) {
			if strings.Contains(padded, " "+phrase+" ") {
				return u.synonyms[phrase]
			}
		} else if strings.Contains(key, phrase) { // scripts without blanks between words
			return u.synonyms[phrase]
		}
	}
	return OtherUse
}

// normalise folds width, case, accents' composition and punctuation.
func normalise(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range strings.ToLower(norm.NFKC.String(s)) {
		if strings.ContainsRune(" \t_-/.,;:()'\"&+·、，。（）", r) {
			blank = true
			continue
		}
		if blank && b.Len() > 0 {
			b.WriteByte(' ')
		}
		blank = false
		b.WriteRune(r)
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
