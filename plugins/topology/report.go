package topology

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// report measures the doubts and says where the records are surely wrong. A
// usage point is not suspected of anything by that: its finding stands at the
// base rate.
func report(w *sdk.Window, opinions []opinion, out *sdk.Report) {
	elsewhere, rephased, kw := 0, 0, 0.0
	surest := 0.0
	for i := range w.Subjects {
		o, s := &opinions[i], &w.Subjects[i]
		if s.Kind == sdk.Transformer {
			continue
		}
		doubt := robust.Sigmoid(robust.Logit(usualDoubt) + o.mapping)
		if o.judged {
			out.Measure(s.ID, sdk.AttrMappingDoubt, doubt)
		}
		if o.rephase > 0 {
			out.Measure(s.ID, sdk.AttrPhaseDoubt, o.rephase)
		}
		if o.judged && doubt >= sure {
			elsewhere++
			kw += o.kw
			surest = max(surest, doubt)
			out.Add(notHere(w, s, o, doubt))
		}
		if o.rephase >= sure {
			rephased++
			surest = max(surest, o.rephase)
			out.Add(otherPhase(w, s, o))
		}
	}
	if elsewhere+rephased == 0 {
		return
	}
	reason, text := "member_not_here", fmt.Sprintf("%d of the %d recorded members do not hang behind this transformer, %.2f kW on average; see their findings.", elsewhere, len(w.Subjects)-1, kw)
	if elsewhere == 0 {
		reason, text = "phase_differs", fmt.Sprintf("%d of the %d recorded members hang on another phase; see their findings.", rephased, len(w.Subjects)-1)
	}
	out.Add(sdk.Finding{
		Subject: w.Subjects[0].ID, Kind: sdk.Transformer, Reason: reason, Probability: surest,
		FirstDay: w.FirstDay, LastDay: w.LastDay(), Verdicts: []string{sdk.VerdictRecordsError},
		Evidence: []sdk.Evidence{{Code: "members_elsewhere", Value: float64(elsewhere + rephased), Text: text}},
	})
}

func notHere(w *sdk.Window, s *sdk.Subject, o *opinion, doubt float64) sdk.Finding {
	f := sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: "member_not_here", Probability: w.Prior,
		FirstDay: w.FirstDay, LastDay: w.LastDay(),
	}
	if o.place.Known {
		f.Evidence = append(f.Evidence, sdk.Evidence{
			Code: "load_does_not_pass", Value: o.place.Slope, Unit: "kW/kW",
			Text: fmt.Sprintf("For each kW that this meter shows, the transformer's balance changes by %.2f ± %.2f kW beyond any daily rhythm: 0 for a customer behind this transformer, -1 for one behind another.", o.place.Slope, o.place.Err),
		})
	}
	if o.usual > 0 {
		f.Evidence = append(f.Evidence, sdk.Evidence{
			Code: "voltage_does_not_follow", Value: o.follows,
			Text: fmt.Sprintf("Its voltage follows the neighbours' with a correlation of %.2f beyond what the feeder shares; theirs follow each other with %.2f.", o.follows, o.usual),
		})
	}
	f.Evidence = append(f.Evidence, sdk.Evidence{Code: "mapping_doubt", Value: doubt, Text: fmt.Sprintf("The records place this meter at the wrong transformer with a probability of %.2f; judge no balance by it before that is put right.", doubt)})
	f.Innocent = []sdk.Explanation{{Code: "records_error", Outcome: sdk.Explains, Text: "An entry of the registry is wrong; the customer has done nothing."}}
	return f
}

func otherPhase(w *sdk.Window, s *sdk.Subject, o *opinion) sdk.Finding {
	return sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: "phase_differs", Probability: w.Prior,
		FirstDay: w.FirstDay, LastDay: w.LastDay(),
		Evidence: []sdk.Evidence{{
			Code: "voltage_of_another_phase", Value: math.Round(100*o.follows) / 100,
			Text: fmt.Sprintf("The records say phase %s; its voltage follows that of the meters on phase %s with a correlation of %.2f.", phaseNames[o.shown], phaseNames[o.phase], o.follows),
		}},
		Innocent: []sdk.Explanation{{Code: "records_error", Outcome: sdk.Explains, Text: "An entry of the registry is wrong; the customer has done nothing."}},
	}
}
