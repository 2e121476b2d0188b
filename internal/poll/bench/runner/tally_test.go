package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// script is a tally of a few devices and a window of ten seconds, to which a
// test writes lines.
type script struct {
	*tally
	list []Device
	from time.Time
}

func newScript(c Case) *script {
	c.N, c.Mode, c.PerGateway = 1000, modeGateway, 200
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	list := c.devices(ports{20000, 26100})
	s := &script{newTally(&c, list, true), list, time.Unix(1_790_000_000, 0)}
	s.begin(s.from, 10*time.Second)
	return s
}

// at is a moment of the window.
func (s *script) at(seconds float64) time.Time {
	return s.from.Add(time.Duration(seconds * float64(time.Second)))
}

// line renders points of a device, served a while before they arrived.
func (s *script) line(device int, seconds, age float64, points ...int) string {
	at := s.at(seconds)
	v := fleet.Values(s.list[device].number, s.at(seconds-age).Unix())
	var b strings.Builder
	for i, p := range points {
		fmt.Fprintf(&b, "%s%s=%s", map[bool]string{true: ",", false: ""}[i > 0], fleet.Quantities()[p], strconv.FormatFloat(v[p], 'g', -1, 64))
	}
	return fmt.Sprintf("meter,device_id=%s,meter_id=%s %s,received=%di %d\n", s.list[device].Name, s.list[device].Name, b.String(), at.UnixNano(), at.UnixNano())
}

func every() []int { return []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9} }

// TestTally is the table of what lines come to.
func TestTally(t *testing.T) {
	for _, c := range []struct {
		name  string
		c     Case
		lines func(s *script) []string
		want  counts
	}{
		{"whole polls", Case{}, func(s *script) []string {
			return []string{s.line(0, 0.5, 0.01, every()...), s.line(1, 0.5, 0.01, every()...), s.line(0, 1.5, 0.9, every()...)}
		}, counts{delivered: 3, lines: 3}},
		{"before the window, after it, and on its edges", Case{}, func(s *script) []string {
			return []string{
				s.line(0, -0.1, 0.01, every()...), s.line(0, 0, 0.01, every()...), s.line(1, 9.99, 0.01, every()...),
				s.line(2, 10, 0.01, every()...),
			}
		}, counts{delivered: 2, lines: 2}},
		{"a poll in pieces, with others between", Case{}, func(s *script) []string {
			return []string{
				s.line(0, 0.5, 0.01, 0, 1, 2), s.line(1, 0.5, 0.01, every()...), s.line(0, 0.6, 0.01, 3, 4, 5, 6), s.line(0, 0.6, 0.01, 7, 8, 9),
			}
		}, counts{delivered: 2, lines: 4}},
		{"a piece is missing", Case{}, func(s *script) []string {
			return []string{s.line(0, 0.5, 0.01, 0, 1, 2, 3, 4, 5, 6, 7, 8), s.line(0, 1.5, 0.01, every()...)}
		}, counts{delivered: 1, bad: 1, badLive: 1, lines: 2}},
		{"the last piece is missing at the end", Case{}, func(s *script) []string {
			return []string{s.line(0, 0.5, 0.01, 1)}
		}, counts{bad: 1, badLive: 1, lines: 1}},
		{"pieces of two polls do not make one", Case{}, func(s *script) []string {
			return []string{s.line(0, 0.5, 0.01, 0, 1, 2, 3, 4), s.line(0, 1.5, 0.01, 5, 6, 7, 8, 9)}
		}, counts{bad: 2, badLive: 2, lines: 2}},
		{"delivered twice", Case{}, func(s *script) []string {
			one, two := s.line(0, 0.5, 0.01, every()...), s.line(0, 1.5, 0.01, every()...)
			return []string{one, two, one, two}
		}, counts{delivered: 2, duplicates: 2, lines: 4}},
		{"a piece delivered twice", Case{}, func(s *script) []string {
			one := s.line(0, 0.5, 0.01, 0, 1, 2, 3, 4)
			return []string{one, one, s.line(0, 0.5, 0.01, 5, 6, 7, 8, 9)}
		}, counts{delivered: 1, duplicates: 1, lines: 3}},
		{"not good", Case{}, func(s *script) []string {
			uncertain := strings.Replace(s.line(0, 0.5, 0.01, every()...), ",received", ",active_power.flags=1i,active_power.quality=1i,received", 1)
			return []string{uncertain}
		}, counts{bad: 1, badLive: 1, lines: 1}},
		{"good, with a flag", Case{}, func(s *script) []string {
			return []string{strings.Replace(s.line(0, 0.5, 0.01, every()...), ",received", ",active_power.flags=1i,received", 1)}
		}, counts{delivered: 1, lines: 1}},
		{"a dead unit", Case{Faults: fleet.Faults{Stall: 1}}, func(s *script) []string {
			var b strings.Builder
			for _, q := range fleet.Quantities() {
				fmt.Fprintf(&b, `%s.flags=128i,%s.quality=0i,%s.detail="unit 1, \"silent\" for 1 s",`, q, q, q)
			}
			at := s.at(0.5).UnixNano()
			return []string{fmt.Sprintf("meter,device_id=dev0000,meter_id=dev0000 %sreceived=%di %d\n", b.String(), at, at)}
		}, counts{bad: 1, lines: 1}},
		{"another device's values", Case{}, func(s *script) []string {
			return []string{strings.Replace(s.line(7, 0.5, 0.01, every()...), "dev0007", "dev0000", 2)}
		}, counts{wrongPolls: 1, wrongValues: 10, lines: 1}},
		{"an answer of two seconds ago", Case{}, func(s *script) []string {
			return []string{s.line(0, 2.5, 2, every()...)}
		}, counts{wrongPolls: 1, wrongValues: 10, lines: 1}},
		{"an answer of the future", Case{}, func(s *script) []string {
			return []string{s.line(0, 2.5, -1, every()...)}
		}, counts{wrongPolls: 1, wrongValues: 10, lines: 1}},
		{"no number", Case{}, func(s *script) []string {
			return []string{strings.Replace(s.line(0, 2.5, 0, every()...), "active_power=", "active_power=x", 1)}
		}, counts{wrongPolls: 1, wrongValues: 1, lines: 1}},
		{"what is no poll", Case{}, func(*script) []string {
			return []string{
				"internal_agent,version=1 a=1 5\n", "meter,device_id=dev9999 active_power=1 5\n", "meter,broken\n",
				"meter,device_id=dev0000 something=1 5\n",
			}
		}, counts{other: 2, unreadable: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(c.c)
			for _, l := range c.lines(s) {
				s.take([]byte(l), s.at(3))
			}
			got := s.end()
			got.bytes = 0
			if got != c.want {
				t.Errorf("%+v\nwant %+v\n%s", got, c.want, strings.Join(s.samples, "\n"))
			}
		})
	}
}

