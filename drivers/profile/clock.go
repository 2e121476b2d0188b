package profile

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Clock says where a device shows its clock. It is read as the quantity
// ClockOffset: how many seconds the device is ahead of the machine that reads
// it. The offset includes the way of the answer and the clock's own step,
// mostly a second.
type Clock struct {
	Table    Table  `yaml:"table"`
	Address  uint16 `yaml:"address"`
	Absolute bool   `yaml:"absolute"` // Modbus.Base is not added

	// Layout lists what the registers hold, first address first. One register
	// each: year, month, day, hour, minute, second, millisecond, weekday and "-"
	// for what does not matter; two bytes of one register: "year|month", the
	// high byte first. A year below 100 is of the century from 2000.
	// Milliseconds without seconds are of the minute. Alone: unix (two
	// registers, unsigned seconds since Epoch) or cp56 (four registers, IEC
	// 60870-5-4 as Schneider Electric lays it out).
	Layout []string `yaml:"layout"`
	BCD    bool     `yaml:"bcd"`   // the fields are binary-coded decimals
	Epoch  string   `yaml:"epoch"` // of unix; 1970-01-01 where absent
	Order  Order    `yaml:"order"` // the profile's where absent
	Zone   string   `yaml:"zone"`  // utc, local (of the machine that reads) or +08:00
	Group  string   `yaml:"group"`
}

// Layouts that stand alone.
const (
	layoutUnix = "unix"
	layoutCP56 = "cp56"
)

// clockField is one part of a date.
type clockField int

const (
	ignored clockField = iota
	year
	month
	day
	hour
	minute
	second
	millisecond
	clockFields
)

// clockReader reads a clock by its layout.
type clockReader struct {
	kind   string // layoutUnix, layoutCP56 or "" for fields
	fields []clockPlace
	bcd    bool
	swaps  uint8
	epoch  int64
	zone   *time.Location // nil: the machine's
}

// clockPlace is where a field lies: one byte, or a register.
type clockPlace struct {
	field    clockField
	at, size int
}

// registers returns how many registers the layout takes.
func (c *Clock) registers() int {
	if len(c.Layout) == 1 {
		switch c.Layout[0] {
		case layoutUnix:
			return 2
		case layoutCP56:
			return 4
		}
	}
	return len(c.Layout)
}

// point is the clock as one of the profile's points.
func (c *Clock) point() ModbusPoint {
	return ModbusPoint{
		Quantity: meter.ClockOffset, Table: c.Table, Address: c.Address, Encoding: clockEncoding,
		Order: c.Order, Scale: 1, Side: Primary, Group: c.Group, registers: c.registers(),
	}
}

// maxClockRegisters bounds a layout, so that a reading can carry it whole.
const maxClockRegisters = 16

// reader compiles the layout, or records what is wrong with it.
func (c *Clock) reader(m *mistakes, at []any) *clockReader {
	r := &clockReader{bcd: c.BCD}
	c.zone(m, at, r)
	epoch, err := time.Parse(time.DateOnly, c.Epoch)
	switch {
	case c.Epoch == "":
	case err != nil:
		m.add(append(at, "epoch"), "write it as 2000-01-01", "epoch %q is not a date", c.Epoch)
	default:
		r.epoch = epoch.Unix()
	}
	if len(c.Layout) == 0 {
		m.add(append(at, "layout"), "list what the registers hold, as in layout: [year, month, day, hour, minute, second]", "layout is missing")
		return r
	}
	if c.registers() > maxClockRegisters {
		m.add(append(at, "layout"), fmt.Sprintf("at most %d", maxClockRegisters), "the layout takes %d registers", c.registers())
	}
	if alone := c.Layout[0]; len(c.Layout) == 1 && (alone == layoutUnix || alone == layoutCP56) {
		r.kind = alone
		r.swaps = c.Order.swaps(4)
		if alone == layoutCP56 {
			r.swaps &= swapBytes
		}
		if c.BCD {
			m.add(append(at, "bcd"), "remove it", "%s is never BCD", alone)
		}
	} else {
		r.swaps = c.Order.swaps(2)
		c.list(m, at, r)
	}
	if c.Epoch != "" && r.kind != layoutUnix {
		m.add(append(at, "epoch"), "remove it", "only the layout unix counts from an epoch")
	}
	return r
}

func (c *Clock) zone(m *mistakes, at []any, r *clockReader) {
	switch strings.ToLower(c.Zone) {
	case "", "utc":
		r.zone = time.UTC
	case "local":
	default:
		t, err := time.Parse("-07:00", c.Zone)
		if err != nil {
			m.add(append(at, "zone"), `write utc, local or an offset as "+08:00"`, "zone is %q", c.Zone)
			return
		}
		_, offset := t.Zone()
		r.zone = time.FixedZone(c.Zone, offset)
	}
}

