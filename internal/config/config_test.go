package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each folder of testdata/cases holds a config.yaml; with an expected.err it
// must be refused with exactly those lines, without one it must be accepted.
func TestCases(t *testing.T) {
	dirs, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(dirs) < 5 {
		t.Fatalf("found %d cases, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("config.yaml", data)
			want, readErr := os.ReadFile(filepath.Join(dir, "expected.err"))
			switch {
			case readErr != nil && err != nil:
				t.Fatalf("refused a good file:\n%v", err)
			case readErr == nil && err == nil:
				t.Fatalf("accepted a bad file; want\n%s", want)
			case readErr == nil && err.Error() != strings.TrimSpace(string(want)):
				t.Fatalf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

func TestDefaultsAndPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "g.yaml")
	if err := os.WriteFile(file, []byte("data_dir: store\ndevices: [{id: A, url: 'modbus://h:1/1', profile: p}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != filepath.Join(dir, "store") {
		t.Errorf("data_dir %q is not taken from the file's folder", c.DataDir)
	}
	d := c.Devices[0]
	if d.MeterID != "A" || d.Interval != time.Second || d.Mode != "poll" {
		t.Errorf("device defaults not filled: %+v", d)
	}
	if c.Risk.Prior != 0.01 || c.Cases.Threshold != 0.5 || c.Console.Listen != "127.0.0.1:8480" {
		t.Errorf("defaults not filled: %+v", c)
	}
}

// TestPaths takes relative paths from the folder of the file that names them.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	c, err := Load(put("g.yaml", `
data_dir: store
opcua: {certificate: own.der, key: /etc/own.pem}
devices: [{id: A, url: 'opc.tcp://h', profile: p, options: {user: u, password_file: secrets/a, user_cert: /x.der}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Devices[0].Options; o["password_file"] != filepath.Join(dir, "secrets", "a") || o["user_cert"] != "/x.der" || o["user"] != "u" {
		t.Errorf("options %q", o)
	}
	if c.PKI() != filepath.Join(dir, "store", "pki") || c.OPCUA.Certificate != filepath.Join(dir, "own.der") || c.OPCUA.Key != "/etc/own.pem" {
		t.Errorf("%q, %+v", c.PKI(), c.OPCUA)
	}
	devices, err := ReadDeviceFile(put("more/d.csv", "id,url,profile,option.user_key\nB,opc.tcp://h,p,b.pem\n"))
	if err != nil || devices[0].Options["user_key"] != filepath.Join(dir, "more", "b.pem") {
		t.Errorf("%+v, %v", devices, err)
	}
}

func TestParseZone(t *testing.T) {
	for name, offset := range map[string]int{"": 0, "UTC": 0, "+08:00": 8 * 3600, "-03:30": -12600, "Asia/Shanghai": 8 * 3600} {
		l, err := ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := time.Date(2026, 1, 1, 0, 0, 0, 0, l).Zone(); got != offset {
			t.Errorf("%q is %d s off UTC, want %d", name, got, offset)
		}
	}
	for _, name := range []string{"+8", "Local", "Nowhere/None", "+25:61"} {
		if _, err := ParseZone(name); err == nil {
			t.Errorf("%q was taken for a zone", name)
		}
	}
}

func TestDeviceFile(t *testing.T) {
	devices, err := parseDevices("d.csv", []byte("id,url,profile,interval,option.node\nA,modbus://h:502/1,p,500ms,\nB,opc.tcp://h:4840,q,,T-1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(devices) != 2 || devices[0].Interval != 500*time.Millisecond || devices[1].Options["node"] != "T-1" || devices[1].Interval != time.Second {
		t.Fatalf("got %+v", devices)
	}
	for in, want := range map[string]string{
		"":                              "d.csv:1: no header line",
		"id,url\n":                      `d.csv:1: column "profile" is missing`,
		"id,url,profile,colour\n":       `d.csv:1: unknown column "colour"`,
		"id,url,profile,id\n":           `d.csv:1: column "id" stands twice`,
		"id,url,profile\nA,x://h/1\n":   "d.csv: record on line 2: wrong number of fields; each line needs 3 columns",
		"id,url,profile\nA,nothing,p\n": `d.csv:2: url: "nothing" is not a device address`,
		"id,url,profile,interval\nA,x://h/1,p,fast\n": `d.csv:2: interval: "fast" is not a duration`,
	} {
		if _, err := parseDevices("d.csv", []byte(in)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want prefix %q", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("devices: [{id: A, url: 'modbus://h:1/1', profile: p}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := Parse("c.yaml", data); err == nil && c.Location() == nil {
			t.Fatal("accepted without a time zone")
		}
	})
}

func FuzzParseDevices(f *testing.F) {
	f.Add([]byte("id,url,profile\nA,modbus://h:502/1,p\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		devices, err := parseDevices("d.csv", data)
		if err != nil {
			return
		}
		for _, d := range devices {
			if d.ID == "" || d.Interval < MinInterval || d.Mode == "" {
				t.Fatalf("accepted %+v", d)
			}
		}
	})
}

// The sample that people copy must be in order, and say what the defaults are.
func TestProductionSample(t *testing.T) {
	file := filepath.Join("..", "..", "configs", "production.yaml")
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d := Default()
	if c.Detection != d.Detection || c.Risk != d.Risk || c.Cases != d.Cases || c.Console != d.Console || c.Plugins.Timeout != d.Plugins.Timeout ||
		c.Historian.Org != d.Historian.Org || c.Historian.Bucket != d.Historian.Bucket || !reflect.DeepEqual(c.Stream, d.Stream) || c.OPCUA != d.OPCUA ||
		c.Database != d.Database || c.Cluster != d.Cluster || c.Curves != d.Curves {
		t.Errorf("the sample does not show the defaults:\n%+v\nwant\n%+v", c, d)
	}
	if len(c.Devices) != 1 || c.Devices[0].Interval != time.Second {
		t.Errorf("devices of the sample: %+v", c.Devices)
	}
}
