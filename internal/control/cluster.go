package control

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// ErrNoCluster is said by a program that shares nothing with other hosts.
var ErrNoCluster = errors.New("this program is in no cluster; name its host under cluster.host")

// ClusterService is what a program that can be in a cluster answers besides.
type ClusterService interface {
	// Cluster returns the cluster as the program sees it, or ErrNoCluster.
	Cluster() (*Cluster, error)
}

// Cluster is a cluster as one of its hosts sees it.
type Cluster struct {
	Host       string             `json:"host"`        // who says so
	LeaseHolds bool               `json:"lease_holds"` // of that host
	Leader     string             `json:"leader"`      // empty where there is none
	Hosts      []ClusterHost      `json:"hosts"`
	Partitions []ClusterPartition `json:"partitions"`
}

// ClusterHost is a member.
type ClusterHost struct {
	Host       string    `json:"host"`
	State      string    `json:"state"` // live, leaving, unfit or gone
	SilentS    float64   `json:"silent_s"`
	Started    time.Time `json:"started"`
	Console    string    `json:"console"`
	Version    string    `json:"version"`
	Partitions int       `json:"partitions"`
	// Devices is a digest of the devices and their partitions, which must be
	// the same at all hosts.
	Devices string `json:"devices"`
}

// ClusterPartition is a part of the devices.
type ClusterPartition struct {
	Partition int       `json:"partition"`
	Host      string    `json:"host"`  // empty where nobody has it
	Token     uint64    `json:"token"` // of its claim in the stream; 0 while it is being taken
	Since     time.Time `json:"since,omitzero"`
}

func serveCluster(mux *http.ServeMux, service ClusterService) {
	mux.HandleFunc("GET /cluster", func(w http.ResponseWriter, _ *http.Request) {
		state, err := service.Cluster()
		if err != nil {
			answer(w, http.StatusConflict, problem{err.Error()})
			return
		}
		answer(w, http.StatusOK, state)
	})
}

// Cluster returns the cluster as the program sees it.
func (c *Client) Cluster(ctx context.Context) (*Cluster, error) {
	var state Cluster
	if _, err := c.ask(ctx, http.MethodGet, "/cluster", &state); err != nil {
		return nil, err
	}
	return &state, nil
}
