package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// PluginService is what a program with detectors answers besides.
type PluginService interface {
	// ReleasePlugin lets a quarantined plugin run again, or returns an error
	// that is ErrNotQuarantined.
	ReleasePlugin(ctx context.Context, name string) error
}

// ErrNotQuarantined is said of a plugin that cannot be released.
var ErrNotQuarantined = errors.New("no such plugin in quarantine")

func servePlugins(mux *http.ServeMux, service PluginService) {
	mux.HandleFunc("POST /plugins/{name}/release", func(w http.ResponseWriter, r *http.Request) {
		switch err := service.ReleasePlugin(r.Context(), r.PathValue("name")); {
		case errors.Is(err, ErrNotQuarantined):
			answer(w, http.StatusNotFound, problem{err.Error()})
		case err != nil:
			answer(w, http.StatusConflict, problem{err.Error()})
		default:
			answer(w, http.StatusOK, struct{}{})
		}
	})
}

// notQuarantinedError is ErrNotQuarantined in the program's words.
type notQuarantinedError struct{ error }

// Is makes it ErrNotQuarantined.
func (notQuarantinedError) Is(target error) bool { return target == ErrNotQuarantined }

// ReleasePlugin has the program let a quarantined plugin run again.
func (c *Client) ReleasePlugin(ctx context.Context, name string) error {
	status, err := c.ask(ctx, http.MethodPost, fmt.Sprintf("/plugins/%s/release", url.PathEscape(name)), &struct{}{})
	if err != nil && status == http.StatusNotFound {
		return notQuarantinedError{err}
	}
	return err
}
