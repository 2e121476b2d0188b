package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listedStreet writes the records and readings of twelve households, of which
// the first has a machine and is listed.
func listedStreet(t *testing.T) (registry, readings string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	customers, points := "customer_id,category,class,declared_use,contracted_kva,tariff_id\n", "usage_point_id,meter_id,customer_id,transformer_id\n"
	var power strings.Builder
	power.WriteString("meter_id,date")
	for h := range 24 {
		fmt.Fprintf(&power, ",p%d", h+1)
	}
	for i := range 12 {
		customers += fmt.Sprintf("C%02d,residential,residential,dwelling,8,\n", i)
		points += fmt.Sprintf("U%02d,M%02d,C%02d,T1\n", i, i, i)
		for day := 1; day <= 20; day++ {
			fmt.Fprintf(&power, "\nM%02d,2026-03-%02d", i, day)
			for h := range 24 {
				kwh := 0.2 + 0.01*float64(i) + 0.3*float64(h/18) + 0.01*float64((h+day)%3)
				if i == 0 {
					kwh += 3.2
				}
				fmt.Fprintf(&power, ",%.3f", kwh)
			}
		}
	}
	write("transformers.csv", "transformer_id,feeder_id,substation_id,rated_kva\nT1,F1,S1,250\n")
	write("customers.csv", customers)
	write("usage_points.csv", points)
	write("ip_assignments.csv", "ip,customer_id,from,to,source\n192.0.2.1,C00,2025-01-01,,provider\n")
	write("watchlist.csv", "ip,first_seen,last_seen,source,legal_basis,expires,hashrate_hs,algorithm,coin\n"+
		"192.0.2.1,2026-03-05,2026-03-09,CERT,Order 7,2027-01-01,150e12,SHA-256,BTC\n192.0.2.2,2026-03-05,2026-03-09,CERT,Order 7,2027-01-01,,,\n")
	return dir, write("power.csv", power.String()+"\n")
}

func TestWatchlistReconcile(t *testing.T) {
	registry, readings := listedStreet(t)
	code, stdout, stderr := gridwarden(t, "watchlist", "reconcile", "--registry", registry, "--readings", readings, "--claim-kwh-day", "115")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"2 addresses: 1 belonged to one customer", "make 2.4 kW an address", "C00", "fits"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q:\n%s", want, stdout)
		}
	}
	code, stdout, stderr = gridwarden(t, "watchlist", "reconcile", "--registry", registry, readings, "--json")
	var report struct {
		Total struct {
			Joined, Fit int
		}
		Unjoined []string
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	if report.Total.Joined != 1 || report.Total.Fit != 1 || len(report.Unjoined) != 1 || report.Unjoined[0] != "192.0.2.2" {
		t.Errorf("report %+v", report)
	}
}

func TestWatchlistReconcileSaysWhatIsWrong(t *testing.T) {
	registry, readings := listedStreet(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no registry": {[]string{"--readings", readings}, "--registry is needed"},
		"no readings": {[]string{"--registry", registry}, "--readings is needed"},
		"claim":       {[]string{"--registry", registry, readings, "--claim-kwh-day", "-3"}, "a claim is a positive number"},
		"no days":     {[]string{"--registry", registry, readings, "--until", "2020-01-01"}, "no day"},
	} {
		code, _, stderr := gridwarden(t, append([]string{"watchlist", "reconcile"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
	if err := os.Remove(filepath.Join(registry, "watchlist.csv")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := gridwarden(t, "watchlist", "reconcile", "--registry", registry, readings); code != exitUsage || !strings.Contains(stderr, "nothing to reconcile") {
		t.Errorf("without a list: exit %d: %s", code, stderr)
	}
}
