package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/textfile"
)

const (
	blockBytes  = 1 << 20
	queueBlocks = 4 // blocks read ahead; with the parsed ones they bound the memory
)

// job is one block on its way: parsed by a worker, taken in order. Jobs are
// used again with their memory.
type job struct {
	buf    []byte
	block  textfile.Block
	batch  batch
	parsed chan struct{} // receives one
}

// inOrder reads src block by block, has workers parse the blocks at the same
// time and calls take with each batch in the order of the file. The batch is
// valid during the call.
func inOrder(ctx context.Context, file string, src io.Reader, workers int, newParse func() func(textfile.Block, *batch),
	take func(ctx context.Context, block textfile.Block, b *batch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *job, queueBlocks)
	order := make(chan *job, queueBlocks)
	free := make(chan *job, 2*queueBlocks+workers)
	group.Go(func() error {
		defer close(jobs)
		defer close(order)
		return readBlocks(ctx, textfile.NewBlocks(file, src, blockBytes), free, jobs, order)
	})
	for range workers {
		parse := newParse()
		group.Go(func() error {
			for j := range jobs {
				j.batch.reset()
				parse(j.block, &j.batch)
				j.parsed <- struct{}{}
			}
			return nil
		})
	}
	group.Go(func() error {
		for j := range order {
			select {
			case <-j.parsed:
			case <-ctx.Done():
				return fmt.Errorf("read %s: %w", file, context.Cause(ctx))
			}
			if err := take(ctx, j.block, &j.batch); err != nil {
				return err
			}
			select {
			case free <- j:
			default:
			}
		}
		return nil
	})
	return group.Wait() //nolint:wrapcheck // all three say what they did
}

func readBlocks(ctx context.Context, blocks *textfile.Blocks, free <-chan *job, jobs, order chan<- *job) error {
	for {
		var j *job
		select {
		case j = <-free:
		default:
			j = &job{parsed: make(chan struct{}, 1)}
		}
		var err error
		j.block, err = blocks.Next(j.buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w", err)
		}
		j.buf = j.block.Data
		for _, queue := range []chan<- *job{jobs, order} {
			select {
			case queue <- j:
			case <-ctx.Done():
				return fmt.Errorf("reading stopped: %w", context.Cause(ctx))
			}
		}
	}
}
