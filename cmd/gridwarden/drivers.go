package main

import (
	"log/slog"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/opcua"
	"github.com/gridwarden/gridwarden/internal/config"
)

// linkDrivers is the one place that says which field protocols the program
// speaks. Without a configuration they keep nothing on disk.
func linkDrivers(cfg *config.Config, logger *slog.Logger) *drivers.Registry {
	return drivers.NewRegistry(modbus.New(modbus.Options{}), opcua.New(opcuaOptions(cfg, logger)))
}
