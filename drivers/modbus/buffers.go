package modbus

import (
	"sync"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// buffers lends the slices that reads fill and their callers copy from.
type buffers struct{ pool sync.Pool }

func (b *buffers) get(n int) []meter.Reading {
	if kept, ok := b.pool.Get().(*[]meter.Reading); ok && cap(*kept) >= n {
		return (*kept)[:n]
	}
	return make([]meter.Reading, n)
}

// put takes a slice back. What it refers to is let go.
func (b *buffers) put(list []meter.Reading) {
	clear(list)
	b.pool.Put(&list)
}
