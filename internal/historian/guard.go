package historian

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
)

const (
	tokenScheme = "Token "
	writePath   = "/api/v2/write"
	queryPath   = "/api/v2/query"

	maxHeader   = 64 << 10 // of an answer
	maxTrouble  = 64 << 10 // of an answer that is an error
	maxDocument = 8 << 20  // of any other answer but a query's
	maxRow      = 1 << 20  // of one row of a query's answer
	maxSaid     = 2 << 10  // of an error's text that is kept, from its begin and its end
)

// guard stands between the client and the network. It bounds what an engine
// can make the client hold in memory, keeps the token out of what the engine
// says about a failure, and compresses what is written.
//
// The client reads every answer to its end, however long that is, and keeps
// the text of every error; it compresses at half the speed of level 1.
type guard struct {
	next    http.RoundTripper
	gzip    bool
	token   string
	timeout time.Duration // of what is neither a write nor a query, to its end
	engine  func() Engine
	pool    sync.Pool // of *gzip.Writer
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	for _, path := range []string{writePath, queryPath, exportPath} {
		if strings.HasSuffix(req.URL.Path, path) { // who sends them limits their time
			return g.roundTrip(req.Clone(req.Context()), path, func() {})
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), g.timeout)
	resp, err := g.roundTrip(req.Clone(ctx), "", cancel)
	if err != nil {
		cancel()
	}
	return resp, err
}

// roundTrip sends a request that is its own; done is called at the end of the
// answer, where there is one.
func (g *guard) roundTrip(req *http.Request, path string, done func()) (*http.Response, error) {
	// The transport asks for gzip itself and unpacks it, so that the bounds
	// are about what is unpacked.
	req.Header.Del("Accept-Encoding")
	if g.engine() == VictoriaMetrics {
		g.promAuth(req)
	}
	if g.gzip && path == writePath && req.Body != nil {
		if err := g.compress(req); err != nil {
			return nil, err
		}
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, g.hide(err)
	}
	switch {
	case resp.StatusCode >= http.StatusMultipleChoices:
		g.trouble(resp)
		done()
	case path == queryPath:
		resp.Body = &rowLimit{body: resp.Body}
	case path != exportPath: // its reader has a limit of its own
		resp.Body = &sizeLimit{ReadCloser: resp.Body, left: maxDocument, done: done}
	}
	return resp, nil
}

// promAuth turns InfluxDB's form of a token into the form that VictoriaMetrics
// and its proxies read.
func (g *guard) promAuth(req *http.Request) {
	if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), tokenScheme); ok {
		req.Header.Set("Authorization", promAuthorization(token))
	}
}

// promAuthorization is Basic for user:password, which InfluxDB 1 takes too,
// and Bearer for a token.
func promAuthorization(token string) string {
	if strings.Contains(token, ":") {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(token))
	}
	return "Bearer " + token
}

func (g *guard) compress(req *http.Request) error {
	z, ok := g.pool.Get().(*gzip.Writer)
	if !ok {
		var err error
		if z, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
	}
	defer g.pool.Put(z)
	var packed bytes.Buffer
	z.Reset(&packed)
	_, err := io.Copy(z, req.Body)
	if err = errors.Join(err, req.Body.Close(), z.Close()); err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	data := packed.Bytes()
	req.Body = io.NopCloser(bytes.NewReader(data))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	req.ContentLength = int64(len(data))
	req.Header.Set("Content-Encoding", "gzip")
	return nil
}

// trouble replaces the body of an answer that is an error by what can be used
// of it, in the form that the client understands.
func (g *guard) trouble(resp *http.Response) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxTrouble))
	_ = resp.Body.Close() // what more it has to say is not wanted
	said := said{Code: resp.Status}
	var full struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Error   string `json:"error"` // of InfluxDB 1
	}
	switch {
	case json.Unmarshal(text, &full) == nil && (full.Message != "" || full.Error != ""):
		said.Message = full.Message
		if said.Message == "" {
			said.Message = full.Error
		}
		if full.Code != "" {
			said.Code = clip(g.scrub(full.Code), 100)
		}
	case len(text) > 0:
		said.Message = string(text)
	default:
		said.Message = resp.Header.Get("X-Influxdb-Error")
	}
	if err != nil {
		said.Message += " (cut off: " + err.Error() + ")"
	}
	if where := resp.Header.Get("Location"); where != "" {
		said.Message += " (it sends on to " + clip(where, 200) + "; give that address)"
	}
	said.Message = strings.TrimSpace(clipMiddle(g.scrub(said.Message)))
	if said.Message == "" {
		said.Message = "it gives no reason"
	}
	body, err := json.Marshal(said)
	if err != nil {
		body = []byte("{}")
	}
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Del("Content-Length")
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

// said is an error as the client reads it.
type said struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// scrub makes text fit for a log: one line, UTF-8, without the token.
func (g *guard) scrub(text string) string {
	text = oneLine(text)
	for _, secret := range secrets(g.token) {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

func (g *guard) hide(err error) error {
	if err == nil || g.token == "" {
		return err
	}
	for _, secret := range secrets(g.token) {
		if strings.Contains(err.Error(), secret) {
			return errors.New(g.scrub(err.Error()))
		}
	}
	return err
}

// secrets are the forms in which a token could come back.
func secrets(token string) []string {
	if token == "" {
		return nil
	}
	out := []string{token, base64.StdEncoding.EncodeToString([]byte(token))}
	if _, password, ok := strings.Cut(token, ":"); ok && password != "" {
		out = append(out, password)
	}
	return out
}

// clip cuts text to n bytes.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// clipMiddle keeps the begin and the end of a text: what was wrong first, and
// how much was dropped.
func clipMiddle(text string) string {
	if len(text) <= maxSaid {
		return text
	}
	return strings.ToValidUTF8(text[:maxSaid/2], "") + " … " + strings.ToValidUTF8(text[len(text)-maxSaid/2:], "")
}

var (
	errTooLong = errors.New("the answer is longer than any that makes sense; is this the engine?")
	errLongRow = errors.New("the answer has a row longer than a megabyte; is this the engine?")
)

// sizeLimit fails where an answer does not end.
type sizeLimit struct {
	io.ReadCloser
	left int
	done func()
}

// Close implements io.Closer.
func (l *sizeLimit) Close() error {
	defer l.done()
	return l.ReadCloser.Close() //nolint:wrapcheck // a closer's error is passed on as it is
}

// Read implements io.Reader.
func (l *sizeLimit) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, errTooLong
	}
	return n, err //nolint:wrapcheck // a reader's error is passed on as it is
}

// rowLimit fails where a row of CSV does not end. Line ends in quotes are
// part of a row.
type rowLimit struct {
	body   io.ReadCloser
	row    int
	quoted bool
}

// Read implements io.Reader.
func (l *rowLimit) Read(p []byte) (int, error) {
	n, err := l.body.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		at := bytes.IndexByte(rest, '\n')
		part := rest
		if at >= 0 {
			part = rest[:at+1]
		}
		if bytes.Count(part, []byte{'"'})%2 == 1 {
			l.quoted = !l.quoted
		}
		l.row += len(part)
		if l.row > maxRow {
			return 0, errLongRow
		}
		if at >= 0 && !l.quoted {
			l.row = 0
		}
		rest = rest[len(part):]
	}
	return n, err //nolint:wrapcheck // a reader's error is passed on as it is
}

// Close implements io.Closer.
func (l *rowLimit) Close() error {
	return l.body.Close() //nolint:wrapcheck // a closer's error is passed on as it is
}
