package sim

import (
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// TestMetersLogWhatHappens: every interruption is in the log and dark in the
// curve, the slow meter's cover was opened when it became slow, and hardly any
// other cover was.
func TestMetersLogWhatHappens(t *testing.T) {
	d := district(t, 3, "2026-06-30", 60)
	covers, sealed, failures := 0, 0, 0
	for _, p := range d.points {
		var last time.Time
		for _, e := range d.events(p) {
			if e.at.Before(last) {
				t.Fatalf("%s: the log of the meter is out of order", p.id)
			}
			last = e.at
			date := curve.Date(e.at.Unix() / 86400)
			switch e.code {
			case coverOpened:
				covers++
				if p.recorded == 0 {
					sealed++
				}
				if p.slow != nil && date != d.first+curve.Date(p.slow.from) {
					t.Errorf("%s is slow from day %.1f on and its cover was opened on %s", p.id, p.slow.from, date)
				}
			case powerFailed:
				failures++
				if i := int(e.at.Sub(date.Start(time.UTC)).Hours() / step); p.dayOf(d.env(date)).Metered[i] != 0 {
					t.Errorf("%s: the supply failed at %s and energy was registered", p.id, e.at)
				}
			}
		}
	}
	if n := len(d.areas[0].points); sealed < n-1 {
		t.Errorf("%d of about %d covers were opened to renew the seals", sealed, n)
	}
	if covers-sealed < 2 || covers-sealed > 20 || failures < 20 {
		t.Errorf("%d covers opened and %d failures logged in sixty days of a thousand meters", covers, failures)
	}
	if rows := d.eventRows(); len(rows) < 2*(covers+failures) {
		t.Errorf("%d rows for %d covers and %d failures", len(rows), covers, failures)
	}
}

// TestWorkshopIsWrittenDownAsADwelling: records alone are changed.
func TestWorkshopIsWrittenDownAsADwelling(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "workshop_as_dwelling")
		c := s.point.customer
		if s.point.kind != "workshop" || c.category != "residential" || c.declaredUse != "dwelling" || c.tariffID != "res_tiered" {
			t.Errorf("%s: %+v", s.point.kind, c)
		}
		if s.point.slow != nil || s.point.behind != nil || s.point.recorded != s.point.area {
			t.Error("more than the contract is wrong")
		}
	})
}
