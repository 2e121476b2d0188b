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

// job is one block on its way: parsed by a worker, taken in order.
type job struct {
	block textfile.Block
	batch chan *batch // receives one
}

// inOrder reads src block by block, has workers parse the blocks at the same
// time and calls take with each batch in the order of the file.
func inOrder(ctx context.Context, file string, src io.Reader, workers int, newParse func() func(textfile.Block) *batch,
	take func(ctx context.Context, block textfile.Block, b *batch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *job, queueBlocks)
	order := make(chan *job, queueBlocks)
	free := make(chan []byte, 2*queueBlocks+workers)
	group.Go(func() error {
		defer close(jobs)
		defer close(order)
		return readBlocks(ctx, textfile.NewBlocks(file, src, blockBytes), free, jobs, order)
	})
	for range workers {
		parse := newParse()
		group.Go(func() error {
			for j := range jobs {
				j.batch <- parse(j.block)
			}
			return nil
		})
	}
	group.Go(func() error {
		for j := range order {
			select {
			case b := <-j.batch:
				if err := take(ctx, j.block, b); err != nil {
					return err
				}
				select {
				case free <- j.block.Data:
				default:
				}
			case <-ctx.Done():
				return fmt.Errorf("read %s: %w", file, context.Cause(ctx))
			}
		}
		return nil
	})
	return group.Wait() //nolint:wrapcheck // all three say what they did
}

func readBlocks(ctx context.Context, blocks *textfile.Blocks, free <-chan []byte, jobs, order chan<- *job) error {
	for {
		var buf []byte
		select {
		case buf = <-free:
		default:
		}
		block, err := blocks.Next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w", err)
		}
		j := &job{block: block, batch: make(chan *batch, 1)}
		for _, queue := range []chan<- *job{jobs, order} {
			select {
			case queue <- j:
			case <-ctx.Done():
				return fmt.Errorf("reading stopped: %w", context.Cause(ctx))
			}
		}
	}
}