// list compiles a layout of fields.
func (c *Clock) list(m *mistakes, at []any, r *clockReader) {
	const mend = `take year, month, day, hour, minute, second, millisecond, weekday or -, two bytes as "year|month"; unix and cp56 stand alone`
	var seen [clockFields]int
	for i, item := range c.Layout {
		parts := strings.Split(item, "|")
		for k, name := range parts {
			f, known := fieldOf(strings.TrimSpace(name))
			if !known || len(parts) > 2 {
				m.add(append(at, "layout", i), mend, "%q is no part of a clock", item)
				break
			}
			if f == millisecond && len(parts) == 2 {
				m.add(append(at, "layout", i), "give it a register of its own", "milliseconds do not fit in a byte")
			}
			seen[f]++
			if f != ignored {
				r.fields = append(r.fields, clockPlace{f, 2*i + k, 2 / len(parts)})
			}
		}
	}
	for _, name := range []string{"year", "month", "day", "hour", "minute"} {
		if f, _ := fieldOf(name); seen[f] != 1 {
			m.add(append(at, "layout"), mend, "%s is there %d times, not once", name, seen[f])
		}
	}
	if seen[second] > 1 || seen[millisecond] > 1 || seen[second]+seen[millisecond] == 0 {
		m.add(append(at, "layout"), mend, "a clock has its second, or its millisecond of the minute, once")
	}
}

func fieldOf(name string) (clockField, bool) {
	switch name {
	case "-", "weekday":
		return ignored, true
	case "year":
		return year, true
	case "month":
		return month, true
	case "day":
		return day, true
	case "hour":
		return hour, true
	case "minute":
		return minute, true
	case "second":
		return second, true
	case "millisecond":
		return millisecond, true
	}
	return ignored, false
}

// offset is the clock's reading.
func (r *clockReader) offset(c *converter, raw []byte, received time.Time) Value {
	if received.IsZero() {
		return nothing(meter.Missing, "a clock means nothing without the moment at which it was read")
	}
	at, err := r.time(raw)
	if err != nil {
		return nothing(meter.Implausible, "the device's clock shows no time: %v; set it, or check the layout in the profile", err)
	}
	return c.value(float64(at.Sub(received)) / float64(time.Second))
}

var errClockInvalid = errors.New("the device marks its clock as invalid")

// time returns what the clock shows.
func (r *clockReader) time(raw []byte) (time.Time, error) {
	switch r.kind {
	case layoutUnix:
		c := code(raw, r.swaps)
		if c == 0 || c == 0xFFFFFFFF {
			return time.Time{}, fmt.Errorf("it counts %#x seconds", c)
		}
		t := time.Unix(r.epoch+int64(c), 0).UTC()
		if r.zone == time.UTC {
			return t, nil
		}
		// Such a device counts the seconds of its wall clock.
		return r.date([clockFields]int{year: t.Year(), month: int(t.Month()), day: t.Day(), hour: t.Hour(), minute: t.Minute(), second: t.Second()})
	case layoutCP56:
		var w [4]uint64
		for i := range w {
			w[i] = code(raw[2*i:2*i+2], r.swaps)
		}
		if w[2]&0x80 != 0 {
			return time.Time{}, errClockInvalid
		}
		t, err := r.date([clockFields]int{
			year: int(w[0] & 0x7F), month: int(w[1] >> 8 & 0x0F), day: int(w[1] & 0x1F),
			hour: int(w[2] >> 8 & 0x1F), minute: int(w[2] & 0x3F), second: int(w[3] / 1000), millisecond: int(w[3] % 1000),
		})
		if w[2]&0x8000 != 0 && r.zone != nil {
			t = t.Add(-time.Hour) // summer time, which a fixed zone knows nothing of
		}
		return t, err
	}
	var fields [clockFields]int
	hasSecond := false
	for _, place := range r.fields {
		v, err := r.field(raw, place)
		if err != nil {
			return time.Time{}, err
		}
		fields[place.field] = v
		hasSecond = hasSecond || place.field == second
	}
	if !hasSecond {
		fields[second], fields[millisecond] = fields[millisecond]/1000, fields[millisecond]%1000
	}
	return r.date(fields)
}

// field reads one part of a date.
func (r *clockReader) field(raw []byte, place clockPlace) (int, error) {
	var v uint64
	if place.size == 1 {
		v = uint64(raw[place.at^int(r.swaps&swapBytes)])
	} else {
		v = code(raw[place.at:place.at+2], r.swaps)
	}
	if !r.bcd {
		return int(v), nil
	}
	n, err := digits(v, 4, 10, errBCD)
	if err != nil {
		return 0, fmt.Errorf("%#x is no BCD: %w", v, err)
	}
	return int(n), nil
}

// date puts a date together and refuses what no calendar has.
func (r *clockReader) date(f [clockFields]int) (time.Time, error) {
	if f[year] < 100 {
		f[year] += 2000
	}
	t := time.Date(f[year], time.Month(f[month]), f[day], f[hour], f[minute], f[second], f[millisecond]*1e6, time.UTC)
	if f[year] < 1970 || f[year] > 2199 || t.Month() != time.Month(f[month]) || t.Day() != f[day] ||
		t.Hour() != f[hour] || t.Minute() != f[minute] || t.Second() != f[second] || f[millisecond] > 999 {
		return time.Time{}, fmt.Errorf("%d-%02d-%02d %02d:%02d:%02d is not a date and time", f[year], f[month], f[day], f[hour], f[minute], f[second])
	}
	zone := r.zone
	if zone == nil {
		zone = time.Local //nolint:gosmopolitan // the profile says that the device keeps the machine's time
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone), nil
}
