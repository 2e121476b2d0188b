package sdk

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

//go:generate sh -c "cd proto && buf lint && buf generate"

// PluginName is the one plugin that a process dispenses: its detectors.
const PluginName = "detectors"

// MaxMessageBytes bounds one message on the wire, in both directions. Parts
// stay far below it but for a single subject with very long raw curves.
const MaxMessageBytes = 64 << 20

// Handshake returns what a host and a plugin tell each other before they
// talk. The cookie is no secret: it keeps a plugin from being run by hand.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "GRIDWARDEN_DETECTOR", MagicCookieValue: "a1f7c2d49b0e4c52"}
}

// HostPlugins returns the plugin set of the host's side; dispensing PluginName
// gives a detectorv1.DetectorServiceClient.
func HostPlugins() plugin.PluginSet { return plugin.PluginSet{PluginName: &grpcPlugin{}} }

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	detectorv1.RegisterDetectorServiceServer(s, p.server)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return detectorv1.NewDetectorServiceClient(conn), nil
}
