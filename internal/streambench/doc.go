// Command streambench measures the streams, the historian, curves and their
// storage against limits: how fast the stream drains into InfluxDB, what an
// outage and a kill leave behind, how fast exports are read, judged and stored.
//
//	make bench-streams                    all cases
//	make bench-streams CASES="scan"       some of them
//	streambench -cases list               what there is
//	streambench -small                    the same with little data, as a quick check
//
// A case is a file of this folder with one function; the list is in case.go.
// What needs memory of its own measured runs as a part: the same program once
// more, in a process of its own. It prints a table at the end and exits with 1
// where a limit is missed. RESULTS.md keeps what was measured (-write).
package main
