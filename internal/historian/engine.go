package historian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Engine is the kind of database behind the v2 write API.
type Engine string

// Engines that are told apart. What is none of them is taken for InfluxDB 2.
const (
	InfluxDB1       Engine = "InfluxDB 1"
	InfluxDB2       Engine = "InfluxDB 2"
	VictoriaMetrics Engine = "VictoriaMetrics"
	UnknownEngine   Engine = "unknown"
)

// Flux reports whether the engine answers Flux.
func (e Engine) Flux() bool { return e != VictoriaMetrics }

// provisions reports whether the engine has an API for buckets and tasks.
func (e Engine) provisions() bool { return e == InfluxDB2 || e == UnknownEngine }

// about is what is known of the engine, once it has been asked.
type about struct {
	engine  Engine
	version string // "" where it does not say
}

// maxAbout is the largest answer that is looked at to tell engines apart.
const maxAbout = 64 << 10

// Engine says which engine it is. It is asked once; an engine that cannot be
// reached is asked again at the next call.
func (h *Historian) Engine(ctx context.Context) (Engine, string, error) {
	a, err := h.know(ctx)
	return a.engine, a.version, err
}

func (h *Historian) know(ctx context.Context) (about, error) {
	if known := h.about.Load(); known != nil {
		return *known, nil
	}
	h.asking.Lock()
	defer h.asking.Unlock()
	if known := h.about.Load(); known != nil {
		return *known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	a, err := h.ask(ctx)
	if err != nil {
		return about{engine: UnknownEngine}, fmt.Errorf("historian: %s: %w; check that the engine runs and historian.url; the readings wait in the stream", h.cfg.URL, err)
	}
	switch a.engine {
	case VictoriaMetrics:
		h.log.Info("historian is VictoriaMetrics: no Flux, queries go through its export; codes in hex and details of bad readings are not stored, times are kept to the millisecond", "url", h.cfg.URL, "version", a.version)
	case UnknownEngine:
		h.log.Warn("historian does not say which engine it is; it is taken for InfluxDB 2", "url", h.cfg.URL)
	default:
		h.log.Info("historian engine", "engine", string(a.engine), "version", a.version, "url", h.cfg.URL)
	}
	h.about.Store(&a)
	return a, nil
}

// ask tells engines apart: InfluxDB names its build at /ping, VictoriaMetrics
// has Prometheus's status page instead.
func (h *Historian) ask(ctx context.Context) (about, error) {
	status, header, _, err := h.get(ctx, h.cfg.URL, "ping")
	if err != nil {
		return about{}, err
	}
	if status >= http.StatusInternalServerError {
		return about{}, fmt.Errorf("/ping answers %d", status)
	}
	version := strings.TrimPrefix(header.Get("X-Influxdb-Version"), "v")
	if header.Get("X-Influxdb-Build") != "" {
		if strings.HasPrefix(version, "1.") {
			return about{InfluxDB1, version}, nil
		}
		return about{InfluxDB2, version}, nil
	}
	// A failure here says no more than that it is something else.
	status, _, body, err := h.get(ctx, h.cfg.queryURL(), "api/v1/status/buildinfo")
	var info struct {
		Status string `json:"status"`
		Data   struct {
			Version string `json:"version"`
		} `json:"data"`
	}
	if err == nil && status == http.StatusOK && json.Unmarshal(body, &info) == nil && info.Status == "success" {
		return about{VictoriaMetrics, clip(info.Data.Version, 40)}, nil
	}
	if err != nil && ctx.Err() != nil {
		return about{}, err
	}
	return about{UnknownEngine, clip(version, 40)}, nil
}

// get fetches a small document below base.
func (h *Historian) get(ctx context.Context, base, path string) (status int, header http.Header, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/"+path, nil)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("request: %w", err)
	}
	h.authorize(req)
	resp, err := h.http.Do(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("request: %w", err)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAbout))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, nil, nil, fmt.Errorf("answer: %w", err)
	}
	return resp.StatusCode, resp.Header, body, nil
}

// authorize adds the token to a request that is not the client's own, which
// only InfluxDB 1 and VictoriaMetrics look at.
func (h *Historian) authorize(req *http.Request) {
	if h.cfg.Token != "" {
		req.Header.Set("Authorization", promAuthorization(h.cfg.Token))
	}
}
