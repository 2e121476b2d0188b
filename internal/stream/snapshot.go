package stream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Snapshots go through JetStream's own interface: they keep sequences,
// message ids and the state of consumers, and are consistent in themselves.
const (
	snapshotChunk  = 256 << 10
	snapshotWindow = 2 << 20
	snapshotWait   = 30 * time.Second // without a sign of the server
	snapshotHead   = 1 << 20          // bytes that the first line may have
)

// SnapshotInfo is the first line of a snapshot: which stream it is of.
type SnapshotInfo struct {
	Topic    Topic  `json:"topic"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`

	Config json.RawMessage `json:"config"` // JetStream's own
	State  json.RawMessage `json:"state"`
}

// ErrNoStream is returned for a topic whose stream is not there.
var ErrNoStream = errors.New("there is no such stream")

// apiError is how JetStream says what is wrong.
type apiError struct {
	Error *struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
	} `json:"error"`
}

func (e apiError) err() error {
	if e.Error == nil {
		return nil
	}
	return errors.New(e.Error.Description)
}

// Snapshot writes a topic's stream as it is at this moment: a line with
// SnapshotInfo and JetStream's own snapshot, consumers included. Others go on
// publishing and reading meanwhile.
func (s *Stream) Snapshot(ctx context.Context, topic Topic, w io.Writer) (*SnapshotInfo, error) {
	info, err := s.snapshot(ctx, topic, w)
	if err != nil {
		return nil, fmt.Errorf("snapshot of the stream %s: %w", topic, err)
	}
	return info, nil
}

func (s *Stream) snapshot(ctx context.Context, topic Topic, w io.Writer) (*SnapshotInfo, error) {
	if _, err := s.js.Stream(ctx, string(topic)); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoStream
	} else if err != nil {
		return nil, err //nolint:wrapcheck // Snapshot says of what
	}
	inbox := s.conn.NewInbox()
	sub, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err //nolint:wrapcheck // Snapshot says of what
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil { // the window bounds what is under way
		return nil, err //nolint:wrapcheck // Snapshot says of what
	}
	var answer struct {
		apiError
		Config json.RawMessage `json:"config"`
		State  json.RawMessage `json:"state"`
	}
	request := map[string]any{"deliver_subject": inbox, "chunk_size": snapshotChunk, "window_size": snapshotWindow}
	if err := s.ask(ctx, "$JS.API.STREAM.SNAPSHOT."+string(topic), request, &answer); err != nil {
		return nil, err
	}
	if err := answer.err(); err != nil {
		return nil, err
	}
	info := &SnapshotInfo{Topic: topic, Config: answer.Config, State: answer.State}
	if err := json.Unmarshal(answer.State, info); err != nil { // the same names
		return nil, fmt.Errorf("state: %w", err)
	}
	head, err := json.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return nil, err //nolint:wrapcheck // the writer's own
	}
	return info, s.takeChunks(ctx, sub, w)
}

// takeChunks writes what comes until the empty message at the end, which says
// whether all is well.
func (s *Stream) takeChunks(ctx context.Context, sub *nats.Subscription, w io.Writer) error {
	for {
		waiting, cancel := context.WithTimeoutCause(ctx, snapshotWait, errors.New("the server has fallen silent"))
		m, err := sub.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			if ctx.Err() == nil && waiting.Err() != nil {
				err = context.Cause(waiting)
			}
			return err //nolint:wrapcheck // Snapshot says of what
		}
		if len(m.Data) == 0 {
			if code := m.Header.Get("Status"); code != "" && code != "204" {
				return fmt.Errorf("the server gave up: %s %s", code, m.Header.Get("Description"))
			}
			return nil
		}
		if _, err := w.Write(m.Data); err != nil {
			return err //nolint:wrapcheck // the writer's own
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return err //nolint:wrapcheck // Snapshot says of what
			}
		}
	}
}

// ask sends a request to JetStream's interface.
func (s *Stream) ask(ctx context.Context, subject string, request, answer any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	m, err := s.request(ctx, subject, data)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("answer of the server: %w", err)
	}
	return nil
}

func (s *Stream) request(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, snapshotWait, errors.New("the server has fallen silent"))
	defer cancel()
	m, err := s.conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err //nolint:wrapcheck // callers say of what
	}
	return m, nil
}

// RestoreSnapshot makes the stream that a snapshot is of. It must not be there
// yet: open this Stream with Config.AsIs. The stream gets the replicas of this
// configuration.
func (s *Stream) RestoreSnapshot(ctx context.Context, r io.Reader) (*SnapshotInfo, error) {
	in := bufio.NewReaderSize(r, snapshotChunk)
	info, err := ReadSnapshotInfo(in)
	if err != nil {
		return nil, err
	}
	if err := s.restoreSnapshot(ctx, info, in); err != nil {
		return nil, fmt.Errorf("restore of the stream %s: %w", info.Topic, err)
	}
	return info, nil
}

// ReadSnapshotInfo reads the first line of a snapshot, which may be anything.
func ReadSnapshotInfo(in *bufio.Reader) (*SnapshotInfo, error) {
	var head []byte
	for {
		part, err := in.ReadSlice('\n')
		head = append(head, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(head) > snapshotHead {
			return nil, fmt.Errorf("snapshot of a stream: it has no first line (%w)", err)
		}
	}
	d := json.NewDecoder(bytes.NewReader(head))
	d.DisallowUnknownFields()
	info := &SnapshotInfo{}
	if err := d.Decode(info); err != nil {
		return nil, fmt.Errorf("snapshot of a stream: first line: %w", err)
	}
	for _, t := range Topics() {
		if info.Topic == t {
			return info, nil
		}
	}
	return nil, fmt.Errorf("snapshot of a stream %q, which is none of this program's", cut(string(info.Topic)))
}

func (s *Stream) restoreSnapshot(ctx context.Context, info *SnapshotInfo, in io.Reader) error {
	var config map[string]json.RawMessage
	if err := json.Unmarshal(info.Config, &config); err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	// Where it stood before says nothing about where it will stand.
	config["name"], _ = json.Marshal(info.Topic)
	config["num_replicas"], _ = json.Marshal(s.cfg.Replicas)
	delete(config, "placement")
	var answer struct {
		apiError
		DeliverSubject string `json:"deliver_subject"`
	}
	request := map[string]any{"config": config, "state": info.State}
	if err := s.ask(ctx, "$JS.API.STREAM.RESTORE."+string(info.Topic), request, &answer); err != nil {
		return err
	}
	if err := answer.err(); err != nil {
		return err
	}
	chunk := make([]byte, snapshotChunk)
	for {
		n, err := io.ReadFull(in, chunk)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err //nolint:wrapcheck // the reader's own
		}
		if n > 0 {
			if sendErr := s.sendChunk(ctx, answer.DeliverSubject, chunk[:n]); sendErr != nil {
				return sendErr
			}
		}
		if err != nil {
			break
		}
	}
	return s.sendChunk(ctx, answer.DeliverSubject, nil) // the end, whose answer says how it went
}

func (s *Stream) sendChunk(ctx context.Context, subject string, chunk []byte) error {
	m, err := s.request(ctx, subject, chunk)
	if err != nil {
		return err
	}
	var answer apiError
	if len(m.Data) > 0 {
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return fmt.Errorf("answer of the server: %w", err)
		}
	}
	return answer.err()
}
