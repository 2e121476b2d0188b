package main

import "testing"

// TestSaving follows a program from its start over calm to a burst and back.
func TestSaving(t *testing.T) {
	s := newSaving(4)
	for i, step := range []struct {
		load float64
		want int
	}{
		{1.8, 4}, {0.1, 4}, {0.1, 4}, {0.1, 1}, {0.1, 1}, // started, then calm
		{0.3, 1}, {0.45, 1}, // more, yet enough for one
		{0.97, 4}, {2.5, 4}, // a burst
		{0.1, 4}, {0.3, 4}, {0.1, 4}, {0.1, 4}, {0.1, 1}, // not calm for long enough at once
	} {
		if got := s.next(step.load); got != step.want {
			t.Errorf("step %d, load %v: %d processors, want %d", i, step.load, got, step.want)
		}
	}
}
