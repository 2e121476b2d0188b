package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// How long a program may take to start, and to answer one window of the suite.
const (
	startPatience  = time.Minute
	windowPatience = 2 * time.Minute
)

// Program is a plugin's executable that was started as a host starts it, over
// gRPC with mutual TLS. Close must be called.
type Program struct {
	client    *plugin.Client
	service   detectorv1.DetectorServiceClient
	sockets   string
	detectors []*detectorv1.Description
}

// Start starts a plugin, in whatever language it is written, and asks what it
// serves. What it writes to stderr goes to log.
func Start(ctx context.Context, path string, log io.Writer) (*Program, error) {
	sockets, err := os.MkdirTemp("", "sdktest-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for its socket: %w", err)
	}
	p := &Program{sockets: sockets}
	if err := p.start(ctx, path, log); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Program) start(ctx context.Context, path string, log io.Writer) error {
	cmd := exec.Command(path) //nolint:gosec // the caller says which program is to be tested
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.Getenv("TMPDIR"), plugin.EnvUnixSocketDir + "=" + p.sockets,
		sdk.HostPIDEnv + "=" + strconv.Itoa(os.Getpid()),
	}
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.HostPlugins(), Cmd: cmd, AutoMTLS: true, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, StartTimeout: startPatience, Stderr: log, Logger: hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(sdk.MaxMessageBytes))},
	})
	connection, err := p.client.Client()
	if err != nil {
		return fmt.Errorf("%s does not start as a plugin: %w", path, err)
	}
	dispensed, err := connection.Dispense(sdk.PluginName)
	if err != nil {
		return fmt.Errorf("reaching its detectors: %w", err)
	}
	var ok bool
	if p.service, ok = dispensed.(detectorv1.DetectorServiceClient); !ok {
		return errors.New("it dispenses something else than detectors")
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	answer, err := p.service.Describe(ctx, &detectorv1.DescribeRequest{})
	if err != nil {
		return fmt.Errorf("it does not say what it serves: %w", err)
	}
	if p.detectors = answer.GetDetectors(); len(p.detectors) == 0 {
		return errors.New("it serves no detector")
	}
	return nil
}

// Close ends the program and waits until it is gone.
func (p *Program) Close() {
	if p.client != nil {
		p.client.Kill()
	}
	_ = os.RemoveAll(p.sockets)
}

// Detectors returns what the program serves, for Checks and tests of one's
// own: windows and reports go over the wire. An error names a detector that
// describes itself wrongly.
func (p *Program) Detectors() ([]sdk.Detector, error) {
	var out []sdk.Detector
	for _, packed := range p.detectors {
		d, err := sdk.UnpackDescription(packed)
		if err != nil {
			return nil, fmt.Errorf("detector %q describes itself wrongly: %w", packed.GetName(), err)
		}
		r := remote{program: p, name: d.Name}
		if packed.GetConfigurable() {
			out = append(out, configurable{r})
		} else {
			out = append(out, r)
		}
	}
	return out, nil
}

// ProgramChecks lists the suite for detectors of a program: Checks, and what
// only a process can get wrong.
func ProgramChecks() []Check {
	out := slices.DeleteFunc(Checks(), func(c Check) bool {
		// The first two look at memory that the wire keeps apart anyway.
		return c.Name == "window left alone" || c.Name == "survives the wire" || c.Name == "ends when cancelled"
	})
	return append(out, Check{"answers after a run was cancelled", answersAfterCancel})
}

// remote is a detector at the other end of the wire.
type remote struct {
	program *Program
	name    string
}

// Describe implements sdk.Detector; it asks the program each time.
func (r remote) Describe() sdk.Description {
	ctx, cancel := context.WithTimeout(context.Background(), windowPatience)
	defer cancel()
	answer, err := r.program.service.Describe(ctx, &detectorv1.DescribeRequest{})
	if err != nil {
		return sdk.Description{Name: r.name, Summary: err.Error()} // Check finds it wanting
	}
	for _, packed := range answer.GetDetectors() {
		if d, err := sdk.UnpackDescription(packed); err == nil && d.Name == r.name {
			return d
		}
	}
	return sdk.Description{}
}

// Evaluate implements sdk.Detector: one stream for one window.
func (r remote) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	ctx, cancel := context.WithTimeout(ctx, windowPatience)
	defer cancel()
	stream, err := r.program.service.Evaluate(ctx)
	if err != nil {
		return fmt.Errorf("opening a run: %w", err)
	}
	if err := stream.Send(&detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Open{Open: &detectorv1.Open{Detector: r.name}}}); err != nil {
		return fmt.Errorf("naming the detector: %w", err)
	}
	for part := range sdk.WindowParts(w, sdk.PartBytes) {
		if err := stream.Send(&detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Part{Part: part}}); err != nil {
			break // why shows in the answer
		}
	}
	_ = stream.CloseSend() // the same
	assembler := sdk.NewReportAssembler(w)
	var report *sdk.Report
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("its process or its answer failed: %w", err)
		}
		if report != nil || m.GetWindowId() != w.ID {
			return fmt.Errorf("an answer about window %d after window %d was done", m.GetWindowId(), w.ID)
		}
		if report, err = assembler.Add(m); err != nil {
			return fmt.Errorf("its answer: %w", err)
		}
	}
	if report == nil {
		return errors.New("the stream ended before the window was done")
	}
	pour(report, out)
	return nil
}

// pour puts what one report says into another.
func pour(from, to *sdk.Report) {
	for subject, p := range from.Scores() {
		to.Score(subject, p)
	}
	for subject, values := range from.Measures() {
		for name, v := range values {
			to.Measure(subject, name, v)
		}
	}
	for _, f := range from.Findings() {
		to.Add(f)
	}
	to.RequestCurves(from.Requests()...)
}

// configurable is a remote detector that takes configuration.
type configurable struct{ remote }

// Configure implements sdk.Configurer.
func (c configurable) Configure(config []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), windowPatience)
	defer cancel()
	answer, err := c.program.service.Configure(ctx, &detectorv1.ConfigureRequest{Detector: c.name, Config: config})
	if err != nil {
		return fmt.Errorf("configuring it: %w", err)
	}
	var fields sdk.FieldErrors
	for _, f := range answer.GetErrors() {
		fields = append(fields, sdk.FieldError{Field: f.GetField(), Message: f.GetMessage()})
	}
	if fields != nil {
		return fields
	}
	return nil
}

// answersAfterCancel gives up a large window at once and wants the next answered.
func answersAfterCancel(d sdk.Detector) error {
	s := scene(d.Describe(), points(400))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = sdk.Judge(ctx, announcing{d, began}, s.Window(d.Describe(), false)) // an error is in order here, and so is a report
	}()
	<-began
	cancel()
	<-done
	if _, err := judge(d, scene(d.Describe(), points(2))); err != nil {
		return fmt.Errorf("the window after a cancelled one: %w", err)
	}
	return nil
}
