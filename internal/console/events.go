package console

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"
)

// events streams what changed: "result" for a new detection run, "case" for
// what happened to a case, "live" for changed devices and loads, "reads" where devices were read and nothing else
// changed. Pages work without it.
func (c *console) events(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // not every writer has one
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)

	var updates <-chan Update
	var done <-chan struct{}
	if c.cfg.Hub != nil {
		var cancel func()
		updates, cancel = c.cfg.Hub.subscribe()
		defer cancel()
		done = c.cfg.Hub.done
	}
	token := c.sessions.Token(r.Context())
	user, _ := userOf(r.Context())
	tick := time.NewTicker(c.cfg.LiveInterval)
	defer tick.Stop()
	before := c.signatures(r.Context())
	send := func(kind, id string) bool {
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %q\n\n", kind, id); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("hello", before.run) {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-done:
			return
		case u := <-updates:
			if u.Kind != "result" && u.Kind != "case" && u.Kind != "live" || !send(u.Kind, u.ID) {
				return
			}
		case <-tick.C:
			if !c.stillIn(r.Context(), token, user) {
				return
			}
			now := c.signatures(r.Context())
			ok := true
			if now.run != before.run {
				ok = send("result", now.run)
			}
			if ok && now.live != before.live {
				ok = send("live", "")
			}
			if ok && now.run == before.run && now.live == before.live {
				kind := "still"
				if now.reads != before.reads {
					kind = "reads"
				}
				ok = send(kind, "")
			}
			if before = now; !ok {
				return
			}
		}
	}
}

// stillIn reports whether the session and its user are still good.
func (c *console) stillIn(ctx context.Context, token string, user User) bool {
	if _, found, err := c.sessions.Store.Find(token); err != nil || !found {
		return false
	}
	_, err := c.cfg.Access.User(ctx, user.Name)
	return err == nil
}

// signatures change when a page would.
type signatures struct {
	run   string
	live  uint64
	reads int64
}

func (c *console) signatures(ctx context.Context) (now signatures) {
	s := c.look(ctx)
	if s.result != nil {
		now.run = s.result.RunID
	}
	h := fnv.New64a()
	for _, d := range s.devices {
		fmt.Fprintf(h, "%s %s %s;", d.ID, d.state, d.LastError)
		now.reads += d.Due
	}
	// Map order is random; a sum of hashes is not.
	var sum uint64
	for id, l := range s.loading {
		one := fnv.New64a()
		fmt.Fprintf(one, "%s %.0f %.0f %v", id, l.KVA, l.HotSpotC, s.fresh(l))
		sum += one.Sum64()
	}
	fmt.Fprintf(h, "%d %s %v", sum, s.historian.short, s.historian.err)
	for _, p := range s.plugins {
		fmt.Fprintf(h, "%s %s %s;", p.Name, p.State, p.Error)
	}
	now.live = h.Sum64()
	return now
}
