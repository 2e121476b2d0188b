package dueprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// rawPolicy is a pack as it is written.
type rawPolicy struct {
	Pack            string     `yaml:"pack"`
	Version         string     `yaml:"version"`
	Sources         []string   `yaml:"sources"`
	NeverSufficient []string   `yaml:"never_sufficient"`
	Evidence        []Evidence `yaml:"evidence"`
	Inspect         struct {
		Requires []string `yaml:"requires"`
	} `yaml:"inspect"`
	Refer struct {
		Requires []string `yaml:"requires"`
	} `yaml:"refer"`
	Grounds []Ground `yaml:"grounds"`
	Paths   struct {
		Noticed   NoticedPath   `yaml:"noticed"`
		Immediate ImmediatePath `yaml:"immediate"`
	} `yaml:"paths"`
	Blockers           []Blocker `yaml:"blockers"`
	NoSuspensionsAfter string    `yaml:"no_suspensions_after"`
	Approvals          Approvals `yaml:"approvals"`
}

// Parse reads a policy pack. It refuses what is not understood and what is
// looser than the floors, with the place of every error.
func Parse(file string, data []byte) (*Policy, error) {
	var raw rawPolicy
	doc, err := strictyaml.Decode(file, data, &raw)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	p := &Policy{
		Pack: raw.Pack, Version: raw.Version, Hash: hex.EncodeToString(sum[:]), Sources: raw.Sources,
		NeverSufficient: raw.NeverSufficient, Evidence: raw.Evidence,
		InspectBy: raw.Inspect.Requires, ReferBy: raw.Refer.Requires, Grounds: raw.Grounds,
		Noticed: raw.Paths.Noticed, Immediate: raw.Paths.Immediate,
		Blockers: raw.Blockers, Approvals: raw.Approvals, NoSuspensionAt: 24 * 60,
	}
	for _, field := range [...]struct{ key, value string }{{"pack", raw.Pack}, {"version", raw.Version}} {
		if field.value == "" {
			doc.Add("$."+field.key, "%s is missing; name it, cases record under which pack they ran", field.key)
		}
	}
	if len(raw.Sources) == 0 {
		doc.Add("$.sources", "sources is missing; name the law or rule book that the pack follows")
	}
	if raw.NoSuspensionsAfter != "" {
		t, err := time.Parse("15:04", raw.NoSuspensionsAfter)
		if err != nil {
			doc.Add("$.no_suspensions_after", "%q is not a time of day; write it as HH:MM", raw.NoSuspensionsAfter)
		}
		p.NoSuspensionAt = t.Hour()*60 + t.Minute()
	}
	c := packChecker{doc: doc, evidence: map[string]bool{}}
	c.checkEvidence(raw.Evidence)
	c.known("$.inspect.requires", raw.Inspect.Requires)
	c.known("$.refer.requires", raw.Refer.Requires)
	if len(raw.Refer.Requires) == 0 {
		doc.Add("$.refer", "a referral needs nothing; name at least the receiver's mandate and the legal basis")
	}
	c.checkGrounds(raw.Grounds)
	c.checkBlockers(raw.Blockers)
	p.checkFloors(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// packChecker checks that the parts of a pack fit each other.
type packChecker struct {
	doc      *strictyaml.Document
	evidence map[string]bool
}

func (c *packChecker) checkEvidence(list []Evidence) {
	for i, e := range list {
		at := fmt.Sprintf("$.evidence[%d]", i)
		c.worded(at, "evidence", e.Code, e.Text, e.From)
		if c.evidence[e.Code] {
			c.doc.Add(at+".code", "evidence %q is given twice; keep one", e.Code)
		}
		c.evidence[e.Code] = true
	}
}

func (c *packChecker) checkGrounds(list []Ground) {
	if len(list) == 0 {
		c.doc.Add("$.grounds", "grounds is missing; list at least one ground")
	}
	seen := map[string]bool{}
	for i, g := range list {
		at := fmt.Sprintf("$.grounds[%d]", i)
		c.worded(at, "ground", g.Code, g.Text, "-")
		if seen[g.Code] {
			c.doc.Add(at+".code", "ground %q is given twice; keep one", g.Code)
		}
		seen[g.Code] = true
		if g.Path != "noticed" && g.Path != "immediate" {
			c.doc.Add(at+".path", "path is %q; write noticed or immediate", g.Path)
		}
		if len(g.Evidence) == 0 {
			c.doc.Add(at+".evidence", "ground %q needs no evidence; name what proves it", g.Code)
		}
		c.known(at+".evidence", g.Evidence)
		c.known(at+".evidence_any", g.EvidenceAny)
		c.known(at+".suspend_with", g.SuspendWith)
		if len(g.Opens) == 0 {
			c.doc.Add(at+".opens", "ground %q opens nothing; name at least one of rectify, tariff_correction, suspend", g.Code)
		}
		for j, code := range g.Opens {
			if m, ok := parseMeasure(code); !ok || !m.restrictive() {
				c.doc.Add(fmt.Sprintf("%s.opens[%d]", at, j), "a ground cannot open %q; write rectify, tariff_correction or suspend", code)
			}
		}
	}
}

func (c *packChecker) checkBlockers(list []Blocker) {
	seen := map[string]bool{}
	for i, b := range list {
		at := fmt.Sprintf("$.blockers[%d]", i)
		c.worded(at, "blocker", b.Code, b.Text, b.From)
		if b.Kind != "protected" && b.Kind != "timing" && b.Kind != "legal" {
			c.doc.Add(at+".kind", "kind is %q; write protected, timing or legal", b.Kind)
		}
		if seen[b.Code] {
			c.doc.Add(at+".code", "blocker %q is given twice; keep one", b.Code)
		}
		seen[b.Code] = true
	}
}

// worded asks for a code, for words and for who supplies the thing.
func (c *packChecker) worded(at, what, code, text, from string) {
	if code == "" || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		c.doc.Add(at+".code", "%s code %q is not an identifier; write lower-case letters, digits and _", what, code)
	}
	if text == "" {
		c.doc.Add(at+".text", "%s %q has no text; say in words what it is", what, code)
	}
	if from == "" {
		c.doc.Add(at+".from", "%s %q has no from; say who or what can supply it", what, code)
	}
}

func (c *packChecker) known(at string, codes []string) {
	for i, code := range codes {
		if !c.evidence[code] {
			c.doc.Add(fmt.Sprintf("%s[%d]", at, i), "evidence %q is not in the list of evidence; add it there or correct the name", code)
		}
	}
}
