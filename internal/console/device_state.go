package console

import (
	"strings"
	"time"
)

type pollState string

const (
	waitingState   pollState = "waiting" // not read yet, and not late
	answeringState pollState = "answering"
	failingState   pollState = "failing" // the last read failed, wholly or in part
	silentState    pollState = "silent"  // nothing good for too long
	neverState     pollState = "never answered"
)

type deviceState struct {
	Device
	state pollState
	late  bool // nothing complete for too long
	age   time.Duration
}

// judge says how a device does, by what the poller says of it and by the time
// since its last complete read.
func judge(d Device, now time.Time) deviceState {
	s := deviceState{Device: d, state: answeringState, age: now.Sub(d.LastGood)}
	old := max(3*d.Interval, 10*time.Second)
	s.late = d.LastGood.IsZero() || s.age > old
	switch {
	case d.State == "waiting" && now.Sub(d.Since) <= old:
		s.state = waitingState
	case d.State == "failing":
		s.state = failingState
	case d.LastGood.IsZero():
		s.state = neverState
	case s.late || d.State == "silent":
		s.state = silentState
	case d.LastError != "":
		s.state = failingState
	}
	return s
}

// abnormal reports whether someone has to see to the device.
func (d *deviceState) abnormal() bool {
	return d.state == silentState || d.state == neverState || d.state == failingState && d.late
}

// severity orders states, what needs a look first.
func (p pollState) severity() int {
	switch p {
	case neverState:
		return 4
	case silentState:
		return 3
	case failingState:
		return 2
	case waitingState:
		return 1
	}
	return 0
}

// glyph names the shape of a state.
func (p pollState) glyph() string {
	switch p {
	case answeringState:
		return "ok"
	case failingState:
		return "failing"
	case waitingState:
		return "waiting"
	}
	return "silent"
}

// words say the state, and for how long it has lasted where that matters.
func (d *deviceState) words(s *state) string {
	switch d.state {
	case waitingState:
		return "not read yet"
	case answeringState:
		return "answering"
	case failingState:
		if !d.late {
			return "last read failed"
		}
		if d.LastGood.IsZero() {
			return "no good read yet"
		}
		return "failing for " + ago(d.LastGood, s.now)
	case silentState:
		return "silent for " + ago(d.LastGood, s.now)
	}
	return "never answered"
}

// next says when a device is tried again, "" where that goes without saying.
func (d *deviceState) next(now time.Time) string {
	switch {
	case d.NextProbe.IsZero():
		return ""
	case d.NextProbe.After(now):
		return "next probe in " + lasting(d.NextProbe.Sub(now))
	}
	return "being probed"
}

// failure is a failed read in words: what went wrong and what to do.
type failure struct{ What, Mend string }

// failures takes a message of a driver, "device ID: what; mend" a line, apart.
func failures(id, message string) []failure {
	var out []failure
	for line := range strings.Lines(message) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "device "+id+": ")
		if line == "" {
			continue
		}
		f := failure{What: line}
		if at := strings.LastIndex(line, "; "); at > 0 {
			f.What, f.Mend = line[:at], sentence(line[at+2:])
		}
		f.What = sentence(f.What)
		out = append(out, f)
	}
	return out
}

// deviceAlarms names each device that needs someone while they are few, else
// counts them: a dead gateway must not flood the list.
func (s *state) deviceAlarms() []alarm {
	var list []deviceState
	failing := false
	for _, d := range s.devices {
		if d.abnormal() {
			list = append(list, d)
			failing = failing || d.state == failingState
		}
	}
	if len(list) > 3 {
		what, href := " silent", "/devices?state=silent"
		if failing {
			what, href = " silent or failing", "/devices"
		}
		return []alarm{{Priority: 2, What: plural(len(list), "device", "devices") + what,
			Why: "Of " + count(len(s.devices)) + " polled. First: " + list[0].ID + ", " + clip(orElse(list[0].LastError, "no answer"), 100), Href: href}}
	}
	var out []alarm
	for _, d := range list {
		why, what := "Never answered", " silent"
		if d.state == failingState {
			why, what = "No good read yet", " failing"
		}
		if !d.LastGood.IsZero() {
			why = "Since " + stamp(d.LastGood, s.now, s.loc)
		}
		if d.LastError != "" {
			why += ": " + clip(d.LastError, 120)
		}
		out = append(out, alarm{Priority: 2, What: d.ID + what, Why: why, Href: href("devices", d.ID)})
	}
	return out
}
