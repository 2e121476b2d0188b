//go:build !linux

package detect

import "time"

// watchable says that this system does not tell what processes use.
const watchable = false

type task struct {
	pid int
	cpu time.Duration
	rss int64
}

type tree struct{ root int }

func (*tree) kill() {}

func newTree(string) *tree { return &tree{} }

func (*tree) members([]task) []task { return nil }

func tasks() []task { return nil }

func pause([]task) {}

func resume([]task) {}

func fairMemory([]task) int64 { return 0 }

func highWater(int) int64 { return 0 }

func confine(int, Limits) {}

func systemMemory() int64 { return 0 }
