// Package poll reads every configured device at its own pace and hands the
// readings on, each with its quality.
//
// Devices wake in slots of some milliseconds, spread evenly over their
// interval, and are read by as many workers as their connection bears. A
// device that is still being read when its next turn comes misses that turn;
// turns are counted, never piled up. A failed read is delivered as readings
// of bad quality. When the sink stalls, readings wait in memory up to a bound,
// then reading itself waits and turns are missed; nothing read is dropped.
//
// No protocol is spoken here (see drivers) and nothing is stored. It may be
// imported by internal/host and cmd; the console sees DeviceStatus only.
package poll
