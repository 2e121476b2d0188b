package main

import (
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// fleet makes the readings of devices that are polled once a second: ten
// quantities each, of registers as meters have them: counters in watt-hours,
// words in tenths and hundredths, floats of 32 bits.
type fleet struct {
	devices int
	start   time.Time
	ids     []string
	meters  []string
}

const perDevice = 10 // quantities

func newFleet(devices int, start time.Time) *fleet {
	f := &fleet{devices: devices, start: start.UTC()}
	for i := range devices {
		f.ids = append(f.ids, fmt.Sprintf("tx-%03d/unit-%d", i/40, i%40))
		f.meters = append(f.meters, fmt.Sprintf("M%07d", 4_100_000+i*37))
	}
	return f
}

// appendPoll appends what one device says in one second. Times differ by
// device, as those of polls do.
func (f *fleet) appendPoll(out []meter.Reading, second, device int) []meter.Reading {
	at := f.start.Add(time.Duration(second)*time.Second + time.Duration(device)*1_999_993%time.Second)
	phase := float64(second)/600 + float64(device)
	wave := math.Sin(phase)
	power := float32(3.2 + 2.7*wave + float64(device%17)/10)
	add := func(q meter.Quantity, v float64) {
		out = append(out, meter.Reading{
			DeviceID: f.ids[device], MeterID: f.meters[device], Quantity: q, Value: v,
			EventTime: at, ReceiveTime: at.Add(3 * time.Millisecond), Quality: meter.Good,
		})
	}
	add(meter.ActiveEnergyImport, float64(12_345_678+device*1000+second*3)/1000)
	add(meter.ActiveEnergyExport, float64(device)/1000)
	add(meter.ActivePower, float64(power))
	add(meter.ReactivePower, float64(power*0.21))
	add(meter.VoltageA, float64(2300+int(40*wave))/10)
	add(meter.VoltageB, float64(2310+int(35*wave))/10)
	add(meter.VoltageC, float64(2305+int(38*wave))/10)
	add(meter.CurrentA, float64(int(power*450))/100)
	add(meter.Frequency, float64(5000+second%7-3)/100)
	add(meter.PowerFactor, float64(float32(0.97+0.02*wave)))
	return out
}

// seconds returns everything of a span.
func (f *fleet) seconds(from, to int) []meter.Reading {
	out := make([]meter.Reading, 0, (to-from)*f.devices*perDevice)
	for second := from; second < to; second++ {
		for device := range f.devices {
			out = f.appendPoll(out, second, device)
		}
	}
	return out
}
