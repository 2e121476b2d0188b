package detect

import (
	"regexp"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// named puts the ids back for the pseudonyms that a transformer's evidence
// names, such as whose load makes its peak. A finding about a usage point names
// nobody else, so its texts are left alone. The finding is the caller's copy.
func (p *pseudonyms) named(f *sdk.Finding) {
	if f.Kind != sdk.Transformer {
		return
	}
	pattern := regexp.MustCompile(`\b[ut]-[a-z2-7]{16}\b`)
	f.Evidence = slices.Clone(f.Evidence)
	for i := range f.Evidence {
		f.Evidence[i].Text = pattern.ReplaceAllStringFunc(f.Evidence[i].Text, func(name string) string {
			if id := p.id(name); id != "" {
				return id
			}
			return name
		})
	}
}
