package historian

import (
	"context"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/domain"
)

// Status is what the engine says of itself and of the bucket.
type Status struct {
	URL       string       `json:"url"`
	Engine    Engine       `json:"engine"`
	Version   string       `json:"version,omitempty"`
	State     string       `json:"state"`
	Reason    string       `json:"reason,omitempty"` // why it does not work
	Org       string       `json:"org"`
	Bucket    string       `json:"bucket"`
	Retention string       `json:"retention,omitempty"` // where the engine tells
	LastHour  *int64       `json:"last_hour,omitempty"` // readings with event times of the last hour; nil: cannot be read
	Tasks     []TaskStatus `json:"tasks,omitempty"`     // of InfluxDB 2
}

// TaskStatus is how one of our tasks does.
type TaskStatus struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
	Last   string `json:"last,omitempty"`  // of its last run: success, failed or canceled
	Error  string `json:"error,omitempty"` // of its last run
}

// Status asks the engine; what cannot be learnt is left out, with the reason
// in Reason.
func (h *Historian) Status(ctx context.Context, now time.Time) Status {
	s := Status{URL: h.cfg.URL, Engine: UnknownEngine, Org: h.cfg.Org, Bucket: h.cfg.Bucket}
	a, err := h.know(ctx)
	s.Engine, s.Version = a.engine, a.version
	if err == nil {
		s.State, err = h.State()
	}
	if err == nil {
		var n int64
		if n, err = h.Count(ctx, now.Add(-time.Hour), now); err == nil {
			s.LastHour = &n
		}
	}
	if err == nil && a.engine == InfluxDB2 {
		err = h.provisioned(ctx, &s)
	}
	if err != nil {
		s.State, s.Reason = Failing, err.Error()
	}
	return s
}

// provisioned adds what Provision has made.
func (h *Historian) provisioned(ctx context.Context, s *Status) error {
	p := provisioner{h: h, out: &Provisioned{}}
	if err := p.findOrg(ctx); err != nil {
		return p.failed("find the organisation", err)
	}
	buckets, err := p.buckets(ctx)
	if err != nil {
		return p.failed("list buckets", err)
	}
	if b, ok := buckets[h.cfg.Bucket]; ok {
		s.Retention = kept(retentionOf(b.RetentionRules))
	}
	tasks, err := p.tasks(ctx)
	if err != nil {
		return p.failed("list tasks", err)
	}
	for _, step := range p.plan.steps(h.cfg.Bucket) {
		t, ok := tasks[step.name]
		if !ok {
			continue
		}
		task := TaskStatus{Name: t.Name, Active: t.Status != nil && *t.Status == domain.TaskStatusTypeActive}
		if t.LastRunStatus != nil {
			task.Last = clip(string(*t.LastRunStatus), maxName)
		}
		if t.LastRunError != nil {
			task.Error = clip(clean(*t.LastRunError), maxName)
		}
		s.Tasks = append(s.Tasks, task)
	}
	return nil
}
