package control

import "time"

// Device is one polled device and how it does.
type Device struct {
	ID        string  `json:"id"`
	MeterID   string  `json:"meter_id"`
	Driver    string  `json:"driver"`
	Address   string  `json:"address"` // without a password
	Profile   string  `json:"profile"`
	Mode      string  `json:"mode"` // poll or subscribe
	IntervalS float64 `json:"interval_s"`

	State               string    `json:"state"` // waiting, ok, failing or silent
	Since               time.Time `json:"since"` // of State
	LastOK              time.Time `json:"last_ok,omitzero"`
	LastError           string    `json:"last_error,omitempty"` // the last there was, kept after recovery
	LastErrorAt         time.Time `json:"last_error_at,omitzero"`
	ConsecutiveFailures int       `json:"consecutive_failures"`
	Reads               uint64    `json:"reads"`
	Failures            uint64    `json:"failures"`
	Missed              uint64    `json:"missed"` // turns not taken: overruns

	RoundTripMS    *float64 `json:"round_trip_ms"` // of the last good read; null where there was none
	RoundTripP50MS *float64 `json:"round_trip_p50_ms"`
	RoundTripP99MS *float64 `json:"round_trip_p99_ms"`

	NextTurn     time.Time `json:"next_turn,omitzero"`
	NextProbe    time.Time `json:"next_probe,omitzero"` // only while a silent device is left alone
	Connections  int       `json:"connections"`         // open to the device or its gateway
	Parallel     int       `json:"parallel"`            // requests at once, as learned; 0: the driver does not tell
	ClockOffsetS *float64  `json:"clock_offset_s"`      // how far its clock is ahead of ours; null where it shows none
}

// Detail is all that is known of one device.
type Detail struct {
	Device
	Values []Value  `json:"values"`
	Groups []Group  `json:"groups"`
	Notes  []string `json:"notes,omitempty"` // what the driver wants an operator to know
}

// Value is the last reading of one quantity.
type Value struct {
	Quantity    string    `json:"quantity"`
	Value       *float64  `json:"value"` // null where nothing was obtained
	Unit        string    `json:"unit"`
	Quality     string    `json:"quality"` // good, uncertain or bad; "" where nothing has come yet
	Flags       []string  `json:"flags,omitempty"`
	Detail      string    `json:"detail,omitempty"` // why it is not good
	EventTime   time.Time `json:"event_time,omitzero"`
	ReceiveTime time.Time `json:"receive_time,omitzero"`
	Raw         string    `json:"raw,omitempty"` // native code in hex
}

// Group is the points of a device that are read together.
type Group struct {
	Name      string    `json:"name"` // "" for the points in no group
	IntervalS float64   `json:"interval_s"`
	NextTurn  time.Time `json:"next_turn,omitzero"`
	Blocks    []Block   `json:"blocks"`
}

// Block is one request.
type Block struct {
	Table      string   `json:"table"`   // of a Modbus device; "nodes" of an OPC UA server
	Address    int      `json:"address"` // the first register; 0 for nodes
	Count      int      `json:"count"`
	Quantities []string `json:"quantities"`
	Nodes      []string `json:"nodes,omitempty"`
}

// Reload is what became of reading the configured devices again.
type Reload struct {
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	File     string    `json:"file"`
	Refused  bool      `json:"refused"` // the devices before are read on
	Added    int       `json:"added"`
	Removed  int       `json:"removed"`
	Changed  int       `json:"changed"`
	Kept     int       `json:"kept"`
	Restart  []string  `json:"restart,omitempty"` // keys that take effect at the next start
	Warnings []string  `json:"warnings,omitempty"`
	Problems []string  `json:"problems,omitempty"` // FILE:LINE:COL: what is wrong; what would be right
	TookS    float64   `json:"took_s"`
}
