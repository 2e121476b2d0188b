package cluster

import (
	"errors"
	"maps"
	"net"
	"testing"
	"time"
)

func TestHostsShareWhatThereIs(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	one, _ := b.member(t, connect(t, srv.ClientURL()), "one")
	eventually(t, "one has all", func() bool { return b.counts()["one"] == 12 && one.Leader() })
	eventually(t, "one says so", func() bool { return len(one.Owned()) == 12 && one.Valid() })
	two, leave := b.member(t, connect(t, srv.ClientURL()), "two")
	three, _ := b.member(t, connect(t, srv.ClientURL()), "three")
	eventually(t, "alike", func() bool { return maps.Equal(b.counts(), map[string]int{"one": 4, "two": 4, "three": 4}) })
	if two.Leader() || three.Leader() || !one.Leader() {
		t.Error("the leader changed for nothing")
	}
	eventually(t, "tokens are shown", func() bool {
		for _, p := range three.State().Partitions {
			if p.Token == 0 || p.Host == "" || !p.Live {
				return false
			}
		}
		return three.State().Leader == "one" && len(three.Members()) == 3
	})
	moved := b.tokens
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two's are with the others", func() bool { return maps.Equal(b.counts(), map[string]int{"one": 6, "three": 6}) })
	if got := b.tokens - moved; got != 4 {
		t.Errorf("%d partitions moved when a host with 4 left", got)
	}
	if len(b.twice) > 0 || b.lost > 0 {
		t.Errorf("held twice: %v; lost: %d", b.twice, b.lost)
	}
}

func TestAHostThatIsCutOffLosesEverything(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	js := connect(t, srv.ClientURL())
	one, _ := b.member(t, js, "one")
	_, _ = b.member(t, connect(t, srv.ClientURL()), "two")
	eventually(t, "alike", func() bool { return maps.Equal(b.counts(), map[string]int{"one": 6, "two": 6}) })
	cut := time.Now()
	js.Conn().Close()
	eventually(t, "one's lease is over", func() bool { return !one.Valid() })
	eventually(t, "two has all", func() bool { return b.counts()["two"] == 12 })
	took := time.Since(cut)
	if took > 2*time.Second || len(b.twice) > 0 {
		t.Errorf("it took %v at a lease of 1 s; held twice: %v", took, b.twice)
	}
	eventually(t, "one has nothing", func() bool { return len(one.Owned()) == 0 })
}

func TestAnOutageOfTheServerMovesNothing(t *testing.T) {
	dir := t.TempDir()
	srv := serve(t, dir, 0)
	port := srv.Addr().(*net.TCPAddr).Port
	b := newBoard()
	one, _ := b.member(t, connect(t, srv.ClientURL()), "one")
	two, _ := b.member(t, connect(t, srv.ClientURL()), "two")
	eventually(t, "alike", func() bool { return maps.Equal(b.counts(), map[string]int{"one": 6, "two": 6}) })
	before := b.tokens
	srv.Shutdown()
	srv.WaitForShutdown()
	eventually(t, "leases are over", func() bool { return !one.Valid() && !two.Valid() })
	serve(t, dir, port)
	eventually(t, "leases hold", func() bool { return one.Valid() && two.Valid() })
	eventually(t, "alike again", func() bool { return maps.Equal(b.counts(), map[string]int{"one": 6, "two": 6}) })
	t.Logf("%d partitions were acquired anew", b.tokens-before)
	if len(b.twice) > 0 {
		t.Errorf("held twice: %v", b.twice)
	}
}

func TestANameBelongsToOneProcess(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	_, leave := b.member(t, connect(t, srv.ClientURL()), "one")
	eventually(t, "one has all", func() bool { return b.counts()["one"] == 12 })
	if _, err := Join(t.Context(), b.config(t, connect(t, srv.ClientURL()), "one")); !errors.Is(err, ErrNameTaken) {
		t.Fatalf("joined twice under one name: %v", err)
	}
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, _ = b.member(t, connect(t, srv.ClientURL()), "one")
	eventually(t, "one has all again", func() bool { return b.counts()["one"] == 12 })
	t.Logf("back after %v", time.Since(began))
}

func TestAHostThatCannotIsGivenNothing(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	b.refuse["one"] = true
	one, _ := b.member(t, connect(t, srv.ClientURL()), "one")
	_, _ = b.member(t, connect(t, srv.ClientURL()), "two")
	eventually(t, "two has all", func() bool { return b.counts()["two"] == 12 })
	b.mu.Lock()
	b.refuse["one"] = false
	b.mu.Unlock()
	eventually(t, "one has its part", func() bool { return b.counts()["one"] == 6 })
	if !one.Valid() {
		t.Error("one's lease ran out")
	}
}

func TestADroppedPartitionIsTakenAnew(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	one, _ := b.member(t, connect(t, srv.ClientURL()), "one")
	eventually(t, "one has all", func() bool { return b.counts()["one"] == 12 })
	before := b.tokens
	one.Drop(t.Context(), 3, errors.New("another has claimed it"))
	eventually(t, "it is given up", func() bool { return b.counts()["one"] == 11 })
	eventually(t, "it is taken again", func() bool { return b.counts()["one"] == 12 })
	if b.tokens != before+1 || b.lost != 1 {
		t.Errorf("%d acquired anew, %d lost; want one of each", b.tokens-before, b.lost)
	}
}
