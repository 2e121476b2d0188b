package host

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// StreamDesk is the stream for commands while no program runs here: that of
// the servers that the configuration names, or the one in the data folder.
type StreamDesk struct {
	streamView
}

// OpenStreamDesk connects to the stream's servers as they are, or opens the
// data folder, which then is nobody else's until Close.
func OpenStreamDesk(ctx context.Context, cfg *config.Config) (*StreamDesk, error) {
	c := StreamConfig(cfg, slog.New(slog.DiscardHandler))
	// A look at the files joins no hub and lets nobody in.
	c.Leaf, c.Listen = nil, nil
	c.AsIs = c.URL != ""
	if c.URL == "" {
		if _, err := os.Stat(c.Dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no stream in %s yet; start the program once", cfg.DataDir)
		}
	}
	s, err := stream.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return &StreamDesk{streamView{s}}, nil
}

// Close ends the look.
func (d *StreamDesk) Close() { d.stream.Close() }

// streamView shows a stream to commands.
type streamView struct{ stream *stream.Stream }

// Deployment implements control.StreamService.
func (v streamView) Deployment(ctx context.Context) (*control.Deployment, error) {
	links, err := v.stream.Links(ctx)
	if err != nil {
		return nil, err
	}
	out := &control.Deployment{Guarantee: v.stream.Guarantee().Words()}
	for _, l := range links {
		out.Links = append(out.Links, control.Link(l))
	}
	return out, nil
}

// Topics implements control.StreamService.
func (v streamView) Topics(ctx context.Context) ([]control.Topic, error) {
	states, err := v.stream.States(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]control.Topic, len(states))
	for i := range states {
		s := &states[i]
		out[i] = control.Topic{
			Topic: string(s.Topic), Messages: s.Messages, Bytes: s.Bytes, MaxBytes: s.MaxBytes, MaxAgeS: s.MaxAge.Seconds(),
			Replicas: s.Replicas, Oldest: s.Oldest, Consumers: make([]control.Consumer, len(s.Consumers)),
		}
		for k, c := range s.Consumers {
			kind := "acknowledging"
			if c.Positioned {
				kind = "positioned"
			}
			out[i].Consumers[k] = control.Consumer{Name: c.Name, Kind: kind, Backlog: c.Backlog, Unread: c.Unread, Danger: c.Danger}
		}
	}
	return out, nil
}

// DeadLetters implements control.StreamService.
func (v streamView) DeadLetters(ctx context.Context, after uint64, limit int) ([]control.DeadLetter, error) {
	list, err := v.stream.DeadLetters(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]control.DeadLetter, len(list))
	for i := range list {
		out[i] = controlLetter(&list[i])
	}
	return out, nil
}

// DeadLetter implements control.StreamService.
func (v streamView) DeadLetter(ctx context.Context, seq uint64) (*control.DeadLetter, error) {
	l, err := v.stream.DeadLetter(ctx, seq)
	if err != nil {
		return nil, noLetter(err)
	}
	out := controlLetter(&l)
	openLetter(&out, &l)
	return &out, nil
}

// ReplayDead implements control.StreamService.
func (v streamView) ReplayDead(ctx context.Context, seq uint64) error {
	return noLetter(v.stream.Replay(ctx, seq))
}

// DiscardDead implements control.StreamService.
func (v streamView) DiscardDead(ctx context.Context, seq uint64) error {
	return noLetter(v.stream.Discard(ctx, seq))
}

// noLetter gives the stream's ErrNoLetter the name that commands know.
func noLetter(err error) error {
	if errors.Is(err, stream.ErrNoLetter) {
		return letterError{err}
	}
	return err
}

// letterError is control.ErrNoLetter in the stream's words.
type letterError struct{ error }

// Is makes it control.ErrNoLetter.
func (letterError) Is(target error) bool { return target == control.ErrNoLetter }

func controlLetter(l *stream.DeadLetter) control.DeadLetter {
	return control.DeadLetter{
		Seq: l.Seq, Time: l.Time, Topic: string(l.Topic), Subject: l.Subject, ID: l.ID,
		Consumer: l.Consumer, Reason: l.Reason, Bytes: len(l.Data),
	}
}

// hexBytes is how much is shown of a message that cannot be read.
const hexBytes = 256

// openLetter shows the content: readings decoded, of other topics the JSON.
func openLetter(out *control.DeadLetter, l *stream.DeadLetter) {
	if l.Topic != stream.Readings && json.Valid(l.Data) {
		out.JSON = l.Data
		return
	}
	readings, err := stream.Decode(l.Data)
	if l.Topic != stream.Readings || err != nil {
		out.Undecoded = "not JSON"
		if err != nil && l.Topic == stream.Readings {
			out.Undecoded = err.Error()
		}
		out.Hex = hex.EncodeToString(l.Data[:min(len(l.Data), hexBytes)])
		return
	}
	out.Readings = make([]control.LetterReading, len(readings))
	for i := range readings {
		r := &readings[i]
		out.Readings[i] = control.LetterReading{
			Device: r.DeviceID, Meter: r.MeterID, Quantity: string(r.Quantity), Unit: string(r.Quantity.Unit()), Quality: r.Quality.String(),
			Flags: flagNames(r.Flags), Detail: r.Detail, EventTime: r.EventTime, ReceiveTime: r.ReceiveTime,
		}
		if !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0) {
			out.Readings[i].Value = &r.Value
		}
	}
}
