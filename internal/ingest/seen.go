package ingest

import "github.com/gridwarden/gridwarden/internal/curve"

// seen remembers which meter-days were passed on, with a fingerprint of each,
// in two bytes a day.
type seen struct {
	pages  map[pageKey]*page
	last   *page
	key    pageKey
	meters int // distinct meters that were marked
	marked []uint64
}

// A page holds one date of neighbouring meters, so that files by date and
// files by meter both stay on few of them.
type pageKey struct {
	date  curve.Date
	block int32 // of pageMeters meters
}

const pageMeters = 64

type page [pageMeters]uint16 // 0 is not seen

func newSeen() seen { return seen{pages: make(map[pageKey]*page)} }

func (s *seen) page(key pageKey) *page {
	if s.last == nil || s.key != key {
		p := s.pages[key]
		if p == nil {
			return nil
		}
		s.last, s.key = p, key
	}
	return s.last
}

// has reports whether the day was passed on.
func (s *seen) has(meter int32, date curve.Date) bool {
	p := s.page(pageKey{date, meter / pageMeters})
	return p != nil && p[meter%pageMeters] != 0
}

// day marks the day; first is false where it was marked before, and same says
// whether with the same fingerprint.
func (s *seen) day(meter int32, date curve.Date, mark uint16) (first, same bool) {
	key := pageKey{date, meter / pageMeters}
	p := s.page(key)
	if p == nil {
		p = new(page)
		s.pages[key] = p
		s.last, s.key = p, key
	}
	if was := p[meter%pageMeters]; was != 0 {
		return false, was == mark
	}
	p[meter%pageMeters] = mark
	s.count(meter)
	return true, true
}

// count counts the meter where it is new.
func (s *seen) count(meter int32) {
	at, bit := int(meter/64), uint64(1)<<(meter%64)
	if at >= len(s.marked) {
		s.marked = append(s.marked, make([]uint64, at+1-len(s.marked))...)
	}
	if s.marked[at]&bit == 0 {
		s.marked[at] |= bit
		s.meters++
	}
}
