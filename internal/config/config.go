package config

import (
	"path/filepath"
	"time"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// Config is the whole configuration. Relative paths are taken from the folder
// of the configuration file.
type Config struct {
	Site      Site      `yaml:"site"`
	DataDir   string    `yaml:"data_dir"`
	Registry  string    `yaml:"registry"` // folder with transformers.csv, customers.csv, usage_points.csv …
	Readings  []string  `yaml:"readings"` // glob patterns of AMI exports
	Devices   []Device  `yaml:"devices"`
	DeviceCSV []string  `yaml:"device_files"` // CSV files of further devices
	Profiles  string    `yaml:"profiles"`     // folder of further device profiles
	OPCUA     OPCUA     `yaml:"opcua"`
	Stream    Stream    `yaml:"stream"`
	Database  Database  `yaml:"database"`
	Cluster   Cluster   `yaml:"cluster"`
	Curves    Curves    `yaml:"curves"`
	Historian Historian `yaml:"historian"`
	Detection Detection `yaml:"detection"`
	Risk      Risk      `yaml:"risk"`
	Cases     Cases     `yaml:"cases"`
	Plugins   Plugins   `yaml:"plugins"`
	Console   Console   `yaml:"console"`

	location *time.Location
	document *strictyaml.Document // nil where it comes from no file
}

// Site says where this is.
type Site struct {
	Name         string `yaml:"name"`
	Organisation string `yaml:"organisation"`
	TimeZone     string `yaml:"time_zone"` // IANA name or ±HH:MM; UTC where empty
}

// Device is one device to be polled or subscribed to.
type Device struct {
	ID       string            `yaml:"id"`
	URL      string            `yaml:"url"`
	Profile  string            `yaml:"profile"`
	MeterID  string            `yaml:"meter_id"` // the id where empty
	Interval time.Duration     `yaml:"interval"` // 1 s where empty; 200 ms to 1 h
	Timeout  time.Duration     `yaml:"timeout"`  // the driver's default where empty
	Mode     string            `yaml:"mode"`     // poll (default) or subscribe
	Options  map[string]string `yaml:"options"`

	// Groups are intervals of the profile's groups that replace the profile's;
	// columns interval.NAME of a device file.
	Groups map[string]time.Duration `yaml:"groups"`

	// At is where the device stands, FILE:LINE:COL or FILE:LINE, for messages;
	// empty where it comes from no file.
	At string `yaml:"-"`
}

// OPCUA says who we are towards OPC UA servers, and whom we trust.
type OPCUA struct {
	PKIDir         string `yaml:"pki_dir"`         // certificates: own, trusted, issuers, rejected; data_dir/pki where empty
	ApplicationURI string `yaml:"application_uri"` // of our own certificate; urn:HOST:gridwarden where empty
	ValidDays      int    `yaml:"valid_days"`      // of a certificate that we make ourselves
	// Certificate and Key are files of a certificate that was issued elsewhere.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// AllowMissingCRL accepts certificates of an authority whose revocation
	// list is missing or out of date.
	AllowMissingCRL bool `yaml:"allow_missing_crl"`
}

// Historian is the time-series store.
type Historian struct {
	URL       string `yaml:"url"` // none where empty
	Org       string `yaml:"org"`
	Bucket    string `yaml:"bucket"`
	QueryURL  string `yaml:"query_url"` // where queries go, if elsewhere: a VictoriaMetrics cluster's vmselect
	TokenFile string `yaml:"token_file"`
	TokenEnv  string `yaml:"token_env"`
	GZip      bool   `yaml:"gzip"` // for thin links
}

// Detection says when and over how many days detectors run.
type Detection struct {
	At           string `yaml:"at"`            // HH:MM site time of the nightly run
	LookbackDays int    `yaml:"lookback_days"` // 14 to 400
}

// Risk holds the base rate.
type Risk struct {
	Prior       float64     `yaml:"prior"`       // probability of abnormal use before any data
	Calibration Calibration `yaml:"calibration"` // as `gridwarden risk report` proposes it
}

// Calibration bends risks to what inspections have shown; see risk.Calibration.
type Calibration struct {
	Intercept float64 `yaml:"intercept"` // log-odds
	Slope     float64 `yaml:"slope"`     // 0 stands for 1
}

// Cases says when a case opens and under which policy pack.
type Cases struct {
	Threshold float64 `yaml:"threshold"`
	Policy    string  `yaml:"policy"`
}

// Console is the web interface.
type Console struct {
	Listen  string `yaml:"listen"`
	TLSCert string `yaml:"tls_cert"`
	TLSKey  string `yaml:"tls_key"`
}

// Default returns the configuration that holds where a file says nothing.
func Default() Config {
	return Config{
		Site:      Site{Name: "Gridwarden", TimeZone: "UTC"},
		DataDir:   "data",
		OPCUA:     OPCUA{ValidDays: 5 * 365},
		Stream:    defaultStream(),
		Cluster:   Cluster{Partitions: 64, Lease: 5 * time.Second},
		Curves:    Curves{Interval: 15 * time.Minute, Grace: 30 * time.Minute, MaxLate: 7 * 24 * time.Hour},
		Historian: Historian{Org: "gridwarden", Bucket: "telemetry"},
		Detection: Detection{At: "03:30", LookbackDays: 400},
		Risk:      Risk{Prior: 0.01},
		Cases:     Cases{Threshold: 0.5, Policy: "generic"},
		Plugins:   Plugins{Timeout: 10 * time.Minute, Memory: "2GiB", CPUs: 1, QuarantineAfter: 3},
		Console:   Console{Listen: "127.0.0.1:8480"},
		location:  time.UTC,
	}
}

// PKI is the folder of OPC UA certificates.
func (c *Config) PKI() string {
	if c.OPCUA.PKIDir != "" {
		return c.OPCUA.PKIDir
	}
	return filepath.Join(c.DataDir, "pki")
}

// Location is the site's time zone.
func (c *Config) Location() *time.Location { return c.location }

// At returns where a key stands in the file, as FILE:LINE:COL, for errors that
// show only later; path is such as $.plugins.timeout. Where there is no such
// key it is the nearest one above, and "" where there is no file.
func (c *Config) At(path string) string {
	if c.document == nil {
		return ""
	}
	return c.document.At(path)
}

// File is the name of the configuration file, "" where there is none.
func (c *Config) File() string {
	if c.document == nil {
		return ""
	}
	return c.document.File
}
