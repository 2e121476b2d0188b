package cluster

import (
	"testing"

	"go.uber.org/goleak"
)

// The NATS client leaves a goroutine behind where something is published, for
// the first time, on a connection that has been closed meanwhile: tests cut
// hosts off so.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}
