package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// Serve turns the process into a plugin that serves the detectors, and does
// not return before the host ends it. Call it from main. Where a detector's
// description is wrong it says so on stderr and exits.
func Serve(detectors ...Detector) {
	server, err := newServer(detectors)
	if err != nil {
		fmt.Fprintf(os.Stderr, "this plugin cannot be served: %v\n", err)
		os.Exit(1) //nolint:forbidigo // Serve stands for the plugin's main
	}
	stop := watchParent(func() { os.Exit(1) }) //nolint:forbidigo // the host is gone, and with it all that could be told
	defer stop()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake(),
		Plugins:         plugin.PluginSet{PluginName: &grpcPlugin{server: server}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(MaxMessageBytes), grpc.MaxSendMsgSize(MaxMessageBytes),
				grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(windowBytes), grpc.ReadBufferSize(bufferBytes))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
}

// Flow control and buffers: a few parts may be on their way, so that host and
// plugin work side by side and do not wait for each other at every record.
const (
	windowBytes = 4 * PartBytes
	bufferBytes = 256 << 10
)

// server implements the wire's service over Detectors.
type server struct {
	detectorv1.UnimplementedDetectorServiceServer
	detectors    map[string]Detector
	descriptions []*detectorv1.Description
}

func newServer(detectors []Detector) (*server, error) {
	if len(detectors) == 0 {
		return nil, errors.New("no detector was given to Serve")
	}
	s := &server{detectors: make(map[string]Detector, len(detectors))}
	for _, d := range detectors {
		description := d.Describe()
		if err := description.Check(); err != nil {
			return nil, fmt.Errorf("detector %q describes itself wrongly: %w", description.Name, err)
		}
		if s.detectors[description.Name] != nil {
			return nil, fmt.Errorf("two detectors are called %q; rename one", description.Name)
		}
		_, configurable := d.(Configurer)
		s.detectors[description.Name] = d
		s.descriptions = append(s.descriptions, PackDescription(&description, configurable))
	}
	return s, nil
}

// Describe implements the service.
func (s *server) Describe(context.Context, *detectorv1.DescribeRequest) (*detectorv1.DescribeResponse, error) {
	return &detectorv1.DescribeResponse{Detectors: s.descriptions}, nil
}

// Configure implements the service.
func (s *server) Configure(_ context.Context, r *detectorv1.ConfigureRequest) (out *detectorv1.ConfigureResponse, err error) {
	d := s.detectors[r.GetDetector()]
	if d == nil {
		return nil, status.Errorf(codes.NotFound, "no detector %q is served here", r.GetDetector())
	}
	configurer, ok := d.(Configurer)
	if !ok {
		return &detectorv1.ConfigureResponse{Errors: []*detectorv1.FieldError{{Message: "the detector takes no configuration; remove it"}}}, nil
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, status.Errorf(codes.Internal, "detector panicked in Configure: %v", p)
		}
	}()
	out = &detectorv1.ConfigureResponse{}
	var fields FieldErrors
	switch err := configurer.Configure(r.GetConfig()); {
	case err == nil:
	case errors.As(err, &fields):
		for _, f := range fields {
			out.Errors = append(out.Errors, &detectorv1.FieldError{Field: f.Field, Message: f.Message})
		}
	default:
		out.Errors = []*detectorv1.FieldError{{Message: err.Error()}}
	}
	return out, nil
}

// Evaluate implements the service: windows are judged side by side as they
// come in, up to the number of processors.
func (s *server) Evaluate(stream detectorv1.DetectorService_EvaluateServer) error {
	opening, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("receiving the opening: %w", err)
	}
	d := s.detectors[opening.GetOpen().GetDetector()]
	if d == nil {
		return status.Errorf(codes.NotFound, "no detector %q is served here", opening.GetOpen().GetDetector())
	}
	replies := &replies{stream: stream}
	group, ctx := errgroup.WithContext(stream.Context())
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	receive := func() error {
		var assembler WindowAssembler
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				if assembler.Pending() {
					return status.Error(codes.InvalidArgument, "the stream ended within a window")
				}
				return nil
			}
			if err != nil {
				return fmt.Errorf("receiving windows: %w", err)
			}
			w, err := assembler.Add(m.GetPart())
			if err != nil {
				return status.Error(codes.InvalidArgument, err.Error())
			}
			if w != nil {
				group.Go(func() error { return replies.judge(ctx, d, w) })
			}
		}
	}
	err = receive()
	return errors.Join(err, group.Wait())
}

// replies sends one window's report after the other.
type replies struct {
	mu     sync.Mutex
	stream detectorv1.DetectorService_EvaluateServer
}

func (r *replies) judge(ctx context.Context, d Detector, w *Window) error {
	report, err := Judge(ctx, d, w)
	done := &detectorv1.Done{}
	var messages []*detectorv1.EvaluateResponse
	if err != nil {
		done.Error = clipLong(err.Error())
	} else {
		messages = ReportMessages(w.ID, report)
	}
	messages = append(messages, &detectorv1.EvaluateResponse{WindowId: w.ID, Message: &detectorv1.EvaluateResponse_Done{Done: done}})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		if err := r.stream.Send(m); err != nil {
			return fmt.Errorf("sending a report: %w", err)
		}
	}
	return nil
}
