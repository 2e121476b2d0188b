package cluster

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Keys of the bucket.
const (
	hostPrefix      = "host."
	partitionPrefix = "partition."
	leaderKey       = "leader"
)

// identity is one run of a host: a process that starts again is another.
type identity struct {
	Host     string `json:"host"`
	Instance string `json:"instance,omitempty"`
}

// heartbeat is the value of a host's key.
type heartbeat struct {
	identity

	Beat    uint64    `json:"beat"` // counts
	Started time.Time `json:"started"`
	Address string    `json:"address,omitempty"`
	Version string    `json:"version,omitempty"`
	Digest  string    `json:"digest,omitempty"`
	Unfit   bool      `json:"unfit,omitempty"`   // could not do what it was given
	Leaving bool      `json:"leaving,omitempty"` // gives everything up
}

// holding is the value of a partition's and the leader's key. No host holds it
// where Host is empty.
type holding struct {
	identity

	Token uint64    `json:"token,omitempty"`
	Since time.Time `json:"since"`
}

func keyOf(slot, partitions int) string {
	if slot == partitions {
		return leaderKey
	}
	return partitionPrefix + strconv.Itoa(slot)
}

// change is one key's value as the bucket shows it.
type change struct {
	key      string
	revision uint64
	deleted  bool
	data     []byte
}

// slotOf returns which holding a key is, or -1.
func slotOf(key string, partitions int) int {
	if key == leaderKey {
		return partitions
	}
	number, ok := strings.CutPrefix(key, partitionPrefix)
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= partitions {
		return -1
	}
	return n
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil { // structs of plain fields do encode
		return []byte("{}")
	}
	return data
}

func decode(c *change, v any) error {
	if c.deleted {
		return nil
	}
	if err := json.Unmarshal(c.data, v); err != nil {
		return fmt.Errorf("key %s of the cluster's bucket: %w; delete it there", c.key, err)
	}
	return nil
}
