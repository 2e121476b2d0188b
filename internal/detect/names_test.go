package detect

import (
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func TestEvidenceOnATransformerNamesCustomersByTheirIDs(t *testing.T) {
	names := newPseudonyms([]byte("key"))
	point, stranger := names.of(sdk.UsagePoint, "UP-0007"), newPseudonyms([]byte("other")).of(sdk.UsagePoint, "UP-0007")
	text := "The peak is " + point + " 60 %, " + stranger + " 30 % and u-turn 10 %."
	reported := []sdk.Evidence{{Text: text}}
	f := sdk.Finding{Kind: sdk.Transformer, Evidence: reported}
	names.named(&f)
	if want := "The peak is UP-0007 60 %, " + stranger + " 30 % and u-turn 10 %."; f.Evidence[0].Text != want {
		t.Errorf("%q, want %q", f.Evidence[0].Text, want)
	}
	if reported[0].Text != text {
		t.Error("the detector's own evidence was changed")
	}
	f = sdk.Finding{Kind: sdk.UsagePoint, Evidence: reported}
	if names.named(&f); f.Evidence[0].Text != text {
		t.Errorf("a usage point's evidence became %q", f.Evidence[0].Text)
	}
}
