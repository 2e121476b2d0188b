package historian

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/influxdata/influxdb-client-go/v2/domain"
)

// What became of a setting.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
)

// Setting is one thing that Provision has seen to.
type Setting struct {
	Kind    string `json:"kind"` // bucket or task
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
}

// Provisioned says what Provision did, and what is left to do by hand.
type Provisioned struct {
	URL      string    `json:"url"`
	Engine   Engine    `json:"engine"`
	Version  string    `json:"version,omitempty"`
	Settings []Setting `json:"settings,omitempty"`
	ByHand   []Manual  `json:"by_hand,omitempty"`
}

// Changed reports whether anything was made or changed.
func (p *Provisioned) Changed() bool {
	for _, s := range p.Settings {
		if s.Outcome != Unchanged {
			return true
		}
	}
	return false
}

const (
	pageSize = 100
	maxPages = 200 // of a list of buckets or tasks
)

// Provision makes the bucket for readings, one for the values of windows with
// a longer retention, and the tasks that fill it, or changes what differs from
// the plan. A second call changes nothing. On an engine without an API for
// this nothing is changed, and the answer says what to do by hand.
func (h *Historian) Provision(ctx context.Context, plan Plan) (out *Provisioned, err error) {
	if err := plan.Check(); err != nil {
		return nil, fmt.Errorf("historian: %w", err)
	}
	a, err := h.know(ctx)
	if err != nil {
		return nil, err
	}
	out = &Provisioned{URL: h.cfg.URL, Engine: a.engine, Version: a.version}
	if !a.engine.provisions() {
		out.ByHand = plan.byHand(a.engine, h.cfg.Bucket)
		return out, nil
	}
	p := provisioner{h: h, plan: plan, out: out}
	if err := p.run(ctx); err != nil {
		return out, p.failed("set up", err)
	}
	return out, nil
}

func (p *provisioner) failed(what string, err error) error {
	return fmt.Errorf("historian: %s: %s: %w%s", p.h.cfg.URL, what, err, hint(err))
}

// hint is the mend of a failure of the API, which has no types for them.
func hint(err error) string {
	text := strings.ToLower(err.Error())
	if strings.Contains(text, "unauthorized") || strings.Contains(text, "forbidden") {
		return "; the token must be able to read the organisation and to read and write its buckets and tasks (an all-access token)"
	}
	return ""
}

type provisioner struct {
	h     *Historian
	plan  Plan
	out   *Provisioned
	orgID string
}

func (p *provisioner) run(ctx context.Context) error {
	cfg := p.h.cfg
	if err := p.findOrg(ctx); err != nil {
		return fmt.Errorf("organisation %q: %w; create it (influx org create), or correct historian.org", cfg.Org, err)
	}
	buckets, err := p.buckets(ctx)
	if err != nil {
		return fmt.Errorf("list buckets: %w", err)
	}
	w := fluxDuration(p.plan.window())
	if err := p.bucket(ctx, buckets, cfg.Bucket, "readings as they came", p.plan.Retention, DefaultRetention); err != nil {
		return err
	}
	if err := p.bucket(ctx, buckets, p.plan.longName(cfg.Bucket), "means and last values of "+w+" of "+cfg.Bucket, p.plan.LongRetention, DefaultLongRetention); err != nil {
		return err
	}
	tasks, err := p.tasks(ctx)
	if err != nil {
		return fmt.Errorf("list tasks: %w", err)
	}
	for _, s := range p.plan.steps(cfg.Bucket) {
		if err := p.task(ctx, tasks, s); err != nil {
			return fmt.Errorf("task %q: %w", s.name, err)
		}
	}
	return nil
}

// The client's OrganizationsAPI, BucketsAPI and TasksAPI follow pointers that
// an answer may lack; what they are made of does not.

func (p *provisioner) findOrg(ctx context.Context) error {
	found, err := p.h.client.APIClient().GetOrgs(ctx, &domain.GetOrgsParams{Org: &p.h.cfg.Org})
	if err != nil {
		return err //nolint:wrapcheck // run wraps it
	}
	if found != nil && found.Orgs != nil {
		for _, org := range *found.Orgs {
			if org.Name == p.h.cfg.Org && org.Id != nil {
				p.orgID = *org.Id
				return nil
			}
		}
	}
	return errors.New("it is not in the answer")
}

func (p *provisioner) did(kind, name, outcome, detail string) {
	p.out.Settings = append(p.out.Settings, Setting{kind, name, outcome, detail})
}

// buckets lists the organisation's buckets by name.
func (p *provisioner) buckets(ctx context.Context) (map[string]domain.Bucket, error) {
	all := make(map[string]domain.Bucket)
	for range maxPages {
		limit, offset := domain.Limit(pageSize), domain.Offset(len(all))
		page, err := p.h.client.APIClient().GetBuckets(ctx, &domain.GetBucketsParams{OrgID: &p.orgID, Limit: &limit, Offset: &offset})
		if err != nil {
			return nil, err //nolint:wrapcheck // run wraps it
		}
		before := len(all)
		if page != nil && page.Buckets != nil {
			for _, b := range *page.Buckets {
				if b.Id != nil {
					all[b.Name] = b
				}
			}
		}
		if len(all) == before {
			return all, nil
		}
	}
	return nil, errors.New("there are too many")
}

