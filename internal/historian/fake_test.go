package historian

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	protocol "github.com/influxdata/line-protocol"
)

// fake is a server that keeps to what the documentation of InfluxDB 2 says of
// the parts of its API that the historian uses. Its lines are parsed by
// InfluxData's own parser.
type fake struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	token    string
	maxBody  int
	faults   []fault                   // for the next writes, in turn
	types    map[string]string         // of fields
	stored   map[string]any            // by series, time and field
	writes   []request                 // as they came
	begin    int64                     // of the retention, nanoseconds
	buckets  []map[string]any          //
	tasks    []map[string]any          //
	page     int                       // at most so many in a list
	intruder func(http.ResponseWriter) // instead of any answer of the API but a write's
}

// request is one write as it came.
type request struct {
	lines    int
	status   int
	encoding string
}

// fault answers a write; it reports false where it leaves that to the server.
type fault func(w http.ResponseWriter, r *http.Request) bool

const fakeToken = "s3cret-t0ken"

func newFake(t testing.TB) *fake {
	f := &fake{
		t: t, token: fakeToken, maxBody: 50 << 20, page: 20, begin: -1 << 62,
		types: make(map[string]string), stored: make(map[string]any),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Influxdb-Build", "OSS")
		w.Header().Set("X-Influxdb-Version", "v2.7.6")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		f.json(w, http.StatusOK, map[string]any{"name": "influxdb", "status": "pass", "version": "v2.7.6"})
	})
	mux.HandleFunc("POST /api/v2/write", f.write)
	mux.HandleFunc("GET /api/v2/orgs", f.guarded(f.orgs))
	mux.HandleFunc("GET /api/v2/buckets", f.guarded(f.listBuckets))
	mux.HandleFunc("POST /api/v2/buckets", f.guarded(f.makeBucket))
	mux.HandleFunc("PATCH /api/v2/buckets/{id}", f.guarded(f.changeBucket))
	mux.HandleFunc("GET /api/v2/tasks", f.guarded(f.listTasks))
	mux.HandleFunc("POST /api/v2/tasks", f.guarded(f.makeTask))
	mux.HandleFunc("PATCH /api/v2/tasks/{id}", f.guarded(f.changeTask))
	mux.HandleFunc("POST /api/v2/query", f.guarded(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		_, _ = io.WriteString(w, "\r\n")
	}))
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) json(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (f *fake) fail(w http.ResponseWriter, status int, code, message string) {
	f.json(w, status, map[string]any{"code": code, "message": message})
}

func (f *fake) guarded(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.intruder != nil {
			f.intruder(w)
			return
		}
		if r.Header.Get("Authorization") != "Token "+f.token {
			f.fail(w, http.StatusUnauthorized, "unauthorized", "unauthorized access")
			return
		}
		handle(w, r)
	}
}

func (f *fake) write(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := request{encoding: r.Header.Get("Content-Encoding")}
	spy := &statusSpy{ResponseWriter: w}
	defer func() { done.status = spy.status; f.writes = append(f.writes, done) }()
	if len(f.faults) > 0 {
		fault := f.faults[0]
		f.faults = f.faults[1:]
		if fault(spy, r) {
			return
		}
	}
	body, err := f.body(r)
	switch q := r.URL.Query(); {
	case r.Header.Get("Authorization") != "Token "+f.token:
		f.fail(spy, http.StatusUnauthorized, "unauthorized", "unauthorized access")
	case q.Get("org") != DefaultOrg:
		f.fail(spy, http.StatusNotFound, "not found", fmt.Sprintf("organization name %q not found", q.Get("org")))
	case q.Get("bucket") != DefaultBucket:
		f.fail(spy, http.StatusNotFound, "not found", fmt.Sprintf("bucket %q not found", q.Get("bucket")))
	case q.Get("precision") != "ns":
		f.fail(spy, http.StatusBadRequest, "invalid", "precision")
	case errors.Is(err, errTooLarge):
		f.fail(spy, http.StatusRequestEntityTooLarge, "request too large", fmt.Sprintf("request body exceeds %d bytes", f.maxBody))
	case err != nil:
		f.fail(spy, http.StatusBadRequest, "invalid", err.Error())
	default:
		done.lines = strings.Count(body, "\n")
		f.take(spy, body)
	}
}

type statusSpy struct {
	http.ResponseWriter
	status int
}

func (s *statusSpy) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

var errTooLarge = errors.New("too large")

func (f *fake) body(r *http.Request) (string, error) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return "", err
		}
		from = z
	}
	data, err := io.ReadAll(io.LimitReader(from, int64(f.maxBody)+1))
	if len(data) > f.maxBody {
		return "", errTooLarge
	}
	return string(data), err
}

