package console

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const (
	sessionUser = "user"
	themeCookie = "gridwarden_theme"
	formLimit   = 64 << 10
)

type loginView struct {
	Name, Next, Error string
	Version           string
}

func (c *console) loginPage(w http.ResponseWriter, r *http.Request) {
	if c.sessions.GetString(r.Context(), sessionUser) != "" {
		http.Redirect(w, r, localPath(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusOK, "login", "Log in", loginView{Next: localPath(r.URL.Query().Get("next")), Version: c.cfg.Version})
}

func (c *console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		plain(w, http.StatusBadRequest, "the form could not be read: "+err.Error())
		return
	}
	view := loginView{Name: r.PostForm.Get("name"), Next: localPath(r.PostForm.Get("next")), Version: c.cfg.Version}
	user, err := c.cfg.Access.Authenticate(r.Context(), view.Name, r.PostForm.Get("password"), remoteHost(r))
	var throttled *ThrottledError
	switch {
	case errors.As(err, &throttled):
		w.Header().Set("Retry-After", retryAfter(throttled))
		view.Error = "Too many failed logins. Try again in " + lasting(throttled.RetryAfter) + "."
		c.render(w, r, http.StatusTooManyRequests, "login", "Log in", view)
		return
	case errors.Is(err, ErrBadLogin):
		view.Error = "Wrong name or password."
		c.render(w, r, http.StatusUnauthorized, "login", "Log in", view)
		return
	case err != nil:
		c.cfg.Logger.Error("login could not be checked", "error", err)
		view.Error = "The login could not be checked; the program's log says why. Nothing was changed."
		c.render(w, r, http.StatusInternalServerError, "login", "Log in", view)
		return
	}
	if err := c.sessions.RenewToken(r.Context()); err != nil {
		c.fail(w, r, "The session could not be started", err)
		return
	}
	c.sessions.Put(r.Context(), sessionUser, user.Name)
	http.Redirect(w, r, view.Next, http.StatusSeeOther)
}

func (c *console) logout(w http.ResponseWriter, r *http.Request) {
	if err := c.sessions.Destroy(r.Context()); err != nil {
		c.fail(w, r, "The session could not be ended", err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// theme keeps the reader's choice of light or dark; anything else follows the system.
func (c *console) theme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formLimit)
	if err := r.ParseForm(); err != nil {
		plain(w, http.StatusBadRequest, "the form could not be read: "+err.Error())
		return
	}
	cookie := &http.Cookie{Name: themeCookie, Value: r.PostForm.Get("theme"), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.cfg.SecureCookies}
	if cookie.Value != "light" && cookie.Value != "dark" {
		cookie.Value, cookie.MaxAge = "", -1
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, localPath(r.PostForm.Get("next")), http.StatusSeeOther)
}

func themeOf(r *http.Request) string {
	cookie, err := r.Cookie(themeCookie)
	if err != nil || cookie.Value != "light" && cookie.Value != "dark" {
		return ""
	}
	return cookie.Value
}

// localPath keeps a way back only where it stays on this site.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(next, "/login") {
		return "/"
	}
	return next
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
