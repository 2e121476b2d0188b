package detect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// spy is a third-party plugin that speaks the wire itself, asks for raw curves
// of everybody and writes down every byte that it is sent, into the file that
// its configuration names.
type spy struct {
	plugin.NetRPCUnsupportedPlugin
	detectorv1.UnimplementedDetectorServiceServer
	file string
}

func serveSpy() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: plugin.PluginSet{sdk.PluginName: &spy{}}, GRPCServer: plugin.DefaultGRPCServer,
	})
}

func (s *spy) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	detectorv1.RegisterDetectorServiceServer(server, s)
	return nil
}

func (s *spy) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// declared is what the spy says it needs.
func declared() *sdk.Description {
	return &sdk.Description{
		Name: "spy", Version: "1.0.0", Scope: sdk.ScopeUsagePoint, Quantities: []meter.Quantity{meter.ActivePower},
		Features: []sdk.Feature{sdk.EnergyKWh, sdk.NightKW}, MinimumQuality: meter.Uncertain, LookbackDays: 6,
		Attributes: []string{sdk.AttrContractedKVA, sdk.AttrCategory},
	}
}

func (s *spy) Describe(context.Context, *detectorv1.DescribeRequest) (*detectorv1.DescribeResponse, error) {
	return &detectorv1.DescribeResponse{Detectors: []*detectorv1.Description{sdk.PackDescription(declared(), true)}}, nil
}

func (s *spy) Configure(_ context.Context, r *detectorv1.ConfigureRequest) (*detectorv1.ConfigureResponse, error) {
	s.file = string(bytes.Trim(r.GetConfig(), `"`))
	return &detectorv1.ConfigureResponse{}, nil
}

func (s *spy) note(m *detectorv1.EvaluateRequest) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(data))), data...))
	return errors.Join(err, f.Close())
}

func (s *spy) Evaluate(stream detectorv1.DetectorService_EvaluateServer) error {
	var ids []string
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.note(m); err != nil {
			return err
		}
		part := m.GetPart()
		for _, subject := range part.GetSubjects() {
			ids = append(ids, subject.GetId())
		}
		if part == nil || len(part.GetSubjects())+int(part.GetSubjectOffset()) < int(part.GetSubjectTotal()) {
			continue
		}
		if !part.GetHasCurves() {
			ask := &detectorv1.EvaluateResponse{WindowId: part.GetWindowId(), Message: &detectorv1.EvaluateResponse_CurveRequest{CurveRequest: &detectorv1.CurveRequest{Subjects: ids}}}
			if err := stream.Send(ask); err != nil {
				return err
			}
		}
		ids = nil
		done := &detectorv1.EvaluateResponse{WindowId: part.GetWindowId(), Message: &detectorv1.EvaluateResponse_Done{Done: &detectorv1.Done{}}}
		if err := stream.Send(done); err != nil {
			return err
		}
	}
}

// A third-party plugin is sent what it declared, under pseudonyms, and not a
// byte more, whatever it asks for.
func TestASpyLearnsNothingThatItDidNotDeclare(t *testing.T) {
	in := withRecords(district(t), func(r *grid.Records) {
		for _, u := range r.UsagePoints {
			r.MeterEvents = append(r.MeterEvents, grid.MeterEvent{MeterID: u.MeterID, Time: (lastDay - 1).Start(time.UTC).Add(time.Hour), Code: string(sdk.EventCoverOpened)})
		}
	})
	dump := filepath.Join(t.TempDir(), "dump")
	third := thirdParty(t, "spy", "spy")
	third.Config = []byte(`"` + dump + `"`)
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{third}})
	// Another detector's measures are attributes too, and not declared.
	in.Evaluators = append(p.Evaluators(), Local(doubter{}))
	r, err := Run(t.Context(), in)
	if err != nil || len(r.Failed) != 0 {
		t.Fatalf("%v, failed %+v", err, r)
	}
	data, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	hidden(t, in, data)
	var points, curves int
	for rest := data; len(rest) > 4; {
		n := binary.LittleEndian.Uint32(rest)
		m := &detectorv1.EvaluateRequest{}
		if err := proto.Unmarshal(rest[4:4+n], m); err != nil {
			t.Fatal(err)
		}
		rest = rest[4+n:]
		if part := m.GetPart(); part != nil {
			points += len(part.GetSubjects())
			curves += len(part.GetCurves())
			onlyDeclared(t, part)
		}
	}
	if points != 60 || curves != 30 {
		t.Errorf("%d points and %d curves were sent; thirty points twice and their curves are due", points, curves)
	}
}

// hidden fails where what was sent holds a name of the records.
func hidden(t *testing.T, in Input, data []byte) {
	t.Helper()
	names := []string{"Lin Mei", "Canal Street", string(sdk.EventCoverOpened), "dwelling", "Zhang"}
	for _, u := range in.Network.UsagePoints {
		names = append(names, u.ID, u.MeterID, u.CustomerID, u.TransformerID)
	}
	for _, name := range names {
		if len(name) > 4 && bytes.Contains(data, []byte(name)) {
			t.Errorf("%q reached the plugin", name)
		}
	}
}

func onlyDeclared(t *testing.T, part *detectorv1.WindowPart) {
	t.Helper()
	d := declared()
	if part.GetDays() > int32(d.LookbackDays) {
		t.Errorf("%d days were sent", part.GetDays())
	}
	for _, c := range part.GetFeatures() {
		if !slices.Contains(d.Features, sdk.Feature(c.GetFeature())) {
			t.Errorf("feature %s was sent", c.GetFeature())
		}
	}
	for _, c := range part.GetCurves() {
		for _, q := range c.GetColumns() {
			if !slices.Contains(d.Quantities, meter.Quantity(q.GetQuantity())) {
				t.Errorf("curves of %s were sent", q.GetQuantity())
			}
		}
	}
	for _, s := range part.GetSubjects() {
		if len(s.GetEvents()) > 0 {
			t.Errorf("events were sent: %v", s.GetEvents())
		}
		for name := range s.GetNumbers() {
			if name != sdk.AttrContractedKVA {
				t.Errorf("attribute %s was sent", name)
			}
		}
		for name := range s.GetTexts() {
			if name != sdk.AttrCategory {
				t.Errorf("attribute %s was sent", name)
			}
		}
	}
}
