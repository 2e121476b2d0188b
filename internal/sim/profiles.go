package sim

import (
	"embed"
	"io/fs"
)

//go:embed profiles/*.yaml
var profileFiles embed.FS

// Profiles of the simulated devices, one YAML file each, all marked simulated.
// The servers lay their values out by these very files.
func Profiles() fs.FS {
	sub, err := fs.Sub(profileFiles, "profiles")
	if err != nil {
		return profileFiles // cannot be: the folder is embedded above
	}
	return sub
}

// Names of the profiles.
const (
	profile1PFloat     = "sim-1p-float"
	profile1PInt       = "sim-1p-int"
	profile3PFloat     = "sim-3p-float"
	profile3PInt       = "sim-3p-int"
	profileTransformer = "sim-transformer-meter"
	profileMonitor     = "sim-transformer-monitor"
	profileSubstation  = "sim-substation"
)
