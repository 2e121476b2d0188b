package console

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// console holds what handlers share. But for its caches it is not changed after New.
type console struct {
	cfg      Config
	words    words
	pages    *pages
	assets   *assets
	results  *results
	sessions *scs.SessionManager

	historian historianCache
}

// New returns the handler of every page, the static assets, login and logout,
// /events, /healthz and /readyz. It starts no goroutine.
func New(cfg Config) (http.Handler, error) {
	c, err := newConsole(cfg)
	if err != nil {
		return nil, err
	}
	// Requests that change something are refused when they come from another
	// origin; together with SameSite=Lax no token is needed.
	return c.recovered(c.secured(http.NewCrossOriginProtection().Handler(c.routes()))), nil
}

func newConsole(cfg Config) (*console, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	c := &console{cfg: cfg, words: newWords(), assets: assets, results: &results{source: cfg.Results, hub: cfg.Hub, ttl: cfg.LiveInterval}, sessions: newSessions(&cfg)}
	if c.pages, err = parsePages(c.funcs()); err != nil {
		return nil, err
	}
	return c, nil
}

func newSessions(cfg *Config) *scs.SessionManager {
	// Not scs.New: it starts a store with a goroutine that nobody would wait for.
	s := &scs.SessionManager{Store: cfg.Sessions, Codec: scs.GobCodec{}}
	if s.Store == nil {
		s.Store = memstore.NewWithCleanupInterval(0)
	}
	s.Cookie.Path = "/"
	s.Lifetime = 12 * time.Hour
	s.IdleTimeout = 2 * time.Hour
	s.Cookie.Name = "gridwarden_session"
	if cfg.SecureCookies {
		s.Cookie.Name = "__Host-gridwarden_session"
	}
	s.Cookie.HttpOnly = true
	s.Cookie.SameSite = http.SameSiteLaxMode
	s.Cookie.Secure = cfg.SecureCookies
	s.Cookie.Persist = false
	s.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		cfg.Logger.Error("session store failed", "error", err)
		http.Error(w, "The session store cannot be read or written; see the program's log.", http.StatusInternalServerError)
	}
	return s
}

func (c *console) routes() http.Handler {
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	open.HandleFunc("GET /readyz", c.readyz)
	open.Handle("GET /static/", c.assets)
	open.Handle("GET /favicon.ico", http.RedirectHandler("/static/favicon.svg", http.StatusFound))

	session := http.NewServeMux()
	session.HandleFunc("GET /login", c.loginPage)
	session.HandleFunc("POST /login", c.login)
	session.HandleFunc("POST /theme", c.theme)

	inside := http.NewServeMux()
	inside.HandleFunc("GET /{$}", c.overview)
	inside.HandleFunc("GET /queue", c.queue)
	inside.HandleFunc("GET /queue.csv", c.queueCSV)
	inside.HandleFunc("GET /usage-points/{id}", c.usagePoint)
	inside.HandleFunc("GET /transformers", c.transformers)
	inside.HandleFunc("GET /transformers/{id}", c.transformer)
	inside.HandleFunc("GET /cases", c.cases)
	inside.HandleFunc("GET /cases/{id}", c.caseByID)
	inside.HandleFunc("GET /devices", c.devices)
	inside.HandleFunc("GET /devices/{id}", c.device)
	inside.HandleFunc("GET /plugins", c.plugins)
	inside.HandleFunc("POST /plugins/{name}/release", c.release)
	inside.HandleFunc("GET /tasks", c.later("tasks"))
	inside.HandleFunc("GET /approvals", c.later("approvals"))
	inside.HandleFunc("GET /audit", c.later("audit"))
	inside.HandleFunc("GET /events", c.events)
	inside.HandleFunc("POST /logout", c.logout)
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { c.missing(w, r, "page", r.URL.Path) })

	session.Handle("/", c.loggedIn(inside))
	open.Handle("/", c.sessions.LoadAndSave(session))
	return open
}

func (c *console) readyz(w http.ResponseWriter, r *http.Request) {
	if c.cfg.Ready != nil {
		if err := c.cfg.Ready(r.Context()); err != nil {
			plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
