package console

import "time"

// Device is one polled device with its poll status.
type Device struct {
	ID       string
	MeterID  string
	Driver   string // modbus, opcua
	Address  string // for people, without credentials
	Profile  string
	Mode     string // poll, subscribe
	Interval time.Duration

	State    string    // waiting, ok, failing, silent; "": judged by times alone
	Since    time.Time // of State
	LastGood time.Time // receive time of the last complete good read; zero: never
	LastTry  time.Time
	// LastError is why the last read failed; "" where it did not.
	LastError               string
	Due, OK, Failed, Missed int64

	RoundTrip, P50, P99 time.Duration // of good reads; 0: none yet
	NextTurn            time.Time     // zero: none is planned
	NextProbe           time.Time     // zero unless it is left alone until then
	Connections         int           // open to it or its gateway
	Parallel            int           // requests at once, as learned; 0: not told

	ClockKnown  bool
	ClockOffset time.Duration // how far its clock is ahead
}

// DeviceDetail is all that is known of one device.
type DeviceDetail struct {
	Device
	PastError   string // the last failure, also after recovery; "": none
	PastErrorAt time.Time
	Values      []DeviceValue
	Groups      []DeviceGroup
	Notes       []string // what the driver wants an operator to know
}

// DeviceValue is the last reading of one quantity.
type DeviceValue struct {
	Quantity string  // code, such as active_power
	Number   float64 // NaN: nothing was obtained
	Unit     string
	Quality  string // good, uncertain, bad; "" before the first reading
	Flags    []string
	Detail   string    // why it is not good
	At       time.Time // of the event; zero: never usable
	Received time.Time
	Raw      string // native code in hex
}

// DeviceGroup is points of a device that are read together.
type DeviceGroup struct {
	Name     string
	Interval time.Duration
	NextTurn time.Time
	Blocks   []DeviceBlock
}

// DeviceBlock is one request.
type DeviceBlock struct {
	Table          string // of a Modbus device; nodes of an OPC UA server
	Address, Count int
	Quantities     []string
	Nodes          []string
}

// Reload is what became of reading the configured devices anew.
type Reload struct {
	At                            time.Time
	By                            string // SIGHUP, command
	File                          string
	Added, Removed, Changed, Kept int
	Restart, Warnings             []string
	Problems                      []string // not empty: refused, the devices before are read on
}