func (p *provisioner) bucket(ctx context.Context, known map[string]domain.Bucket, name, about string, retention *time.Duration, otherwise time.Duration) error {
	wanted := otherwise
	if retention != nil {
		wanted = *retention
	}
	every := int64(wanted / time.Second)
	b, exists := known[name]
	if !exists {
		_, err := p.h.client.APIClient().PostBuckets(ctx, &domain.PostBucketsAllParams{Body: domain.PostBucketsJSONRequestBody{
			OrgID: p.orgID, Name: name, Description: &about, RetentionRules: &domain.RetentionRules{{EverySeconds: every}},
		}})
		if err != nil {
			return fmt.Errorf("create bucket %q: %w", name, err)
		}
		p.did("bucket", name, Created, kept(wanted))
		return nil
	}
	has := retentionOf(b.RetentionRules)
	if retention == nil || has == wanted {
		p.did("bucket", name, Unchanged, kept(has))
		return nil
	}
	if shorter := wanted > 0 && (has == 0 || wanted < has); shorter && !p.plan.Shorten {
		return fmt.Errorf("bucket %q is %s; to be %s deletes what is older: allow it with --shorten, or leave the retention out", name, kept(has), kept(wanted))
	}
	_, err := p.h.client.APIClient().PatchBucketsID(ctx, &domain.PatchBucketsIDAllParams{BucketID: *b.Id, Body: domain.PatchBucketsIDJSONRequestBody{
		RetentionRules: &domain.PatchRetentionRules{{EverySeconds: every}},
	}})
	if err != nil {
		return fmt.Errorf("change bucket %q: %w", name, err)
	}
	p.did("bucket", name, Updated, fmt.Sprintf("%s, was %s", kept(wanted), kept(has)))
	return nil
}

// retentionOf is 0 where a bucket keeps everything.
func retentionOf(rules domain.RetentionRules) (d time.Duration) {
	for _, rule := range rules {
		d = time.Duration(min(max(rule.EverySeconds, 0), math.MaxInt64/int64(time.Second))) * time.Second
	}
	return d
}

func kept(d time.Duration) string {
	if d == 0 {
		return "kept for ever"
	}
	return "kept for " + fluxDuration(d)
}

// tasks lists the organisation's tasks by name.
func (p *provisioner) tasks(ctx context.Context) (map[string]domain.Task, error) {
	all := make(map[string]domain.Task)
	seen := make(map[string]bool)
	limit := pageSize
	params := domain.GetTasksParams{OrgID: &p.orgID, Limit: &limit}
	for range maxPages {
		page, err := p.h.client.APIClient().GetTasks(ctx, &params)
		if err != nil {
			return nil, err //nolint:wrapcheck // run wraps it
		}
		fresh := false
		if page != nil && page.Tasks != nil {
			for _, t := range *page.Tasks {
				if !seen[t.Id] {
					fresh = true
					seen[t.Id] = true
					all[t.Name] = t
					params.After = &t.Id
				}
			}
		}
		if !fresh {
			return all, nil
		}
	}
	return nil, errors.New("there are too many")
}

func (p *provisioner) task(ctx context.Context, known map[string]domain.Task, s step) error {
	flux := s.flux(p.plan, p.h.cfg.Bucket, p.h.cfg.Org)
	active := domain.TaskStatusTypeActive
	t, exists := known[s.name]
	if !exists {
		_, err := p.h.client.APIClient().PostTasks(ctx, &domain.PostTasksAllParams{Body: domain.PostTasksJSONRequestBody{
			OrgID: &p.orgID, Flux: flux, Status: &active, Description: &s.about,
		}})
		if err != nil {
			return fmt.Errorf("create: %w", err)
		}
		p.did("task", s.name, Created, s.about)
		return nil
	}
	if sameFlux(t.Flux, flux) && t.Status != nil && *t.Status == active {
		p.did("task", s.name, Unchanged, s.about)
		return nil
	}
	// Flux alone: it has the name and the schedule in it.
	_, err := p.h.client.APIClient().PatchTasksID(ctx, &domain.PatchTasksIDAllParams{TaskID: t.Id, Body: domain.PatchTasksIDJSONRequestBody{
		Flux: &flux, Status: &active, Description: &s.about,
	}})
	if err != nil {
		return fmt.Errorf("change: %w", err)
	}
	p.did("task", s.name, Updated, s.about)
	return nil
}

// sameFlux compares programs but for their layout: the engine may have
// formatted what it was given.
func sameFlux(a, b string) bool {
	bare := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || strings.ContainsRune("(),", r) {
				return -1
			}
			return r
		}, s)
	}
	return bare(a) == bare(b)
}