// TestLateStamps: other collectors stamp lines before they have the answers.
func TestLateStamps(t *testing.T) {
	s := newScript(Case{})
	s.strict = false
	s.take([]byte(s.line(0, 2.5, -3, every()...)), s.at(6))
	if n := s.end(); n.delivered != 1 {
		t.Errorf("%+v", n)
	}
}

// TestExplain says whose value was taken for another's.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		line func(s *script) string
		want string
	}{
		{func(s *script) string { return s.line(0, 5.5, 4, every()...) }, "is its own f0 of 4 s before"},
		{func(s *script) string {
			return strings.Replace(s.line(7, 0.5, 0.01, every()...), "dev0007", "dev0000", 2)
		}, "is what device 8 held 0 s before"},
		{func(s *script) string {
			return strings.Replace(s.line(0, 0.5, 0.01, every()...), "active_power=", "active_power=0.001,other=", 1)
		}, "is no value of any device"},
	} {
		s := newScript(Case{})
		s.take([]byte(c.line(s)), s.at(6))
		if len(s.samples) == 0 || !strings.Contains(s.samples[0], c.want) {
			t.Errorf("%q, want %q", s.samples, c.want)
		}
	}
}

// TestGaps looks at the stretches without a poll of devices that answer.
func TestGaps(t *testing.T) {
	s := newScript(Case{Faults: fleet.Faults{Stall: 0.02, Flap: 0.1}})
	var live, flapping int
	for i := range s.devices {
		switch s.c.Faults.Of(s.devices[i].number) {
		case fleet.Live:
			live++
			for second := range 10 {
				if live != 5 || second < 4 || second > 6 { // one misses three polls
					s.take([]byte(s.line(i, float64(second)+0.3, 0.01, every()...)), s.at(3))
				}
			}
		case fleet.Flapping:
			flapping++
		}
	}
	g := s.gaps()
	if g.live != 4*time.Second || g.late != 1 || g.least != 7 || g.most != 10 || g.answer != live || live != 880 || flapping != 100 {
		t.Errorf("%+v, %d live, %d flapping", g, live, flapping)
	}
	if g.flapping != 10*time.Second { // some flapping ones answer all the time, and nothing came of them
		t.Errorf("gap of the flapping ones %v", g.flapping)
	}
	silent := newScript(Case{})
	if g := silent.gaps(); g.live != 10*time.Second || g.late != 1000 || g.least != 0 {
		t.Errorf("nothing arrived: %+v", g)
	}
}
