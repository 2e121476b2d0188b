package host

import "github.com/gridwarden/gridwarden/internal/control"

// clusterView shows the cluster to commands.
type clusterView struct{ h *Host }

// Cluster implements control.ClusterService.
func (v clusterView) Cluster() (*control.Cluster, error) {
	if v.h.tenancy == nil {
		return nil, control.ErrNoCluster
	}
	s := v.h.tenancy.member.State()
	out := &control.Cluster{Host: s.Host, LeaseHolds: s.Valid, Leader: s.Leader}
	has := make(map[string]int)
	for i := range s.Partitions {
		p := &s.Partitions[i]
		shown := control.ClusterPartition{Partition: p.Partition}
		if p.Live {
			shown.Host, shown.Token, shown.Since = p.Host, p.Token, p.Since
			has[p.Host]++
		}
		out.Partitions = append(out.Partitions, shown)
	}
	for i := range s.Hosts {
		h := &s.Hosts[i]
		state := "live"
		switch {
		case !h.Live:
			state = "gone"
		case h.Leaving:
			state = "leaving"
		case h.Unfit:
			state = "unfit"
		}
		out.Hosts = append(out.Hosts, control.ClusterHost{
			Host: h.Name, State: state, SilentS: h.Silent.Seconds(), Started: h.Started, Console: h.Address, Version: h.Version,
			Partitions: has[h.Name], Devices: h.Digest,
		})
	}
	return out, nil
}
