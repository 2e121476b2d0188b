package modbus

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

// schemeRTU is the scheme of devices on a serial line:
// modbus+rtu:///dev/ttyS0/7, the unit last.
const schemeRTU = "modbus+rtu"

// Options of devices on a serial line.
const (
	optBaud     = "baud"
	optParity   = "parity"
	optStopBits = "stop_bits"
)

// serialSettings are those of a serial port. Characters have eight bits, as
// RTU asks for.
type serialSettings struct {
	baud     int
	parity   string // even, odd, none
	stopBits int
}

func (s serialSettings) String() string {
	return fmt.Sprintf("%s=%d, %s=%s, %s=%d", optBaud, s.baud, optParity, s.parity, optStopBits, s.stopBits)
}

// parseSerial reads a device's line settings. Defaults are the standard's
// (Modbus over Serial Line 1.02, 2.5.1): 19200 baud, even parity; two stop
// bits where there is no parity, so that a character always has 11 bits.
func parseSerial(dev drivers.Device) (serialSettings, error) {
	s := serialSettings{baud: 19200, parity: "even", stopBits: 1}
	var errs []error
	bad := func(key, right string) {
		errs = append(errs, fmt.Errorf("device %s: option %s is %q; write %s", dev.ID, key, dev.Options[key], right))
	}
	rates := []int{300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}
	if text, set := dev.Options[optBaud]; set {
		n, err := strconv.Atoi(text)
		if err != nil || !slices.Contains(rates, n) {
			bad(optBaud, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(rates)), ", "), "[]"))
		} else {
			s.baud = n
		}
	}
	switch text, set := dev.Options[optParity]; {
	case !set:
	case text == "even" || text == "odd" || text == "none":
		s.parity = text
	default:
		bad(optParity, "even, odd or none")
	}
	if s.parity == "none" {
		s.stopBits = 2
	}
	switch text, set := dev.Options[optStopBits]; {
	case !set:
	case text == "1" || text == "2":
		s.stopBits = int(text[0] - '0')
	default:
		bad(optStopBits, "1 or 2")
	}
	return s, errors.Join(errs...)
}

// serialTarget takes the URL of a device on a serial line apart.
func serialTarget(dev drivers.Device) (file string, unit byte, err error) {
	u := dev.URL
	bad := func(what string, args ...any) (string, byte, error) {
		return "", 0, fmt.Errorf("device %s: %s; write %s:///dev/ttyS0/unit", dev.ID, fmt.Sprintf(what, args...), schemeRTU)
	}
	switch {
	case u.Host != "":
		return bad("%s names the host %s, where a serial port has none", u.Redacted(), u.Host)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return bad("%s has more than a serial port and a unit", u.Redacted())
	}
	folder, last := path.Split(u.Path)
	n, err := strconv.Atoi(last)
	if err != nil || n < 1 || n > 247 {
		return bad("%s names no unit from 1 to 247", u.Redacted())
	}
	if file = path.Clean(folder); file == "/" || !path.IsAbs(file) {
		return bad("%s names no serial port", u.Redacted())
	}
	return file, byte(n), nil
}

// timing returns the times of a line of these settings. 3.5 characters of
// silence go before a request, 1.75 ms where characters are shorter than
// those of 19200 baud (Modbus over Serial Line 1.02, 2.5.1.1). The standard's
// pause of 1.5 characters inside a frame cannot be told through adapters that
// hand bytes over in lots, every 16 ms for instance; the tolerance is for
// those.
func (s serialSettings) timing() timing {
	bits := 9 + s.stopBits
	if s.parity != "none" {
		bits++
	}
	char := time.Duration(bits) * time.Second / time.Duration(s.baud)
	silence := 1750 * time.Microsecond
	if s.baud <= 19200 {
		silence = char * 7 / 2
	}
	const lots = 50 * time.Millisecond
	return timing{char: char, before: silence, after: silence + lots, gap: silence + lots}
}
