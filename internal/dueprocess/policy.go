package dueprocess

// Policy is a policy pack: the rules of one jurisdiction as data.
type Policy struct {
	Pack            string
	Version         string
	Hash            string // SHA-256 of the file's bytes, hexadecimal
	Sources         []string
	NeverSufficient []string
	Evidence        []Evidence
	InspectBy       []string // evidence that an inspection needs besides its trigger
	ReferBy         []string // evidence that a referral needs
	Grounds         []Ground
	Noticed         NoticedPath
	Immediate       ImmediatePath
	Blockers        []Blocker
	Approvals       Approvals
	NoSuspensionAt  int // minutes after midnight from which no suspension begins; 1440: no such rule
}

// Name returns the pack's name and version.
func (p *Policy) Name() string { return p.Pack + " " + p.Version }

// Evidence is a kind of proof that may be put on file.
type Evidence struct {
	Code string `yaml:"code"`
	Text string `yaml:"text"` // what it is: "Actual use found on site"
	From string `yaml:"from"` // who or what supplies it
}

// Ground is a lawful reason for a restrictive measure.
type Ground struct {
	Code        string   `yaml:"code"`
	Text        string   `yaml:"text"`
	Path        string   `yaml:"path"`         // noticed, immediate
	IndicatedBy []string `yaml:"indicated_by"` // reason codes that point at it and prove nothing
	Evidence    []string `yaml:"evidence"`     // all of these
	EvidenceAny []string `yaml:"evidence_any"` // and one of these, where there are any
	Opens       []string `yaml:"opens"`        // of rectify, tariff_correction, suspend
	// What a suspension needs beyond the ground itself.
	SuspendAfterCure bool     `yaml:"suspend_after_cure"`
	SuspendIfSerious bool     `yaml:"suspend_if_serious"`
	SuspendWith      []string `yaml:"suspend_with"` // further evidence, all of it
}

// NoticedPath is the way of a suspension that is announced.
type NoticedPath struct {
	NoticeDays      int  `yaml:"notice_days"`
	ReminderMinutes int  `yaml:"reminder_minutes"`
	ProofOfService  bool `yaml:"proof_of_service"`
	LapsesAfterDays int  `yaml:"lapses_after_days"`
	AppealDays      int  `yaml:"appeal_days"`
}

// ImmediatePath is the way of a suspension that cannot wait.
type ImmediatePath struct {
	ReasonsAtExecution bool `yaml:"reasons_at_execution"`
	Approvals          int  `yaml:"approvals"`
	ReviewWithinHours  int  `yaml:"review_within_hours"`
}

// Blocker is a circumstance in which nobody's supply is suspended.
type Blocker struct {
	Code string `yaml:"code"`
	Kind string `yaml:"kind"` // protected, timing, legal
	Text string `yaml:"text"`
	From string `yaml:"from"` // who can say whether it is so
}

// Approvals says who must approve a suspension.
type Approvals struct {
	ExpireHours int                 `yaml:"expire_hours"`
	ByClass     map[string][]string `yaml:"by_class"`
}

func (p *Policy) evidence(code string) Evidence {
	for _, e := range p.Evidence {
		if e.Code == code {
			return e
		}
	}
	return Evidence{Code: code, Text: code, From: "not named in the pack"}
}

func (p *Policy) ground(code string) (Ground, bool) {
	for _, g := range p.Grounds {
		if g.Code == code {
			return g, true
		}
	}
	return Ground{}, false
}
