package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// modeEnv makes the test binary a plugin that behaves as the mode says. A copy
// of the binary called plugin_MODE does the same, for third-party plugins.
const modeEnv = "DETECT_TEST_PLUGIN"

// serveTestPlugin turns the test binary into a plugin.
func serveTestPlugin() bool {
	mode := os.Getenv(modeEnv)
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "plugin_"); ok {
		mode = name
	}
	switch mode {
	case "":
		return false
	case "good":
		sdk.Serve(stepper{}, balance{})
	case "quiet":
		sdk.Serve(misbehaving{"quiet", func(context.Context) {}})
	case "third":
		sdk.Serve(renamed{stepper{}, "third"})
	case "crash_at_start":
		fmt.Fprintln(os.Stderr, "cannot find my model file")
		os.Exit(3)
	case "crash":
		sdk.Serve(misbehaving{"crash", func(context.Context) { os.Exit(4) }})
	case "among":
		sdk.Serve(stepper{}, balance{}, misbehaving{"crash", func(context.Context) { os.Exit(4) }})
	case "hang":
		sdk.Serve(misbehaving{"hang", func(context.Context) { select {} }})
	case "hanging_among":
		sdk.Serve(stepper{}, balance{}, misbehaving{"hang", func(context.Context) { select {} }})
	case "deaf": // says what it is, then stops altogether
		sdk.Serve(misbehaving{"deaf", func(context.Context) {
			stopMyself()
			select {} // the signal may take a moment
		}})
	case "panic":
		sdk.Serve(misbehaving{"panic", func(context.Context) { panic("index out of range: 7") }})
	case "slow":
		sdk.Serve(misbehaving{"slow", func(ctx context.Context) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
		}})
	case "hungry": // takes ever more memory, a little at a time
		sdk.Serve(misbehaving{"hungry", func(context.Context) {
			var held [][]byte
			for {
				held = append(held, bytes.Repeat([]byte{1}, 4<<20))
				runtime.KeepAlive(held)
				time.Sleep(2 * time.Millisecond)
			}
		}})
	case "hungry_child": // has a child do so
		sdk.Serve(misbehaving{"hungry_child", func(context.Context) { runMyself("glutton") }})
	case "glutton":
		var held [][]byte
		for {
			held = append(held, bytes.Repeat([]byte{1}, 4<<20))
			runtime.KeepAlive(held)
			time.Sleep(2 * time.Millisecond)
		}
	case "forks": // starts ever more processes
		sdk.Serve(misbehaving{"forks", func(context.Context) {
			for {
				startMyself("idle", false)
				time.Sleep(5 * time.Millisecond)
			}
		}})
	case "idle":
		select {}
	case "spins": // uses a processor for as long as it is let
		sdk.Serve(misbehaving{"spins", func(ctx context.Context) {
			for ctx.Err() == nil {
			}
		}})
	case "leaves_children": // has children in its own group and outside it
		startMyself("idle", false)
		startMyself("idle", true)
		sdk.Serve(renamed{stepper{}, "leaves_children"})
	case "once": // ends the first time that it is asked
		sdk.Serve(misbehaving{"once", func(context.Context) {
			if os.Mkdir(os.Args[0]+".asked", 0o700) == nil {
				os.Exit(5)
			}
		}})
	case "no_handshake": // starts, and says one letter a second
		for _, c := range "1|1|unix|/nowhere|grpc|" {
			fmt.Printf("%c", c)
			time.Sleep(time.Second)
		}
		select {}
	case "chatters": // writes to stderr without end
		go func() {
			for {
				fmt.Fprintln(os.Stderr, strings.Repeat("chatter ", 100))
			}
		}()
		sdk.Serve(renamed{stepper{}, "chatters"})
	case "ward":
		if err := Ward(os.Stdin, os.Args[len(os.Args)-1]); err != nil {
			os.Exit(1)
		}
	case "spy":
		serveSpy()
	case "configurable":
		sdk.Serve(&configurable{})
	case "host":
		runTestHost()
	default:
		serveHostile(strings.TrimPrefix(mode, "hostile_"))
	}
	return true
}

// renamed is a detector under another name.
type renamed struct {
	sdk.Detector
	name string
}

func (r renamed) Describe() sdk.Description {
	d := r.Detector.Describe()
	d.Name = r.name
	return d
}

// misbehaving does something bad in Evaluate.
type misbehaving struct {
	name string
	do   func(context.Context)
}

func (m misbehaving) Describe() sdk.Description {
	return sdk.Description{Name: m.name, Version: "1.0.0", Scope: sdk.ScopeUsagePoint, Features: []sdk.Feature{sdk.EnergyKWh}}
}

func (m misbehaving) Evaluate(ctx context.Context, _ *sdk.Window, _ *sdk.Report) error {
	m.do(ctx)
	return nil
}

// configurable scores everybody with what its configuration says.
type configurable struct{ score float64 }

