package modbus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goburrow/modbus"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func flagsOf(err error) meter.Flags {
	if answered(err) {
		return meter.Missing
	}
	return meter.CommFailure
}

// mendedError is an error that says its own mend.
type mendedError struct{ err error }

func (e *mendedError) Error() string { return e.err.Error() }
func (e *mendedError) Unwrap() error { return e.err }

// explain says which device and registers failed, and what to do.
func (s *session) explain(b *profile.Block, err error) error {
	mend := "check host, port and network"
	if s.at.scheme == schemeRTU {
		mend = "check the adapter and its cable"
	}
	var (
		ex     *modbus.ModbusError
		wait   *waitError
		mended *mendedError
	)
	switch {
	case errors.As(err, &wait), errors.Is(err, drivers.ErrClosed), errors.Is(err, drivers.ErrHeld), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("device %s: %w", s.dev.ID, err)
	case errors.As(err, &mended):
		return fmt.Errorf("device %s: %w", s.dev.ID, err)
	case errors.Is(err, errSilent):
		err = fmt.Errorf("unit %d: %w (%v)", s.at.unit, err, s.timeout)
		mend = "check unit number, wiring and power"
		if s.at.scheme == schemeRTU {
			mend = "check unit number, baud rate, parity, wiring and power"
		}
	case errors.As(err, &ex):
		mend = s.at.mend(ex.ExceptionCode)
	case errors.Is(err, errGarbled):
		mend = "the device or gateway breaks the protocol; check its firmware and that nobody else shares its line"
	}
	what := "registers"
	if b.Table.Bits() {
		what = "bits"
	}
	return fmt.Errorf("device %s: %s %s %d to %d: %w; %s",
		s.dev.ID, b.Table, what, b.Address, int(b.Address)+int(b.Count)-1, err, mend)
}

// mend says what to do about an exception of the device.
func (a address) mend(code byte) string {
	switch code {
	case modbus.ExceptionCodeIllegalFunction:
		// What a role may not do, a server refuses as a function that it does
		// not have (MODBUS/TCP Security v21, 8.3).
		switch {
		case a.scheme == schemeTLS && a.role == "":
			return "the client's certificate has no role; have it issued with one that may read here, or compare the profile with the device's register map"
		case a.scheme == schemeTLS:
			return fmt.Sprintf("let the server's role %q read here, or compare the profile with the device's register map", a.role)
		}
		return "compare the profile with the device's register map"
	case modbus.ExceptionCodeIllegalDataAddress, modbus.ExceptionCodeIllegalDataValue:
		return "compare the profile with the device's register map"
	case modbus.ExceptionCodeGatewayPathUnavailable, modbus.ExceptionCodeGatewayTargetDeviceFailedToRespond:
		return "check unit number, wiring and power"
	}
	return "the device reports it; look at the device"
}

// detail is the text of err without goburrow's own prefix, on one line.
func detail(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "modbus: "), "\n", "; ")
}
