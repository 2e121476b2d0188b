// Package control lets commands ask a running program for the state of its
// field devices and have it read their configuration again: HTTP with JSON
// over a Unix socket in the data folder, which only its owner can open.
//
// The types here are what goes over the wire and what `gridwarden devices
// --json` prints. Addresses in them hold no passwords. What the program knows
// and does is behind Service; internal/host implements it, cmd uses Client.
package control
