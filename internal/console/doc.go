// Package console is the web desk: server-rendered pages for the control room
// and for revenue protection, their style sheets and two small scripts.
//
// What it reads comes through Config: values, small interfaces and functions
// that it defines itself, so that it can be served over anything that answers
// them. It computes nothing that is judged; it words, ranks and draws what the
// services found. Drivers, SQL and detectors are out of its reach.
//
// Pages need no script and no inline style: charts are SVG drawn in package
// chart at design width, and the scripts only move the keyboard through the
// queue and refresh what changed. Only host imports console.
package console
