package main

import (
	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/opcua"
)

// linkDrivers is the one place that says which field protocols the program speaks.
func linkDrivers() *drivers.Registry {
	return drivers.NewRegistry(modbus.New(modbus.Options{}), opcua.New(opcua.Options{}))
}