func (c *configurable) Describe() sdk.Description {
	return sdk.Description{Name: "configurable", Version: "1.0.0", Scope: sdk.ScopeFleet, Features: []sdk.Feature{sdk.EnergyKWh}}
}

func (c *configurable) Configure(config []byte) error {
	var v struct{ Score float64 }
	if err := json.Unmarshal(config, &v); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if !(v.Score > 0 && v.Score < 1) {
		return sdk.FieldErrors{{Field: "score", Message: fmt.Sprintf("%v does not lie between 0 and 1; write 0.2", v.Score)}}
	}
	c.score = v.Score
	return nil
}

func (c *configurable) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		out.Score(w.Subjects[i].ID, c.score)
	}
	return nil
}

// hostile speaks the wire itself and breaks the contract in one way.
type hostile struct {
	plugin.NetRPCUnsupportedPlugin
	detectorv1.UnimplementedDetectorServiceServer
	mode string
}

func serveHostile(mode string) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: plugin.PluginSet{sdk.PluginName: &hostile{mode: mode}}, GRPCServer: plugin.DefaultGRPCServer,
	})
}

func (h *hostile) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	detectorv1.RegisterDetectorServiceServer(s, h)
	return nil
}

func (h *hostile) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (h *hostile) Describe(context.Context, *detectorv1.DescribeRequest) (*detectorv1.DescribeResponse, error) {
	d := &detectorv1.Description{Name: h.mode, Version: "1", Scope: "usage_point", Features: []string{"energy_kwh"}}
	if h.mode == "blocks_in_describe" {
		select {}
	}
	if h.mode == "description" {
		d.Scope, d.Features = "galaxy", []string{"mood"}
	}
	return &detectorv1.DescribeResponse{Detectors: []*detectorv1.Description{d}}, nil
}

func (h *hostile) Configure(context.Context, *detectorv1.ConfigureRequest) (*detectorv1.ConfigureResponse, error) {
	if h.mode == "blocks_in_configure" {
		select {}
	}
	return &detectorv1.ConfigureResponse{}, nil
}

func (h *hostile) Evaluate(stream detectorv1.DetectorService_EvaluateServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	m, err := stream.Recv()
	for h.mode == "sink" && err == nil { // takes everything and says nothing
		m, err = stream.Recv()
	}
	if err != nil {
		return err
	}
	part := m.GetPart()
	subject := part.GetSubjects()[0].GetId()
	finding := &detectorv1.Finding{Subject: subject, Kind: "usage_point", Reason: "mining", Probability: 0.9, FirstDay: part.FirstDay, LastDay: part.FirstDay}
	send := func(id uint64, r *detectorv1.EvaluateResponse) {
		r.WindowId = id
		if err := stream.Send(r); err != nil {
			return
		}
	}
	scores := func(subject string, p float64) *detectorv1.EvaluateResponse {
		return &detectorv1.EvaluateResponse{Message: &detectorv1.EvaluateResponse_Scores{Scores: &detectorv1.Scores{Subjects: []string{subject}, Probabilities: []float64{p}}}}
	}
	found := func() *detectorv1.EvaluateResponse {
		return &detectorv1.EvaluateResponse{Message: &detectorv1.EvaluateResponse_Finding{Finding: finding}}
	}
	switch id := part.WindowId; h.mode {
	case "nan":
		send(id, scores(subject, math.NaN()))
	case "above_one":
		send(id, scores(subject, 1.5))
	case "unknown_subject":
		send(id, scores("u-nobody", 0.5))
	case "unknown_window":
		send(id+77, scores(subject, 0.5))
	case "reason":
		finding.Reason = "Mining! <script>"
		send(id, found())
	case "flood":
		for range 10_000 {
			send(id, found())
		}
	case "text":
		finding.Evidence = []*detectorv1.Evidence{{Code: "x", Text: strings.Repeat("a", sdk.MaxTextBytes+1), FirstDay: part.FirstDay, LastDay: part.FirstDay}}
		send(id, found())
	case "infinite":
		finding.ExcessKwhMonth = math.Inf(1)
		send(id, found())
	case "days":
		finding.LastDay = math.MaxInt32
		send(id, found())
	case "huge":
		finding.Reason = strings.Repeat("a", maxReplyBytes+1)
		send(id, found())
	case "empty":
		send(id, &detectorv1.EvaluateResponse{})
	case "flood_of_scores": // without ever being done
		for stream.Context().Err() == nil {
			send(id, scores(subject, 0.5))
		}
	case "silent":
		<-stream.Context().Done()
	case "hangs_up":
		return nil
	}
	send(part.WindowId, &detectorv1.EvaluateResponse{Message: &detectorv1.EvaluateResponse_Done{Done: &detectorv1.Done{}}})
	for {
		if _, err := stream.Recv(); err != nil {
			return nil //nolint:nilerr // the host is done
		}
	}
}