// take stores what it can: a batch that does not parse not at all, and of one
// that does the points that fit.
func (f *fake) take(w http.ResponseWriter, body string) {
	var points []protocol.Metric
	for i, text := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		m, err := protocol.NewParser(protocol.NewMetricHandler()).Parse([]byte(text))
		if err != nil || len(m) != 1 {
			f.json(w, http.StatusBadRequest, map[string]any{
				"code": "invalid", "line": i + 1, "message": fmt.Sprintf("unable to parse '%s': %v", text, err),
			})
			return
		}
		points = append(points, m[0])
	}
	dropped, reason := 0, ""
	for _, p := range points {
		why := f.unfit(p)
		if why == "" {
			f.keep(p)
			continue
		}
		dropped++
		if reason == "" {
			reason = why
		}
	}
	if dropped > 0 {
		f.fail(w, http.StatusUnprocessableEntity, "unprocessable entity",
			fmt.Sprintf("failure writing points to database: partial write: %s dropped=%d", reason, dropped))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) unfit(p protocol.Metric) string {
	if p.Time().UnixNano() < f.begin {
		return "points beyond retention policy"
	}
	for _, field := range p.FieldList() {
		has := kind(field.Value)
		if known, ok := f.types[field.Key]; ok && known != has {
			return fmt.Sprintf("field type conflict: input field \"%s\" on measurement \"%s\" is type %s, already exists as type %s", field.Key, p.Name(), has, known)
		}
	}
	return ""
}

func kind(v any) string {
	switch v.(type) {
	case float64:
		return "float"
	case int64:
		return "integer"
	case string:
		return "string"
	}
	return fmt.Sprintf("%T", v)
}

func (f *fake) keep(p protocol.Metric) {
	series := p.Name()
	for _, tag := range p.TagList() {
		series += "," + tag.Key + "=" + tag.Value
	}
	for _, field := range p.FieldList() {
		f.types[field.Key] = kind(field.Value)
		f.stored[fmt.Sprintf("%s %d %s", series, p.Time().UnixNano(), field.Key)] = field.Value
	}
}

func (f *fake) orgs(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("org")
	if name != DefaultOrg {
		f.fail(w, http.StatusNotFound, "not found", fmt.Sprintf("organization name %q not found", name))
		return
	}
	f.json(w, http.StatusOK, map[string]any{"orgs": []any{map[string]any{"id": "0123456789abcdef", "name": name}}})
}

func (f *fake) listBuckets(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	offset, _ := strconv.Atoi(q.Get("offset"))
	f.json(w, http.StatusOK, map[string]any{"buckets": f.cut(f.buckets, offset, q.Get("limit"))})
}

func (f *fake) cut(all []map[string]any, from int, limit string) []map[string]any {
	n, _ := strconv.Atoi(limit)
	n = min(n, f.page)
	from = min(from, len(all))
	return append([]map[string]any{}, all[from:min(len(all), from+n)]...)
}

func decoded(r *http.Request) map[string]any {
	out := make(map[string]any)
	_ = json.NewDecoder(r.Body).Decode(&out)
	return out
}

func (f *fake) makeBucket(w http.ResponseWriter, r *http.Request) {
	b := decoded(r)
	for _, known := range f.buckets {
		if known["name"] == b["name"] {
			f.fail(w, http.StatusUnprocessableEntity, "conflict", fmt.Sprintf("bucket with name %v already exists", b["name"]))
			return
		}
	}
	b["id"] = fmt.Sprintf("b%03d", len(f.buckets))
	f.buckets = append(f.buckets, b)
	f.json(w, http.StatusCreated, b)
}

func (f *fake) changeBucket(w http.ResponseWriter, r *http.Request) {
	f.change(w, r, f.buckets)
}

func (f *fake) change(w http.ResponseWriter, r *http.Request, in []map[string]any) {
	for _, known := range in {
		if known["id"] == r.PathValue("id") {
			for k, v := range decoded(r) {
				known[k] = v
			}
			f.named(known)
			f.json(w, http.StatusOK, known)
			return
		}
	}
	f.fail(w, http.StatusNotFound, "not found", "no such thing")
}

func (f *fake) listTasks(w http.ResponseWriter, r *http.Request) {
	q, from := r.URL.Query(), 0
	for i, task := range f.tasks {
		if task["id"] == q.Get("after") {
			from = i + 1
		}
	}
	f.json(w, http.StatusOK, map[string]any{"tasks": f.cut(f.tasks, from, q.Get("limit"))})
}

func (f *fake) makeTask(w http.ResponseWriter, r *http.Request) {
	task := decoded(r)
	task["id"] = fmt.Sprintf("t%03d", len(f.tasks))
	f.named(task)
	if task["name"] == nil {
		f.fail(w, http.StatusBadRequest, "invalid", "no option task in the Flux")
		return
	}
	f.tasks = append(f.tasks, task)
	f.json(w, http.StatusCreated, task)
}

func (f *fake) changeTask(w http.ResponseWriter, r *http.Request) {
	f.change(w, r, f.tasks)
}

// named gives a task the name that its Flux says.
func (f *fake) named(task map[string]any) {
	flux, _ := task["flux"].(string)
	if m := regexp.MustCompile(`option task = \{name: "([^"]+)", (?:every: \w+, offset: \w+|cron: "[^"]+")\}`).FindStringSubmatch(flux); m != nil {
		task["name"] = m[1]
	}
}
