package detect

import (
	"context"
	"fmt"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// BenchmarkWindowsReachAPlugin measures how fast daily features come to a
// detector in another process: 20 features over 60 days, AutoMTLS.
func BenchmarkWindowsReachAPlugin(b *testing.B) {
	p := launch(b, LaunchConfig{BuiltIn: builtIn("quiet")})
	session, err := p.Evaluators()[0].Start(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	const subjects, days = 416, 60
	w := &sdk.Window{Scope: sdk.ScopeUsagePoint, FirstDay: 20_000, Days: days, Prior: 0.01}
	for i := range subjects {
		w.Subjects = append(w.Subjects, sdk.Subject{ID: fmt.Sprintf("u-%016d", i), Kind: sdk.UsagePoint, Numbers: map[string]float64{sdk.AttrContractedKVA: 8}})
	}
	for _, f := range sdk.Features()[:20] {
		w.SetFeature(f, make([]float32, subjects*days))
	}
	b.SetBytes(subjects * days * 20 * 4)
	id := uint64(0)
	for b.Loop() {
		id++
		next := *w
		next.ID = id
		if _, err := session.Evaluate(context.Background(), &next); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(id)*subjects/b.Elapsed().Seconds(), "meters/s")
	session.Finish(nil)
}
