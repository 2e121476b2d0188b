package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// What a detector on trial found is shown apart, and changes nothing of what
// is shown otherwise.
func TestShadowIsShownApart(t *testing.T) {
	d := newDistrict(t)
	const calm = "UP-10110"
	before := d.desk().logIn().get("/usage-points/"+calm, 200)
	if strings.Contains(before, "Detectors on trial") {
		t.Error("a shadow without any detector in shadow mode")
	}
	finding := detect.Finding{
		Finding: sdk.Finding{Reason: "mining", Probability: 0.93, FirstDay: sdk.Date(d.last() - 9), LastDay: sdk.Date(d.last()),
			Evidence: []sdk.Evidence{{Code: "x", Text: "It <hums> at night."}}},
		Stamp: detect.Stamp{Detector: "acme_heat", Version: "2.0.1"},
	}
	d.result.Shadow = []detect.Shadow{{
		Stamp: finding.Stamp, Scored: 400, Expected: 12.25,
		UsagePoints: []detect.ShadowPoint{{UsagePointID: calm, Probability: 0.93, Findings: []detect.Finding{finding}}, {UsagePointID: minerPoint, Probability: 0.9, Findings: []detect.Finding{finding}}},
	}, {Stamp: detect.Stamp{Detector: "other", Version: "1"}, Failure: "it ended"}}
	k := d.desk().logIn()
	page := k.get("/usage-points/"+calm, 200)
	for _, want := range []string{"<details class=\"panel shadow", "Detectors on trial", "not weighed", " 2.0.1</td>", "0.93", "It &lt;hums&gt; at night.", "No detector found anything abnormal"} {
		if !strings.Contains(page, want) {
			t.Errorf("the usage point's page does not say %q", want)
		}
	}
	page = k.get("/plugins", 200)
	for _, want := range []string{"On trial in the last run", "<td class=\"n\">400</td>", "12.2", "it ended", "<td class=\"n\">2</td><td class=\"n\">1</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of plugins does not say %q", want)
		}
	}
	if queue := k.get("/queue", 200); strings.Contains(queue, "acme_heat") {
		t.Error("a detector in shadow mode is in the queue")
	}
}

func TestOnlyAnAdministratorReleasesAPlugin(t *testing.T) {
	d := newDistrict(t)
	var released []string
	wired := func(c *Config) {
		c.Release = func(_ context.Context, name, by string) error {
			switch name {
			case "acme_heat":
				released = append(released, name+" by "+by)
				return nil
			case "broken":
				return errors.New("it does not start")
			}
			return fmt.Errorf("%w: %s", ErrNotFound, name)
		}
	}
	officer := d.desk(wired).logIn()
	if page := officer.get("/plugins", 200); strings.Contains(page, "/release") {
		t.Error("an officer is offered to release a plugin")
	}
	if resp, _ := officer.do("POST", "/plugins/acme_heat/release", nil, "Sec-Fetch-Site", "same-origin"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("an officer released a plugin: %d", resp.StatusCode)
	}
	d.mu.Lock()
	for name, u := range d.users {
		u.Roles = []string{u.Role, "admin"}
		d.users[name] = u
	}
	d.mu.Unlock()
	admin := d.desk(wired).logIn()
	if page := admin.get("/plugins", 200); !strings.Contains(page, `<form method="post" action="/plugins/acme_heat/release">`) || strings.Count(page, "/release") != 1 {
		t.Error("an administrator is not offered to release the one plugin in quarantine")
	}
	if resp, _ := admin.do("POST", "/plugins/acme_heat/release", nil, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden || len(released) > 0 {
		t.Errorf("from another site: %d, released %v", resp.StatusCode, released)
	}
	for path, want := range map[string]int{"acme_heat": 303, "nobody": 404, "broken": 500} {
		if resp, _ := admin.do("POST", "/plugins/"+path+"/release", nil, "Sec-Fetch-Site", "same-origin"); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	if len(released) != 1 || released[0] != "acme_heat by lin" {
		t.Errorf("released %v", released)
	}
	if resp, _ := d.desk().logIn().do("POST", "/plugins/acme_heat/release", nil, "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 404 {
		t.Errorf("where nobody can: %d", resp.StatusCode)
	}
}
