package sdk

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// scorer scores everybody, or does what its window's first subject says.
type scorer struct{ config string }

func (*scorer) Describe() Description {
	return Description{Name: "scorer", Version: "1.0.0", Scope: ScopeUsagePoint}
}

func (s *scorer) Configure(config []byte) error {
	switch string(config) {
	case "panic":
		panic("no such field")
	case "fields":
		return FieldErrors{{"a.b", "is wrong; make it right"}, {"c", "too"}}
	case "error":
		return errors.New("not JSON")
	}
	s.config = string(config)
	return nil
}

func (*scorer) Evaluate(_ context.Context, w *Window, out *Report) error {
	for _, s := range w.Subjects {
		switch s.ID {
		case "panic":
			panic("index out of range")
		case "error":
			return errors.New("no model for this feeder")
		case "stranger":
			out.Score("nobody", 0.5)
			continue
		}
		out.Score(s.ID, 0.25)
	}
	return nil
}

// plain takes no configuration.
type plain struct{ scorer }

func (*plain) Describe() Description {
	return Description{Name: "plain", Version: "1.0.0", Scope: ScopeFleet}
}

// connect serves detectors in memory, as a plugin process would.
func connect(t *testing.T, detectors ...Detector) detectorv1.DetectorServiceClient {
	t.Helper()
	s, err := newServer(detectors)
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	detectorv1.RegisterDetectorServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return detectorv1.NewDetectorServiceClient(conn)
}

// windowOf makes a window of usage points.
func windowOf(id uint64, subjects ...string) *Window {
	w := &Window{ID: id, Scope: ScopeUsagePoint, FirstDay: 10, Days: 1, Prior: 0.01}
	for _, s := range subjects {
		w.Subjects = append(w.Subjects, Subject{ID: s, Kind: UsagePoint})
	}
	return w
}

// converse sends messages and returns all replies with how the stream ended.
func converse(t *testing.T, client detectorv1.DetectorServiceClient, requests ...*detectorv1.EvaluateRequest) ([]*detectorv1.EvaluateResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := client.Evaluate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var out []*detectorv1.EvaluateResponse
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, m)
	}
}

func open(detector string) *detectorv1.EvaluateRequest {
	return &detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Open{Open: &detectorv1.Open{Detector: detector}}}
}

func parts(w *Window, partBytes int) []*detectorv1.EvaluateRequest {
	var out []*detectorv1.EvaluateRequest
	for p := range WindowParts(w, partBytes) {
		out = append(out, &detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Part{Part: p}})
	}
	return out
}

func TestServeJudgesWindows(t *testing.T) {
	client := connect(t, &scorer{}, &plain{})
	described, err := client.Describe(context.Background(), &detectorv1.DescribeRequest{})
	if err != nil || len(described.GetDetectors()) != 2 || !described.GetDetectors()[0].GetConfigurable() {
		t.Fatalf("described %v, %v", described, err)
	}
	requests := append([]*detectorv1.EvaluateRequest{open("scorer")}, parts(windowOf(1, "a", "b", "c"), 1)...)
	for id := uint64(2); id < 20; id++ {
		requests = append(requests, parts(windowOf(id, "a", "b"), 1)...)
	}
	replies, err := converse(t, client, requests...)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, r := range replies {
		if r.GetDone() != nil && r.GetDone().GetError() == "" {
			done++
		}
	}
	if done != 19 {
		t.Errorf("%d windows of 19 done in %d replies", done, len(replies))
	}
}

func TestServeTellsWhatWentWrongInAWindow(t *testing.T) {
	client := connect(t, &scorer{})
	for subject, want := range map[string]string{"panic": "panicked: index out of range", "error": "no model for this feeder", "stranger": `subject "nobody"`} {
		requests := append([]*detectorv1.EvaluateRequest{open("scorer")}, parts(windowOf(7, "a", subject), PartBytes)...)
		replies, err := converse(t, client, append(requests, parts(windowOf(8, "a"), PartBytes)...)...)
		if err != nil || len(replies) != 3 { // one Done with the error, one score with its Done
			t.Fatalf("%s: %d replies, %v", subject, len(replies), err)
		}
		var failed string
		for _, r := range replies {
			if r.GetWindowId() == 7 {
				failed = r.GetDone().GetError()
			}
		}
		if !strings.Contains(failed, want) {
			t.Errorf("%s: %q does not say %q", subject, failed, want)
		}
	}
}

