// Command runner measures how well a collector polls. For each case it writes
// the collector's configuration, starts the simulator (package main of folder
// sim) and the collector, lets them warm up, and watches a window: which polls
// arrived, whether each of their values is one that the simulator served at
// that time, and what processor time and memory the collector's whole process
// tree took. It prints one JSON line a case, then a table beside a recorded
// baseline.
//
//	runner -cases "ports-1000 gw-1000"    some cases; all where -cases is empty
//	runner -cases list                    what there is
//	runner -cases largest                 the most devices at 1 s with 99.9 % delivered
//	runner -cases path                    the poll path against raw request and response
//	runner -label mine -mode ports -n 50  a case of one's own
//
// Other collectors than Gridwarden:
//
//	runner -collector "/path/telegraf --config {cfg}" -gen telegraf -out stdout
//	runner -collector "/path/other {cfg}" -gen cmd:/path/mkcfg -out influx
//
// {cfg} is replaced by a generated configuration: -gen telegraf writes one for
// that program, -gen json hands over the list of devices as JSON, -gen
// cmd:PROG runs PROG devices.json out.cfg. The collector writes line protocol
// to standard output, or to the InfluxDB v2 write API at -sink (org o, bucket
// b, token t). Lines of the measurement "meter" count; the device is in the
// tag device or device_id, values are in the fields f0 to f4 and u0 to u4 or
// in those of Gridwarden's profile; FIELD.quality says that a value is not
// good.
package main
