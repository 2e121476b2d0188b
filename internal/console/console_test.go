package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/grid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a browser without a browser: it keeps cookies and follows nothing.
type desk struct {
	t      testing.TB
	base   string
	client *http.Client
}

func (d *district) desk(change ...func(*Config)) *desk {
	d.t.Helper()
	server := httptest.NewServer(d.handler(change...))
	d.t.Cleanup(server.Close)
	d.t.Cleanup(d.hub.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &desk{t: d.t, base: server.URL, client: client}
}

func (k *desk) do(method, path string, form url.Values, header ...string) (*http.Response, string) {
	k.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(context.Background(), method, k.base+path, body)
	if err != nil {
		k.t.Fatalf("%s %s: %v", method, path, err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := k.client.Do(req)
	if err != nil {
		k.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(text)
}

func (k *desk) get(path string, status int) string {
	k.t.Helper()
	resp, body := k.do("GET", path, nil)
	if resp.StatusCode != status {
		k.t.Fatalf("GET %s: %d, want %d\n%.600s", path, resp.StatusCode, status, body)
	}
	return body
}

func (k *desk) logIn() *desk {
	k.t.Helper()
	if resp, _ := k.do("POST", "/login", url.Values{"name": {"lin"}, "password": {"correct horse"}}); resp.StatusCode != http.StatusSeeOther {
		k.t.Fatalf("log in: %d", resp.StatusCode)
	}
	return k
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	d := newDistrict(t)
	for _, c := range []struct {
		spoil func(*Config)
		want  string
	}{
		{func(c *Config) { c.Results = nil }, "Config.Results"},
		{func(c *Config) { c.Network = nil }, "Config.Network"},
		{func(c *Config) { c.Curves = nil }, "Config.Curves"},
		{func(c *Config) { c.Access = nil }, "Config.Access"},
		{func(c *Config) { c.Site.Location = nil }, "Config.Site.Location"},
	} {
		cfg := d.config()
		c.spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New = %v, want an error that names %s", err, c.want)
		}
	}
}

func TestNobodyComesInWithoutLogin(t *testing.T) {
	k := newDistrict(t).desk()
	for _, path := range []string{"/", "/queue", "/usage-points/" + minerPoint, "/transformers", "/transformers/" + hotArea, "/cases", "/cases/C-2026-0001", "/devices", "/devices/gw-T-1044", "/plugins", "/tasks", "/approvals", "/audit", "/no-such-page"} {
		resp, body := k.do("GET", path, nil)
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/login") {
			t.Errorf("GET %s without login: %d to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
		if strings.Contains(body, "C-0417") || strings.Contains(body, "M-70418") {
			t.Errorf("GET %s without login tells ids", path)
		}
	}
	for _, path := range []string{"/events", "/queue.csv"} {
		if resp, _ := k.do("GET", path, nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("GET %s without login: %d, want 401", path, resp.StatusCode)
		}
	}
	if resp, _ := k.do("POST", "/logout", url.Values{}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("POST /logout without login: %d", resp.StatusCode)
	}
}

func TestLogin(t *testing.T) {
	k := newDistrict(t).desk()
	for _, c := range []struct {
		name, password, want string
		status               int
	}{
		{"lin", "wrong", "Wrong name or password.", 401},
		{`"><script>alert(1)</script>`, "x", "Wrong name or password.", 401},
		{"locked", "x", "Try again in 90\u00a0s.", 429},
		{"broken", "x", "could not be checked", 500},
	} {
		resp, body := k.do("POST", "/login", url.Values{"name": {c.name}, "password": {c.password}})
		if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("login %q: %d\n%s\nwant %d with %q", c.name, resp.StatusCode, body, c.status, c.want)
		}
		if strings.Contains(body, "<script>alert") || strings.Contains(body, c.password+`"`) && c.password == "wrong" {
			t.Errorf("login %q: the page echoes what it must not", c.name)
		}
		if c.status == 429 && resp.Header.Get("Retry-After") != "90" {
			t.Errorf("Retry-After = %q", resp.Header.Get("Retry-After"))
		}
	}
	for next, want := range map[string]string{"/queue?min=0.5": "/queue?min=0.5", "//evil.example/": "/", "https://evil.example/": "/", `/\evil.example`: "/", "": "/", "queue": "/", "/login": "/"} {
		resp, _ := k.do("POST", "/login", url.Values{"name": {"lin"}, "password": {"correct horse"}, "next": {next}})
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("after login with next=%q: %d to %q, want %q", next, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	k.get("/queue", 200)
	if resp, _ := k.do("GET", "/login", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the login page is shown to who is logged in: %d", resp.StatusCode)
	}
	k.do("POST", "/logout", url.Values{})
	k.get("/queue", 303)
}

func TestLoginRenewsTheSessionAndCookiesAreClosed(t *testing.T) {
	k := newDistrict(t).desk(func(c *Config) { c.SecureCookies = true })
	resp, _ := k.do("POST", "/login", url.Values{"name": {"lin"}, "password": {"correct horse"}})
	cookie := resp.Header.Get("Set-Cookie")
	for _, part := range []string{"__Host-gridwarden_session=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("session cookie %q lacks %s", cookie, part)
		}
	}
	again, _ := k.do("POST", "/login", url.Values{"name": {"lin"}, "password": {"correct horse"}})
	if again.Header.Get("Set-Cookie") == cookie {
		t.Error("a second login keeps the old token")
	}
	if resp.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS where cookies are secure")
	}
}

func TestARemovedUserIsOutAtOnce(t *testing.T) {
	d := newDistrict(t)
	k := d.desk().logIn()
	k.get("/", 200)
	d.mu.Lock()
	delete(d.users, "lin")
	d.mu.Unlock()
	k.get("/", 303)
}

func TestCrossOriginPostsAreRefused(t *testing.T) {
	k := newDistrict(t).desk().logIn()
	for _, path := range []string{"/logout", "/theme", "/login"} {
		if resp, _ := k.do("POST", path, url.Values{"theme": {"dark"}}, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("cross-site POST %s: %d, want 403", path, resp.StatusCode)
		}
		if resp, _ := k.do("POST", path, url.Values{"theme": {"dark"}}, "Origin", "https://evil.example"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s from another origin: %d, want 403", path, resp.StatusCode)
		}
	}
	k.get("/", 200)
}

func TestThemeIsKept(t *testing.T) {
	k := newDistrict(t).desk().logIn()
	resp, _ := k.do("POST", "/theme", url.Values{"theme": {"dark"}, "next": {"/queue"}}, "Sec-Fetch-Site", "same-origin")
	if resp.Header.Get("Location") != "/queue" {
		t.Errorf("theme leads to %q", resp.Header.Get("Location"))
	}
	if body := k.get("/queue", 200); !strings.Contains(body, `<html lang="en" data-theme="dark">`) {
		t.Error("the dark theme is not kept")
	}
	k.do("POST", "/theme", url.Values{"theme": {`"><script>`}})
	if body := k.get("/queue", 200); !strings.Contains(body, `<html lang="en">`) {
		t.Error("an unknown theme does not fall back to the system's")
	}
}

func TestHeadersKeepPagesToThemselves(t *testing.T) {
	k := newDistrict(t).desk().logIn()
	for _, path := range []string{"/", "/login", "/static/live.js", "/healthz", "/no-such-page", "/queue.csv"} {
		resp, _ := k.do("GET", path, nil)
		csp := resp.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "style-src 'self'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q lacks %s", path, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "data:") {
			t.Errorf("%s: policy %q is loosened", path, csp)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: headers %v", path, resp.Header)
		}
	}
	for _, path := range []string{"/", "/queue", "/usage-points/" + minerPoint} {
		if resp, _ := k.do("GET", path, nil); resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached: %q", path, resp.Header.Get("Cache-Control"))
		}
	}
}

func TestAssets(t *testing.T) {
	d := newDistrict(t)
	k := d.desk()
	page := k.get("/login", 200)
	for _, name := range []string{"tokens.css", "console.css", "favicon.svg"} {
		i := strings.Index(page, "/static/"+name+"?v=")
		if i < 0 {
			t.Fatalf("the page does not name %s", name)
		}
		address := page[i : i+strings.IndexByte(page[i:], '"')]
		resp, body := k.do("GET", address, nil)
		if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || len(body) < 100 {
			t.Errorf("%s: %d, %q, %d bytes", address, resp.StatusCode, resp.Header.Get("Cache-Control"), len(body))
		}
		if again, _ := k.do("GET", address, nil, "If-None-Match", resp.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s with its ETag: %d", address, again.StatusCode)
		}
	}
	for _, path := range []string{"/static/", "/static/none.css", "/static/..%2ftemplates%2flayout.html", "/static/%2e%2e/templates/layout.html"} {
		if resp, _ := k.do("GET", path, nil); resp.StatusCode == 200 {
			t.Errorf("%s is served", path)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	var err error
	k := newDistrict(t).desk(func(c *Config) { c.Ready = func(context.Context) error { return err } })
	k.get("/healthz", 200)
	k.get("/readyz", 200)
	err = errors.New("the first import is under way")
	if body := k.get("/readyz", 503); !strings.Contains(body, "first import") {
		t.Errorf("readyz says %q", body)
	}
}

func TestAPanicIsAnErrorPage(t *testing.T) {
	k := newDistrict(t).desk(func(c *Config) {
		c.Network = func() *grid.Network { panic("registry fell over") }
	}).logIn()
	if body := k.get("/queue", 500); strings.Contains(body, "fell over") {
		t.Error("the panic's text reaches the reader")
	}
}