func TestServeRefusesAStreamThatIsNone(t *testing.T) {
	client := connect(t, &scorer{})
	w := parts(windowOf(1, "a", "b"), 1)
	for name, c := range map[string]struct {
		requests []*detectorv1.EvaluateRequest
		want     string
	}{
		"unknown detector": {[]*detectorv1.EvaluateRequest{open("nobody")}, `no detector "nobody"`},
		"no opening":       {w, `no detector ""`},
		"cut short":        {[]*detectorv1.EvaluateRequest{open("scorer"), w[0]}, "ended within a window"},
		"wrong order":      {[]*detectorv1.EvaluateRequest{open("scorer"), w[1], w[0]}, "where 0 was due"},
		"opened twice":     {[]*detectorv1.EvaluateRequest{open("scorer"), open("scorer")}, "without a window part"},
	} {
		if _, err := converse(t, client, c.requests...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; it should say %q", name, err, c.want)
		}
	}
}

func TestServeConfigures(t *testing.T) {
	s := &scorer{}
	client := connect(t, s, &renamedPlain{})
	configure := func(detector, config string) (string, error) {
		r, err := client.Configure(context.Background(), &detectorv1.ConfigureRequest{Detector: detector, Config: []byte(config)})
		var fields FieldErrors
		for _, e := range r.GetErrors() {
			fields = append(fields, FieldError{e.GetField(), e.GetMessage()})
		}
		return fields.Error(), err
	}
	if text, err := configure("scorer", "{}"); text != "" || err != nil || s.config != "{}" {
		t.Errorf("%q, %v", text, err)
	}
	for config, want := range map[string]string{"fields": "a.b: is wrong; make it right; c: too", "error": "not JSON"} {
		if text, err := configure("scorer", config); text != want || err != nil {
			t.Errorf("%s: %q, %v", config, text, err)
		}
	}
	if _, err := configure("scorer", "panic"); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("panic: %v", err)
	}
	if _, err := configure("nobody", "{}"); err == nil {
		t.Error("a detector that is not there is configured")
	}
	if text, _ := configure("bare", "{}"); !strings.Contains(text, "takes no configuration") {
		t.Errorf("bare: %q", text)
	}
}

// renamedPlain is a detector without Configure.
type renamedPlain struct{}

func (*renamedPlain) Describe() Description {
	return Description{Name: "bare", Version: "1", Scope: ScopeFleet}
}
func (*renamedPlain) Evaluate(context.Context, *Window, *Report) error { return nil }

func TestServeRefusesDetectorsThatCannotBe(t *testing.T) {
	for name, detectors := range map[string][]Detector{"none": nil, "two of a name": {&scorer{}, &scorer{}}, "nameless": {nameless{}}} {
		if _, err := newServer(detectors); err == nil {
			t.Errorf("%s: served", name)
		}
	}
}

type nameless struct{ scorer }

func (nameless) Describe() Description                            { return Description{Name: "No Name", Scope: "x"} }
func (nameless) Evaluate(context.Context, *Window, *Report) error { return nil }

func TestTheWatchdogBarksWhenTheHostIsGone(t *testing.T) {
	stop := watchParent(func() { t.Error("barked at a host that lives") })
	time.Sleep(2 * watchInterval)
	stop()

	t.Setenv(HostPIDEnv, "999999999")
	var barked atomic.Bool
	stop = watchParent(func() { barked.Store(true) })
	deadline := time.Now().Add(5 * time.Second)
	for !barked.Load() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	stop()
	if !barked.Load() {
		t.Error("silent though the host is gone")
	}
	if !alive(os.Getpid()) {
		t.Error("this process is held for dead")
	}
}
