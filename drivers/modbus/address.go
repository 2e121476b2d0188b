package modbus

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
)

// address is where a device is found, and how one gets there.
type address struct {
	scheme string
	addr   string // host and port, or the path of a serial port
	unit   byte
	tls    tlsSettings // of schemeTLS
	role   string      // what the client is to the server, of schemeTLS
}

// key is the same for devices that share a gateway.
func (a address) key() string {
	key := a.scheme + "://" + a.addr
	if a.scheme == schemeTLS {
		key += fmt.Sprintf(" %q", a.tls)
	}
	return key
}

// schemes lists the schemes that are served, with what a URL looks like.
func schemes() map[string]string {
	return map[string]string{
		schemeTCP:        schemeTCP + "://host:port/unit",
		schemeTLS:        schemeTLS + "://host:port/unit",
		schemeRTUOverTCP: schemeRTUOverTCP + "://host:port/unit",
		schemeRTU:        schemeRTU + ":///dev/ttyS0/unit",
	}
}

// onLine reports whether a scheme's devices are on an RTU line.
func onLine(scheme string) bool { return scheme == schemeRTU || scheme == schemeRTUOverTCP }

func (a address) framing() framing {
	if onLine(a.scheme) {
		return rtu
	}
	return mbap
}

// optionsOf lists the options of devices by their scheme.
func optionsOf(dev drivers.Device) []string {
	scheme, both := "", []string{profile.OptionBase, profile.OptionOrder}
	if dev.URL != nil {
		scheme = dev.URL.Scheme
	}
	switch scheme {
	case schemeRTU:
		return append(both, optBaud, optParity, optStopBits)
	case schemeTLS:
		return append(both, optConnections, optPipeline, optTLSCert, optTLSKey, optTLSCA, optTLSName)
	}
	return append(both, optConnections, optPipeline)
}

// target takes a device's URL apart.
func target(dev drivers.Device) (address, error) {
	u := dev.URL
	form := schemes()[schemeTCP]
	bad := func(what string, args ...any) (address, error) {
		return address{}, fmt.Errorf("device %s: %s; write %s", dev.ID, fmt.Sprintf(what, args...), form)
	}
	if u == nil {
		return bad("it has no URL")
	}
	if schemes()[u.Scheme] == "" {
		return bad("%s:// is not Modbus", u.Scheme)
	}
	form = schemes()[u.Scheme]
	if u.Scheme == schemeRTU {
		file, unit, err := serialTarget(dev)
		return address{scheme: u.Scheme, addr: file, unit: unit}, err
	}
	switch {
	case u.Hostname() == "":
		return bad("%s names no host", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return bad("%s has more than host, port and unit", u.Redacted())
	}
	unit, err := strconv.Atoi(strings.TrimPrefix(u.Path, "/"))
	if err != nil || unit < 0 || unit > 255 {
		return bad("%s names no unit from 0 to 255", u.Redacted())
	}
	if u.Scheme == schemeRTUOverTCP && (unit < 1 || unit > 247) {
		return bad("unit %d: on an RTU line units go from 1 to 247", unit)
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == schemeTLS:
		port = tlsPort
	default:
		port = defaultPort
	}
	a := address{scheme: u.Scheme, addr: net.JoinHostPort(u.Hostname(), port), unit: byte(unit)}
	if u.Scheme != schemeTLS {
		return a, nil
	}
	if a.tls, err = parseTLS(dev); err != nil {
		return a, err
	}
	id, err := a.tls.load(time.Now())
	if err != nil {
		return a, fmt.Errorf("device %s: %w", dev.ID, err)
	}
	a.role = id.role
	return a, nil
}

// gatewayOptions reads the options that a device sets for its gateway.
func (d *Driver) gatewayOptions(dev drivers.Device) (gatewayOptions, error) {
	o := gatewayOptions{connections: defaultConnections, least: 1, pipeline: 1, minBackoff: d.opts.MinBackoff, maxBackoff: d.opts.MaxBackoff}
	scheme := ""
	if dev.URL != nil {
		scheme = dev.URL.Scheme
	}
	if scheme == schemeRTU {
		var err error
		o.connections = 1
		o.serial, err = parseSerial(dev)
		return o, err
	}
	var errs []error
	for _, opt := range []struct {
		key string
		max int
		to  *int
	}{{optConnections, maxConnections, &o.connections}, {optPipeline, maxPipeline, &o.pipeline}} {
		text, set := dev.Options[opt.key]
		if !set {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > opt.max {
			errs = append(errs, fmt.Errorf("device %s: option %s is %q; write a number from 1 to %d", dev.ID, opt.key, text, opt.max))
			continue
		}
		*opt.to = n
	}
	if dev.Options[optConnections] == "" && dev.Options[optPipeline] != "" {
		o.connections = 1
	}
	if dev.Options[optConnections]+dev.Options[optPipeline] != "" {
		o.least = o.connections
	}
	if scheme == schemeRTUOverTCP {
		if len(dev.Options[optConnections]+dev.Options[optPipeline]) > 0 && (o.pipeline > 1 || o.connections > 1) {
			errs = append(errs, fmt.Errorf("device %s: an RTU line takes one request at a time; remove %s and %s", dev.ID, optConnections, optPipeline))
		}
		o.connections, o.least, o.pipeline = 1, 1, 1
	}
	return o, errors.Join(errs...)
}

// differ says that a device sets its gateway otherwise than another behind it.
func (o gatewayOptions) differ(dev drivers.Device, t address, others gatewayOptions) error {
	if t.scheme == schemeRTU {
		return fmt.Errorf("device %s: %v, but another device on %s has %v; set the same on all of them", dev.ID, o.serial, t.addr, others.serial)
	}
	return fmt.Errorf("device %s: %s=%d, %s=%d, but another device behind %s has %d and %d; set the same on all of them",
		dev.ID, optConnections, o.connections, optPipeline, o.pipeline, t.addr, others.connections, others.pipeline)
}

// CheckTogether validates what devices must agree on: those that share a
// gateway or a serial line, its settings. Devices that Check refuses, and those
// of other drivers, are passed over.
func (d *Driver) CheckTogether(list []drivers.Device) error {
	first := make(map[string]gatewayOptions)
	var errs []error
	for _, dev := range list {
		if dev.URL == nil || !slices.Contains(d.Schemes(), dev.URL.Scheme) {
			continue
		}
		t, err := target(dev)
		if err != nil {
			continue
		}
		opts, err := d.gatewayOptions(dev)
		if err != nil {
			continue
		}
		if others, known := first[t.key()]; !known {
			first[t.key()] = opts
		} else if others != opts {
			errs = append(errs, opts.differ(dev, t, others))
		}
	}
	return errors.Join(errs...)
}
