package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// Names of the files of real loads.
const (
	homesFile     = "households-halfhourly.csv.gz"
	buildingsFile = "buildings-hourly.csv.gz"
	usualFolder   = "../shared/data"
	variable      = "GRIDWARDEN_DATA"
)

// source is where the hosts come from, for the report.
type source struct {
	hosts []accuracy.Load
	real  bool
	words string
}

// readHosts takes the real loads from the folder that was named, by flag or
// environment, or from the usual one; without any it simulates.
func readHosts(ctx context.Context, folder string, part accuracy.Part) (*source, error) {
	named := folder != ""
	if !named {
		folder = os.Getenv(variable)
		named = folder != ""
	}
	if !named {
		folder = usualFolder
	}
	homes, others := filepath.Join(folder, homesFile), filepath.Join(folder, buildingsFile)
	_, err := os.Stat(homes)
	if err == nil {
		_, err = os.Stat(others)
	}
	if err != nil && named {
		return nil, fmt.Errorf("%w; name the folder that holds %s and %s with -data DIR or %s, or leave both out to take simulated loads", err, homesFile, buildingsFile, variable)
	}
	if err != nil {
		hosts, err := accuracy.SimulatedHosts(ctx, 4711, until, 92, part)
		if err != nil {
			return nil, err
		}
		return &source{hosts: hosts, words: fmt.Sprintf(
			"There are no real loads in %s: the hosts are %d innocent customers of the simulated district (seed 4711, 92 days). Such figures say little about real customers; name real loads with -data DIR or %s.",
			usualFolder, len(hosts), variable)}, nil
	}
	hosts, err := accuracy.ReadHosts(homes, others, part)
	if err != nil {
		return nil, err
	}
	n := 0
	for i := range hosts {
		if hosts[i].Category == "residential" {
			n++
		}
	}
	return &source{hosts: hosts, real: true, words: fmt.Sprintf(
		"Hosts: the %s part of the real loads, %d homes (half-hourly, a spring) and %d university buildings (hourly, a year each), presumed normal.", part, n, len(hosts)-n)}, nil
}
