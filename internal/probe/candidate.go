package probe

import (
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Check is one piece of evidence for or against a candidate.
type Check struct {
	Name   string  `json:"name"`
	Passed bool    `json:"passed"`
	Points float64 `json:"points"` // above zero where it speaks for the candidate, below where against
	Detail string  `json:"detail"` // in words, with the values
}

// Value is what a candidate makes of the device's registers.
type Value struct {
	Quantity meter.Quantity `json:"quantity"`
	Number   *float64       `json:"value"` // null where nothing was obtained
	Unit     meter.Unit     `json:"unit"`
	Quality  string         `json:"quality"`
	Detail   string         `json:"detail,omitempty"`

	flags meter.Flags
}

// Text is what a device says of itself.
type Text struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Candidate is a profile, with an order of words and a base, held against the
// device.
type Candidate struct {
	Profile   string        `json:"profile"`
	Device    string        `json:"device"` // maker and model of the profile
	Order     profile.Order `json:"order,omitempty"`
	Base      uint16        `json:"base,omitempty"`
	AsWritten bool          `json:"as_written"` // with the order and base of the profile's file
	// Options are the options of a device that make the profile the candidate.
	Options  map[string]string `json:"options,omitempty"`
	Score    float64           `json:"score"`
	Verdict  Verdict           `json:"verdict"`
	Checks   []Check           `json:"checks"`
	Identity []Text            `json:"identity,omitempty"`
	Values   []Value           `json:"values,omitempty"`

	p          *profile.Profile
	source     *profile.Profile // at the base that it was tried with, in the order of the file
	written    *profile.Profile // as the file has it
	good       map[meter.Quantity]float64
	side       map[meter.Quantity]profile.Side
	step       map[meter.Quantity]float64 // of one count of a register
	answered   int                        // blocks of points
	blocks     int
	recognised bool // by its identity
	speaks     bool // some value speaks for it
	strong     int  // checks passed that chance does not pass
	strange    int  // checks failed that a right profile does not fail
}

// Checks that say nothing of values.
const (
	checkRegisters = "registers"
	checkWritten   = "as written"
)

// add records a check.
func (c *Candidate) add(name string, passed bool, pro, contra float64, format string, args ...any) {
	points := pro
	if !passed {
		points = -contra
	}
	c.Checks = append(c.Checks, Check{Name: name, Passed: passed, Points: points, Detail: fmt.Sprintf(format, args...)})
	c.Score += points
	c.speaks = c.speaks || passed && name != checkRegisters && name != checkWritten
}

// physics records a check of which a device with another register map fails
// most.
func (c *Candidate) physics(name string, passed bool, pro, contra float64, format string, args ...any) {
	c.add(name, passed, pro, contra, format, args...)
	if passed {
		c.strong++
	} else {
		c.strange++
	}
}

// decode fills in what the profile makes of the answers.
func (c *Candidate) decode(w *wire) {
	c.good = make(map[meter.Quantity]float64)
	c.side = make(map[meter.Quantity]profile.Side)
	c.step = make(map[meter.Quantity]float64)
	for group := range c.p.Groups() {
		blocks := c.p.Modbus.Blocks(group)
		for i := range blocks {
			b := &blocks[i]
			c.blocks++
			a := w.known(b)
			if a != nil && a.data != nil {
				c.answered++
			}
			for k := range b.Points {
				c.point(b, k, a)
			}
		}
	}
}

func (c *Candidate) point(b *profile.Block, k int, a *answer) {
	pt := b.Point(k)
	v := Value{Quantity: pt.Quantity, Unit: pt.Quantity.Unit(), Quality: meter.Bad.String()}
	switch {
	case a == nil:
		v.Detail = "not asked for"
	case a.data == nil:
		v.Detail = a.why
	default:
		got, _ := b.Decode(k, a.cut(b), a.at)
		v.Quality, v.Detail, v.flags = got.Quality.String(), got.Detail, got.Flags
		if !math.IsNaN(got.Number) {
			v.Number = &got.Number
		}
		if got.Quality == meter.Good {
			c.good[pt.Quantity] = got.Number
			c.side[pt.Quantity] = pt.Side
			c.step[pt.Quantity] = math.Abs(pt.Scale)
		}
	}
	c.Values = append(c.Values, v)
}

// reread returns what a cumulative quantity shows in a later answer.
func (c *Candidate) reread(later func(*profile.Block) *answer) map[meter.Quantity]again {
	out := make(map[meter.Quantity]again)
	for _, b := range c.cumulative() {
		a := later(b)
		if a == nil || a.data == nil {
			continue
		}
		for k := range b.Points {
			if pt := b.Point(k); pt.Quantity.Cumulative() {
				if got, _ := b.Decode(k, a.cut(b), a.at); got.Quality == meter.Good {
					out[pt.Quantity] = again{got.Number, a.at}
				}
			}
		}
	}
	return out
}

// again is a second value of a register.
type again struct {
	number float64
	at     time.Time
}

// cumulative lists the blocks that hold cumulative registers.
func (c *Candidate) cumulative() []*profile.Block {
	var out []*profile.Block
	for group := range c.p.Groups() {
		blocks := c.p.Modbus.Blocks(group)
		for i := range blocks {
			for k := range blocks[i].Points {
				if blocks[i].Point(k).Quantity.Cumulative() {
					out = append(out, &blocks[i])
					break
				}
			}
		}
	}
	return out
}
