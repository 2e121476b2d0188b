package curve

import (
	"testing"
	"time"
)

// household is a day of 96 quarters as an AMI export has them: watt-hours of a
// load that varies, nothing missing.
func household() *Day {
	d := dayOf(4, 24, func(int) float64 { return 0 })
	state := uint64(7)
	for i := range d.EnergyKWh {
		state = state*6364136223846793005 + 1442695040888963407
		d.EnergyKWh[i] = float64(60+state>>33%400) / 1000
	}
	return d
}

// BenchmarkEncode measures what storing a meter-day costs before the store.
func BenchmarkEncode(b *testing.B) {
	d := household()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = Encode(buf[:0], d)
	}
}

// BenchmarkDecode measures what reading one costs.
func BenchmarkDecode(b *testing.B) {
	data := Encode(nil, household())
	var d Day
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(&d, "M", 20000, data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompute measures the daily features of a meter-day.
func BenchmarkCompute(b *testing.B) {
	d := household()
	b.ReportAllocs()
	for b.Loop() {
		Compute(d)
	}
}

// BenchmarkVEE measures validation and estimation of a day that needs none.
func BenchmarkVEE(b *testing.B) {
	d := household()
	limits := Limits{ContractedKVA: 10, RatedKVA: 400}
	var counts Counts
	b.ReportAllocs()
	for b.Loop() {
		VEE(d, limits, &counts)
	}
}

// BenchmarkBuild measures making a curve of a working set, as every closing
// and every interval of a day in progress needs.
func BenchmarkBuild(b *testing.B) {
	d := fullWork()
	r := &ruler{limits: func(time.Time) Limits { return Limits{ContractedKVA: 10} }, location: time.UTC}
	b.ReportAllocs()
	for b.Loop() {
		d.build("M", r, false)
	}
}

// BenchmarkWorkState measures storing a working set, as every Save needs.
func BenchmarkWorkState(b *testing.B) {
	d := fullWork()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendWork(buf[:0], d)
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}

// fullWork is the working set of a day that was polled every ten seconds for a
// register, three voltages and three currents.
func fullWork() *workDay {
	begin := time.Unix(20000*86400, 0)
	d := newWorkDay(20000, begin, begin.Add(24*time.Hour), 15*time.Minute)
	state, register := uint64(7), 12345.0
	for at := time.Duration(0); at < 24*time.Hour; at += 10 * time.Second {
		state = state*6364136223846793005 + 1442695040888963407
		ms := d.at(begin.Add(at).UnixMilli() + int64(state>>60))
		register += float64(state>>33%10) / 1000
		d.addRegister(point{v: round(register, 3), at: ms})
		for code := range 7 {
			if code != 3 {
				d.addMean(code, sampleOf(point{v: round(229+float64(state>>(33+code)%30)/10, 1), at: ms}))
			}
		}
	}
	d.before = point{v: 12344.5, at: uint32(margin - 5000)}
	d.after = point{v: round(register+0.2, 3), at: d.at(d.end)}
	return d
}
