package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/risk"
	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// Load reads and checks the configuration file. Errors name FILE:LINE:COL.
func Load(file string) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w; name a file that can be read with -c", err)
	}
	return Parse(file, data)
}

// Parse checks a configuration that was read from file.
func Parse(file string, data []byte) (*Config, error) {
	c := Default()
	doc, err := strictyaml.Decode(file, data, &c)
	if err != nil {
		return nil, err
	}
	c.resolve(filepath.Dir(file))
	c.check(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	c.document = doc
	return &c, nil
}

// resolve makes paths relative to the file's folder absolute in the caller's view.
func (c *Config) resolve(dir string) {
	at := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	at(&c.DataDir)
	at(&c.Registry)
	at(&c.Profiles)
	at(&c.Historian.TokenFile)
	at(&c.OPCUA.PKIDir)
	at(&c.OPCUA.Certificate)
	at(&c.OPCUA.Key)
	at(&c.Console.TLSCert)
	at(&c.Console.TLSKey)
	for _, p := range c.scalePaths() {
		at(p)
	}
	for i := range c.Readings {
		at(&c.Readings[i])
	}
	for i := range c.DeviceCSV {
		at(&c.DeviceCSV[i])
	}
	for i := range c.Devices {
		c.Devices[i].resolve(dir)
	}
	c.Plugins.resolve(at)
}

var clockTime = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`)

func (c *Config) check(doc *strictyaml.Document) {
	location, err := ParseZone(c.Site.TimeZone)
	if err != nil {
		doc.Add("$.site.time_zone", "%v", err)
	}
	c.location = location

	if c.Registry != "" {
		if info, err := os.Stat(c.Registry); err != nil || !info.IsDir() {
			doc.Add("$.registry", "%s is not a folder; name the folder that holds transformers.csv, customers.csv and usage_points.csv", c.Registry)
		}
	}
	seen := make(map[string]int, len(c.Devices))
	for i := range c.Devices {
		path := fmt.Sprintf("$.devices[%d]", i)
		if other, dup := seen[c.Devices[i].ID]; dup && c.Devices[i].ID != "" {
			doc.Add(path+".id", "device %q is already number %d of the list; give each device an id of its own", c.Devices[i].ID, other+1)
		}
		seen[c.Devices[i].ID] = i
		for _, p := range c.Devices[i].fill() {
			doc.Add(path+"."+p.field, "%s", p.message)
		}
		c.Devices[i].At = doc.At(path)
	}
	for path, address := range map[string]string{"$.historian.url": c.Historian.URL, "$.historian.query_url": c.Historian.QueryURL} {
		u, err := url.Parse(address)
		if address != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
			doc.Add(path, "%q is not an http or https address; write it as http://host:8086", address)
		}
	}
	if !clockTime.MatchString(c.Detection.At) {
		doc.Add("$.detection.at", "%q is not a time of day; write it as HH:MM", c.Detection.At)
	}
	if c.Detection.LookbackDays < 14 || c.Detection.LookbackDays > 400 {
		doc.Add("$.detection.lookback_days", "%d days; give 14 to 400", c.Detection.LookbackDays)
	}
	if !(c.Risk.Prior > 0 && c.Risk.Prior < 0.5) {
		doc.Add("$.risk.prior", "%v; give a probability above 0 and below 0.5, such as 0.01", c.Risk.Prior)
	}
	if k := risk.Calibration(c.Risk.Calibration); !k.Valid() {
		doc.Add("$.risk.calibration", "intercept %v and slope %v; the slope lies between %v and %v, the intercept within %v of 0: take what `gridwarden risk report` proposes", k.Intercept, k.Slope, risk.MinSlope, risk.MaxSlope, risk.MaxIntercept)
	}
	if !(c.Cases.Threshold > 0 && c.Cases.Threshold <= 1) {
		doc.Add("$.cases.threshold", "%v; give a probability above 0, at most 1", c.Cases.Threshold)
	}
	c.checkScale(doc)
	c.checkPlugins(doc)
	c.checkOPCUA(doc)
	if _, port, err := net.SplitHostPort(c.Console.Listen); err != nil || port == "" {
		doc.Add("$.console.listen", "%q is not host:port; write it as 127.0.0.1:8480", c.Console.Listen)
	}
	if (c.Console.TLSCert == "") != (c.Console.TLSKey == "") {
		doc.Add("$.console", "tls_cert and tls_key go together; give both or none")
	}
}

func (c *Config) checkOPCUA(doc *strictyaml.Document) {
	if (c.OPCUA.Certificate == "") != (c.OPCUA.Key == "") {
		doc.Add("$.opcua", "certificate and key go together; give both or none")
	}
	if uri := c.OPCUA.ApplicationURI; uri != "" {
		if u, err := url.Parse(uri); err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "" {
			doc.Add("$.opcua.application_uri", "%q is not a URI; write one such as urn:substation-7:gridwarden", uri)
		}
	}
	if d := c.OPCUA.ValidDays; d < 1 || d > 20*365 {
		doc.Add("$.opcua.valid_days", "%d; give 1 to %d", d, 20*365)
	}
}

// ParseZone reads an IANA zone name or a fixed offset ±HH:MM; "" is UTC.
func ParseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return time.UTC, fmt.Errorf("%q is not an offset; write it as +08:00", name)
		}
		_, seconds := t.Zone()
		return time.FixedZone("UTC"+name, seconds), nil
	}
	location, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return time.UTC, fmt.Errorf("%q is not a time zone; give an IANA name such as Asia/Shanghai, or an offset such as +08:00", name)
	}
	return location, nil
}
