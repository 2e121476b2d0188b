package opcua

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

// clockEvery is how often a server is asked for its time.
const clockEvery = 30 * time.Second

// clock is what is known of a server's clock.
type clock struct {
	mu     sync.Mutex
	offset time.Duration // ahead of ours
	doubt  time.Duration // by which the offset may be wrong: half the round trip
	at     time.Time     // measured; zero before
	asked  time.Time
}

// due tells whether it is time to ask, and notes that somebody does.
func (c *clock) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.asked) < clockEvery {
		return false
	}
	c.asked = now
	return true
}

// measured takes an answer: the server's time, and when we asked and heard.
func (c *clock) measured(server, asked, heard time.Time) {
	half := heard.Sub(asked) / 2
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.doubt, c.at = server.Sub(asked.Add(half)), half, heard
}

// known returns the offset, and whether one was measured.
func (c *clock) known() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset, !c.at.IsZero()
}

// problem says in words that the clock is off by more than is tolerated, ""
// where it is not or nothing is known.
func (c *clock) problem(tolerance time.Duration) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || c.offset.Abs() <= tolerance+c.doubt {
		return ""
	}
	way := "ahead"
	if c.offset < 0 {
		way = "behind"
	}
	return fmt.Sprintf("the server's clock is %v %s; synchronise it, or set the option %s", c.offset.Abs().Round(100*time.Millisecond), way, optMaxClockOffset)
}

// checkClock asks the server for its time where that is due. A server that
// does not tell is left alone.
func (e *endpoint) checkClock(ctx context.Context, c *client.Client) {
	if !e.clock.due(time.Now()) {
		return
	}
	asked := time.Now()
	values, err := c.Read(ctx, []*ua.ReadValueID{client.Value(ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime))})
	if err != nil {
		return
	}
	if t, ok := moment(values[0].Value); ok {
		e.clock.measured(t, asked, time.Now())
	}
}
