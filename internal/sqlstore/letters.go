package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// fullLetter is from how many bytes of meters on a letter ends; messages stay
// below 60 KB.
const fullLetter = 48 << 10

// letters collects which meters' days changed, by date and how.
type letters struct {
	lists map[letterKind][]byte // the meters in JSON, each after a comma
	full  []Letter
}

type letterKind struct {
	date     curve.Date
	rule     string
	reopened bool
}

// dayLetter is what a letter of METER_DAYS says: these meters' days were
// closed or, where it is reopened, are open again. Rule is that of the days'
// origin. Detection sees the days of meters once they are closed.
type dayLetter struct {
	Date     curve.Date      `json:"date"`
	Rule     string          `json:"rule"`
	Reopened bool            `json:"reopened,omitempty"`
	Meters   json.RawMessage `json:"meters"`
}

func (l *letters) add(date curve.Date, a announcement) error {
	if l.lists == nil {
		l.lists = map[letterKind][]byte{}
	}
	kind := letterKind{date, a.rule, a.reopened}
	l.lists[kind] = appendJSONString(append(l.lists[kind], ','), a.meterID)
	if len(l.lists[kind]) >= fullLetter {
		return l.end(kind)
	}
	return nil
}

// end makes a letter of a list.
func (l *letters) end(kind letterKind) error {
	list := l.lists[kind]
	list[0] = '[' // in the place of the first comma
	data, err := json.Marshal(dayLetter{kind.date, kind.rule, kind.reopened, append(list, ']')})
	if err != nil {
		return fmt.Errorf("letter about %s: %w", kind.date, err)
	}
	l.full = append(l.full, Letter{Topic: topicMeterDays, Key: kind.date.String(), MsgID: rand.Text(), Data: data})
	delete(l.lists, kind)
	return nil
}

func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // not for a string
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// postLetters writes the letters into the outbox: those that are full, or all.
func (t *curvesTx) postLetters(ctx context.Context, all bool) error {
	if all {
		kinds := slices.SortedFunc(maps.Keys(t.letters.lists), func(a, b letterKind) int { return int(a.date - b.date) })
		for _, kind := range kinds {
			if err := t.letters.end(kind); err != nil {
				return err
			}
		}
	}
	if len(t.letters.full) == 0 {
		return nil
	}
	out := t.letters.full
	t.letters.full = nil
	if err := t.post(ctx, out); err != nil {
		return fmt.Errorf("store letters: %w", err)
	}
	return nil
}
