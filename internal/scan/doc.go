// Package scan is the offline analysis of an AMI export: registry files and
// readings in, findings out, no server and nothing stored. Parsing, validation,
// features and detection are those of the running program.
//
// cmd and host import it; it imports ingest, detect and cases.
package scan
