package host

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// SnapshotStream implements control.BackupService.
func (v streamView) SnapshotStream(ctx context.Context, topic string, w io.Writer) error {
	_, err := v.stream.Snapshot(ctx, stream.Topic(topic), w)
	if errors.Is(err, stream.ErrNoStream) {
		return fmt.Errorf("%w: %w", control.ErrNoTopic, err)
	}
	return err
}
