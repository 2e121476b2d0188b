package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
)

const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secured sets the headers that keep a page to itself.
func (c *console) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("X-Frame-Options", "DENY")
		if c.cfg.SecureCookies {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into an error page and a log line.
func (c *console) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p) //nolint:forbidigo // net/http's own way to end a request
				}
				c.cfg.Logger.Error("page panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				plain(w, http.StatusInternalServerError, "This page failed; the program's log has the details.")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

type userKey struct{}

// loggedIn lets through only who is logged in and may still come in; others are
// sent to the login page, from where they return.
func (c *console) loggedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := c.sessions.GetString(r.Context(), sessionUser)
		if name == "" {
			c.toLogin(w, r)
			return
		}
		user, err := c.cfg.Access.User(r.Context(), name)
		switch {
		case errors.Is(err, ErrNotFound):
			if err := c.sessions.Destroy(r.Context()); err != nil {
				c.cfg.Logger.Error("session of a removed user could not be ended", "error", err)
			}
			c.toLogin(w, r)
		case err != nil:
			c.fail(w, r, "Your login could not be checked", err)
		default:
			ctx := context.WithValue(context.WithValue(r.Context(), userKey{}, user), stateKey{}, &heldState{})
			next.ServeHTTP(w, r.WithContext(ctx))
		}
	})
}

func (c *console) toLogin(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/events" || strings.HasSuffix(r.URL.Path, ".csv") {
		plain(w, http.StatusUnauthorized, "log in first")
		return
	}
	target := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		target += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

func userOf(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userKey{}).(User)
	return u, ok
}
