package console

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/console/chart"
)

//go:embed assets
var assetFiles embed.FS

// assets serves the style sheets, scripts and icons under addresses that carry
// their hash, so that browsers keep them.
type assets struct {
	files map[string][]byte
	hash  map[string]string
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string][]byte{}, hash: map[string]string{}}
	dir := "assets/static"
	entries, err := fs.ReadDir(assetFiles, dir)
	if err != nil {
		return nil, fmt.Errorf("console: read embedded assets: %w", err)
	}
	for _, e := range entries {
		data, err := fs.ReadFile(assetFiles, path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("console: read embedded asset %s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(data)
		a.files[e.Name()], a.hash[e.Name()] = data, hex.EncodeToString(sum[:6])
	}
	return a, nil
}

// url is the address of an asset.
func (a *assets) url(name string) string { return "/static/" + name + "?v=" + a.hash[name] }

// ServeHTTP serves one asset.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/static/")
	data, ok := a.files[name]
	if !ok {
		plain(w, http.StatusNotFound, "no such asset")
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.hash[name] {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("ETag", `"`+a.hash[name]+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

// pages holds one template set for each page.
type pages struct{ byName map[string]*template.Template }

func parsePages(funcs template.FuncMap) (*pages, error) {
	const dir = "assets/templates/"
	base, err := template.New("layout.html").Funcs(funcs).Option("missingkey=error").ParseFS(assetFiles, dir+"layout.html", dir+"parts.html")
	if err != nil {
		return nil, fmt.Errorf("console: parse the page frame: %w", err)
	}
	entries, err := fs.ReadDir(assetFiles, strings.TrimSuffix(dir, "/"))
	if err != nil {
		return nil, fmt.Errorf("console: list page templates: %w", err)
	}
	p := &pages{byName: map[string]*template.Template{}}
	for _, e := range entries {
		if e.Name() == "layout.html" || e.Name() == "parts.html" {
			continue
		}
		t, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("console: clone the page frame: %w", err)
		}
		if t, err = t.ParseFS(assetFiles, dir+e.Name()); err != nil {
			return nil, fmt.Errorf("console: parse page template %s: %w", e.Name(), err)
		}
		p.byName[strings.TrimSuffix(e.Name(), ".html")] = t
	}
	return p, nil
}

func (c *console) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":     c.assets.url,
		"num":       func(v any) string { return num(float(v)) },
		"whole":     func(v any) string { return whole(float(v)) },
		"share":     func(v any) string { return share(float(v)) },
		"percent":   func(v any) string { return withUnit(whole(float(v)), "%") },
		"risk":      func(v any) string { return riskWords(float(v)) },
		"count":     func(n any) string { return countAny(n) },
		"day":       day,
		"span":      span,
		"reason":    func(code string) string { return in(c.words.reasons, code) },
		"innocent":  func(code string) string { return in(c.words.innocent, code) },
		"verdict":   func(code string) string { return in(c.words.verdicts, code) },
		"protected": func(code string) string { return lower(c.words.protected, code) },
		"detector":  func(code string) string { return in(c.words.detectors, code) },
		"riskBar":   chart.RiskBar,
		"loadBar":   func(v any) template.HTML { return chart.LoadBar(float(v)) },
		"weightBar": chart.WeightBar,
		"known":     func(v any) bool { return known(float(v)) },
		"over":      func(v any, limit float64) bool { return known(float(v)) && float(v) > limit },
		"sentence":  sentence,
		"uncap":     uncapital,
		"lines":     func(s string) []string { return strings.Split(s, "\n") },
		"href":      href,
		"short":     func(n int, s string) string { return clip(s, n) },
		"facts":     withBars,
		"plural":    plural,
		"who":       who,
	}
}

func countAny(n any) string {
	switch v := n.(type) {
	case int:
		return count(v)
	case int64:
		return count(v)
	}
	return fmt.Sprint(n)
}

// view is what every page template is given.
type view struct {
	Frame frame
	Page  any
}

// render writes a page at once, so that a failing template never leaves half of one.
func (c *console) render(w http.ResponseWriter, r *http.Request, status int, name, title string, page any) {
	t := c.pages.byName[name]
	if t == nil {
		c.cfg.Logger.Error("no such page template", "name", name)
		plain(w, http.StatusInternalServerError, "This page is missing from the program.")
		return
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", view{Frame: c.frame(r, name, title), Page: page}); err != nil {
		c.cfg.Logger.Error("page could not be rendered", "page", name, "error", err)
		plain(w, http.StatusInternalServerError, "This page could not be rendered; the program's log has the details.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

type problemView struct {
	Title, Text, Technical, Request string
	Retry, RetryLabel               string
}

// fail shows what failed and offers to try again.
func (c *console) fail(w http.ResponseWriter, r *http.Request, what string, err error) {
	if r.Context().Err() != nil {
		return // the reader has left
	}
	id := requestID()
	c.cfg.Logger.Error(what, "request", id, "path", r.URL.Path, "error", err)
	c.render(w, r, http.StatusInternalServerError, "problem", "Error", problemView{
		Title: what, Text: "Nothing was changed.", Technical: err.Error(), Request: id, Retry: r.URL.RequestURI(), RetryLabel: "Try again",
	})
}

// missing says that something does not exist.
func (c *console) missing(w http.ResponseWriter, r *http.Request, kind, id string) {
	c.render(w, r, http.StatusNotFound, "problem", "Not found", problemView{
		Title: "No " + kind + " " + clip(id, 80), Text: "The address may be mistyped, or it left the records.", Retry: "/", RetryLabel: "To the overview",
	})
}

func requestID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}

func retryAfter(t *ThrottledError) string {
	return strconv.Itoa(max(1, int(math.Ceil(t.RetryAfter.Seconds()))))
}
