package drivertest

import (
	"net/url"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
)

// Sample reads the devices of a README's YAML block, with the keys of the
// program's configuration, and holds each to its driver's Check.
func Sample(t *testing.T, file string, d drivers.Driver, folders ...string) []drivers.Device {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatalf("%s has no YAML block", file)
	}
	var sample struct {
		Devices []struct {
			ID       string            `yaml:"id"`
			URL      string            `yaml:"url"`
			Profile  string            `yaml:"profile"`
			MeterID  string            `yaml:"meter_id"`
			Interval time.Duration     `yaml:"interval"`
			Timeout  time.Duration     `yaml:"timeout"`
			Mode     drivers.Mode      `yaml:"mode"`
			Options  map[string]string `yaml:"options"`
		} `yaml:"devices"`
	}
	if err := yaml.UnmarshalWithOptions(block[1], &sample, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	profiles := make(map[string]*profile.Profile)
	for _, folder := range folders {
		all, err := profile.LoadFS(os.DirFS(folder))
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range all {
			profiles[name] = p
		}
	}
	var list []drivers.Device
	for _, s := range sample.Devices {
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Errorf("%s: device %s: %v", file, s.ID, err)
			continue
		}
		dev := drivers.Device{
			ID: s.ID, MeterID: s.MeterID, URL: u, Profile: profiles[s.Profile], Mode: s.Mode,
			Interval: s.Interval, Timeout: s.Timeout, Options: s.Options,
		}
		if err := d.Check(dev); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if s.Interval < drivers.MinInterval || s.Interval > drivers.MaxInterval {
			t.Errorf("%s: device %s: interval %v", file, s.ID, s.Interval)
		}
		list = append(list, dev)
	}
	if len(list) == 0 {
		t.Errorf("%s: the sample has no devices", file)
	}
	return list
}
