package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestChanged names what a reload leaves to the next start.
func TestChanged(t *testing.T) {
	before := Default()
	after := Default()
	after.Devices = []Device{{ID: "A"}}
	after.DeviceCSV, after.Profiles = []string{"d.csv"}, "p"
	if keys := Changed(&before, &after); keys != nil {
		t.Errorf("devices alone give %v", keys)
	}
	after.Site.Name, after.Cases.Threshold = "Elsewhere", 0.7
	after.Plugins.BuiltIn = []string{}
	if keys := Changed(&before, &after); !slices.Equal(keys, []string{"site", "cases", "plugins"}) {
		t.Errorf("got %v", keys)
	}
}

// TestDataDir is found in files that are right, wrong and broken.
func TestDataDir(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "g.yaml")
	for text, want := range map[string]string{
		"site: {time_zone: Asia/Shanghai}\ndata_dir: store\n":             "store",
		"data_dir: \"my store\" # of readings\ndevices: [{id: A}]\n":      "my store",
		"devices: [\ndata_dir: store\n":                                   "store",
		"devices: {\n":                                                    "data",
		"consle: {}\ndata_dir: " + filepath.Join(dir, "elsewhere") + "\n": "elsewhere",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, location, err := DataDir(file)
		if err != nil || got != filepath.Join(dir, want) || location == nil {
			t.Errorf("%q: %q, %v, %v", text, got, location, err)
		}
		if strings.Contains(text, "Shanghai") && location.String() != "Asia/Shanghai" {
			t.Errorf("zone %v", location)
		}
	}
	if err := os.WriteFile(file, []byte("data_dir: [a]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := DataDir(file); err == nil {
		t.Error("a list was taken for a folder")
	}
	if _, _, err := DataDir(filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(err.Error(), "name a file that can be read with -c") {
		t.Errorf("got %v", err)
	}
}

// TestAt says of each device where it stands.
func TestAt(t *testing.T) {
	c, err := Parse("g.yaml", []byte("devices:\n  - {id: A, url: 'modbus://h:1/1', profile: p}\n  - id: B\n    url: modbus://h:1/2\n    profile: p\n"))
	if err != nil {
		t.Fatal(err)
	}
	csv, err := parseDevices("d.csv", []byte("id,url,profile\nC,modbus://h:1/3,p\n\"D\",modbus://h:1/4,p\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range append(c.Devices, csv...) {
		got = append(got, d.At)
	}
	if want := []string{"g.yaml:2:6", "g.yaml:3:5", "d.csv:2", "d.csv:3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestNoPasswordInMessages: an address that cannot be read may hold one.
func TestNoPasswordInMessages(t *testing.T) {
	for _, address := range []string{"opc.tcp://user:se%zzcret@h:4840", "user:secret@h", "://secret@h"} {
		d := Device{ID: "A", URL: address, Profile: "p"}
		for _, p := range d.fill() {
			if strings.Contains(p.message, "cret") {
				t.Errorf("%s", p.message)
			}
		}
	}
}
