package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// pluginService is a service with one plugin in quarantine.
type pluginService struct {
	service
	released []string
}

func (s *pluginService) ReleasePlugin(_ context.Context, name string) error {
	switch name {
	case "night owl":
		s.released = append(s.released, name)
		return nil
	case "broken":
		return errors.New("it does not start")
	}
	return fmt.Errorf("%w: %s is ready", ErrNotQuarantined, name)
}

func TestReleasePlugin(t *testing.T) {
	dir := t.TempDir()
	s := &pluginService{}
	serve(t, dir, s)
	client := NewClient(dir)
	if err := client.ReleasePlugin(t.Context(), "night owl"); err != nil || len(s.released) != 1 {
		t.Errorf("%v, released %v", err, s.released)
	}
	if err := client.ReleasePlugin(t.Context(), "lark"); !errors.Is(err, ErrNotQuarantined) || !strings.Contains(err.Error(), "lark is ready") {
		t.Errorf("error %v", err)
	}
	if err := client.ReleasePlugin(t.Context(), "broken"); err == nil || errors.Is(err, ErrNotQuarantined) {
		t.Errorf("error %v", err)
	}
	if status, err := client.ask(t.Context(), "GET", "/plugins/x/release", nil); status != 405 || err == nil {
		t.Errorf("GET: %d, %v", status, err)
	}
}
