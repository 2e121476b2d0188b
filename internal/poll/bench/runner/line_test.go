package main

import (
	"fmt"
	"strings"
	"testing"
)

func show(l *line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%s|%d", l.measurement, l.device, l.time)
	for _, v := range l.values {
		fmt.Fprintf(&b, "|%s=%s", v.name, v.text)
	}
	return b.String()
}

func TestParseLine(t *testing.T) {
	for text, want := range map[string]string{
		`meter,device_id=dev0001,meter_id=dev0001 active_power=1.5,received=17i 18`: "meter|dev0001|18|active_power=1.5|received=17",
		`meter,device=dev0001,host=a\ b,name=x\,y f0=1,u0=2u`:                       "meter|dev0001|0|f0=1|u0=2",
		`meter f0=-1e-05 -5`: "meter||-5|f0=-1e-05",
		`meter,device=d q.detail="a, b=\"c\" d\\",q.quality=0i 7`:   `meter|d|7|q.detail="a, b=\"c\" d\\"|q.quality=0`,
		`internal_agent,version=1 metrics_written=5i,s="",b=true 9`: `internal_agent||9|metrics_written=5|s=""|b=true`,
		"meter": "", "meter,device=d": "", "meter,device f=1": "", "meter f": "", "meter f=": "", "meter =1 2": "",
		`meter f="open 3`: "", "meter f=1 now": "", "meter f=1,": "", "": "", " ": "",
	} {
		var l line
		err := l.parse([]byte(text))
		if (err != nil) != (want == "") {
			t.Errorf("%s: error %v", text, err)
		} else if err == nil && show(&l) != want {
			t.Errorf("%s\n is %s\nwant %s", text, show(&l), want)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`meter,device_id=dev0001,meter_id=m\ 1 active_power=1.5,a.detail="x, \"y",received=17i 18`))
	f.Add([]byte(`meter\,x,device=d f=1`))
	f.Add([]byte(`m,a=b\\ c="\\" 1`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l line
		if l.parse(text) != nil {
			return
		}
		if len(l.values) == 0 {
			t.Errorf("%q has no field", text)
		}
		for _, v := range l.values {
			v.number()
			if len(v.name) == 0 {
				t.Errorf("%q has a field without a name", text)
			}
		}
	})
}
