package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Limits of a device's interval.
const (
	MinInterval = 200 * time.Millisecond
	MaxInterval = time.Hour
)

// fieldProblem is a problem in one field of a device.
type fieldProblem struct{ field, message string }

// fill sets the defaults of a device and returns what is wrong with it.
func (d *Device) fill() []fieldProblem {
	var out []fieldProblem
	bad := func(field, format string, args ...any) {
		out = append(out, fieldProblem{field, fmt.Sprintf(format, args...)})
	}
	if d.ID == "" {
		bad("id", "a device needs an id; it names the device in logs and on pages")
	}
	if d.MeterID == "" {
		d.MeterID = d.ID
	}
	if u, err := url.Parse(d.URL); err != nil || u.Scheme == "" {
		bad("url", "%q is not a device address; write it as modbus://host:502/unit or opc.tcp://host:4840", withoutSecret(d.URL))
	}
	if d.Profile == "" {
		bad("profile", "a device needs a profile; `gridwarden probe --help` tells how to find the right one")
	}
	if d.Interval == 0 {
		d.Interval = time.Second
	}
	if d.Interval < MinInterval || d.Interval > MaxInterval {
		bad("interval", "%v; give %v to %v", d.Interval, MinInterval, MaxInterval)
	}
	if d.Timeout < 0 || d.Timeout > d.Interval*10 && d.Timeout > time.Minute {
		bad("timeout", "%v; give a positive duration of at most a minute, such as 800ms", d.Timeout)
	}
	for name, interval := range d.Groups {
		if interval < MinInterval || interval > MaxInterval {
			bad("groups", "%s: %v; give %v to %v", name, interval, MinInterval, MaxInterval)
		}
	}
	switch d.Mode {
	case "":
		d.Mode = "poll"
	case "poll", "subscribe":
	default:
		bad("mode", "%q; give poll or subscribe", d.Mode)
	}
	return out
}

// withoutSecret leaves user and password out of an address that is shown.
func withoutSecret(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	scheme, _, found := strings.Cut(address[:at], "://")
	if !found {
		return "…" + address[at:]
	}
	return scheme + "://…" + address[at:]
}

// fileOptions are the drivers' options that name files.
func fileOptions() []string {
	return []string{"password_file", "user_cert", "user_key", "tls_cert", "tls_key", "tls_ca"}
}

// resolve takes relative paths in a device's options from dir, the folder of
// the file that names them.
func (d *Device) resolve(dir string) {
	for _, name := range fileOptions() {
		if path := d.Options[name]; path != "" && !filepath.IsAbs(path) {
			d.Options[name] = filepath.Join(dir, path)
		}
	}
}

// deviceColumns are the columns of a device file; option.NAME columns go to Options.
var deviceColumns = []string{"id", "url", "profile", "meter_id", "interval", "timeout", "mode"}

// ReadDeviceFile reads a CSV file of devices with the columns id, url,
// profile and optionally meter_id, interval, timeout, mode, interval.GROUP and
// option.NAME.
// Errors are joined lines of FILE:LINE: what; mend.
func ReadDeviceFile(file string) ([]Device, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("device file: %w", err)
	}
	devices, err := parseDevices(file, data)
	for i := range devices {
		devices[i].resolve(filepath.Dir(file))
	}
	return devices, err
}

func parseDevices(file string, data []byte) ([]Device, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: no header line; write id,url,profile,meter_id,interval", file)
	}
	header = append([]string(nil), header...)
	if err := checkDeviceHeader(file, header); err != nil {
		return nil, err
	}
	var devices []Device
	var problems []error
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w; each line needs %d columns", file, err, len(header))
		}
		line, _ := r.FieldPos(0)
		d, err := deviceOf(header, record)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", file, line, err))
		}
		for _, p := range d.fill() {
			problems = append(problems, fmt.Errorf("%s:%d: %s: %s", file, line, p.field, p.message))
		}
		d.At = fmt.Sprintf("%s:%d", file, line)
		devices = append(devices, d)
	}
	return devices, errors.Join(problems...)
}

func checkDeviceHeader(file string, header []string) error {
	seen := make(map[string]bool)
	for _, name := range header {
		known := strings.HasPrefix(name, "option.") && len(name) > len("option.") ||
			strings.HasPrefix(name, "interval.") && len(name) > len("interval.")
		for _, column := range deviceColumns {
			known = known || name == column
		}
		if !known {
			return fmt.Errorf("%s:1: unknown column %q; known are %s, interval.GROUP and option.NAME", file, name, strings.Join(deviceColumns, ", "))
		}
		if seen[name] {
			return fmt.Errorf("%s:1: column %q stands twice; keep one", file, name)
		}
		seen[name] = true
	}
	for _, name := range deviceColumns[:3] {
		if !seen[name] {
			return fmt.Errorf("%s:1: column %q is missing; add it", file, name)
		}
	}
	return nil
}

func deviceOf(header, record []string) (Device, error) {
	var d Device
	var problems []error
	duration := func(name, text string) time.Duration {
		if text == "" {
			return 0
		}
		v, err := time.ParseDuration(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not a duration; write it as 1s or 500ms", name, text))
		}
		return v
	}
	for i, name := range header {
		text := strings.Clone(strings.TrimSpace(record[i]))
		switch name {
		case "id":
			d.ID = text
		case "url":
			d.URL = text
		case "profile":
			d.Profile = text
		case "meter_id":
			d.MeterID = text
		case "interval":
			d.Interval = duration(name, text)
		case "timeout":
			d.Timeout = duration(name, text)
		case "mode":
			d.Mode = text
		default:
			group, isGroup := strings.CutPrefix(name, "interval.")
			switch {
			case text == "":
			case isGroup:
				if d.Groups == nil {
					d.Groups = make(map[string]time.Duration)
				}
				d.Groups[group] = duration(name, text)
			default:
				if d.Options == nil {
					d.Options = make(map[string]string)
				}
				d.Options[strings.TrimPrefix(name, "option.")] = text
			}
		}
	}
	return d, errors.Join(problems...)
}
