// Package energybalance is the detector of energy that leaves a transformer
// and arrives at no meter. It models the technical losses, explains what
// remains, hour by hour, by the few things that can be behind it (a constant
// load behind no meter, a customer of whom only a share is registered, a
// customer who hangs elsewhere, lamps that nobody wrote down) and tells theft
// from errors in the records. It names a customer only where the customer's
// own load points at itself.
//
// It imports the plugin SDK and the standard library only.
package energybalance
