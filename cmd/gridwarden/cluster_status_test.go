package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/control"
)

func TestClusterStatusShowsWhoHasWhat(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	state := control.Cluster{
		Host: "west", LeaseHolds: true, Leader: "east",
		Hosts: []control.ClusterHost{
			{Host: "east", State: "live", SilentS: .4, Started: now.Add(-time.Hour), Console: "10.0.0.1:8480", Version: "v1", Partitions: 1, Devices: "a"},
			{Host: "west", State: "gone", SilentS: 61, Started: now.Add(-time.Hour), Version: "v1", Devices: "b"},
		},
		Partitions: []control.ClusterPartition{{Partition: 0, Host: "east", Token: 4711, Since: now.Add(-time.Minute)}, {Partition: 1}},
	}
	var b strings.Builder
	if err := showCluster(&b, &state, time.UTC, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"HOST  STATE  LEADS  PARTITIONS  HEARD", "east  live   yes    1           0.4 s ago", "west  gone   -      0           61.0 s ago",
		"PARTITION  HOST  TOKEN  SINCE", "0          east  4711", "1          -     -      -",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestClusterStatusFailsWhereDevicesAreNotPolled(t *testing.T) {
	good := func() *control.Cluster {
		return &control.Cluster{
			Host: "west", LeaseHolds: true, Leader: "west", Hosts: []control.ClusterHost{{Host: "west", State: "live", Devices: "a"}},
			Partitions: []control.ClusterPartition{{Host: "west", Token: 1}},
		}
	}
	for name, c := range map[string]struct {
		change func(*control.Cluster)
		want   string
	}{
		"in order":   {func(*control.Cluster) {}, ""},
		"a lapse":    {func(c *control.Cluster) { c.LeaseHolds = false }, "the lease of host west does not hold"},
		"a free one": {func(c *control.Cluster) { c.Partitions[0] = control.ClusterPartition{} }, "1 of 1 partitions are with no host"},
		"other devices": {func(c *control.Cluster) {
			c.Hosts = append(c.Hosts, control.ClusterHost{Host: "east", State: "live", Devices: "b"})
		}, "do not have the same devices"},
		"a dead host's": {func(c *control.Cluster) {
			c.Hosts = append(c.Hosts, control.ClusterHost{Host: "east", State: "gone", Devices: "b"})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state := good()
			c.change(state)
			err := inDisorder(state)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}
