package dueprocess

import (
	"slices"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// Furthest is the furthest measure that can be open, running or done in this
// version, whatever facts and policy say. Nothing that touches a customer is
// wired yet: no approval, notice, task or order exists that a further measure
// could rest on, so none may look as if it could be taken.
//
// Raise it only together with the code that enforces the further measure's
// conditions, and with its proof.
const Furthest = DeskReview

// stageFloor is the condition that every measure beyond Furthest fails.
func stageFloor(m Measure) []Condition {
	if m <= Furthest {
		return nil
	}
	return []Condition{{
		Missing:  "This version carries no case further than the desk review.",
		Supplier: "Nobody; a later version of the program",
		Rule:     "floor.furthest: " + Furthest.String(),
	}}
}

// Floors under every pack.
const (
	minNoticeDays      = 1  // a notice that comes with the act is none
	minApprovers       = 2  // distinct roles on the noticed path
	minDangerApprovers = 1  // on the immediate path
	maxReviewHours     = 24 // by a second person, after an immediate suspension
	maxApprovalHours   = 72 // after which an approval has lapsed
	minAppealDays      = 1  // to object before a noticed suspension
)

// neverSufficient is what proves no ground on its own under any pack.
func neverSufficient() []string { return []string{"score", "list_entry", "mining"} }

// checkFloors refuses a pack that is looser than the floors.
func (p *Policy) checkFloors(doc *strictyaml.Document) {
	for _, ground := range neverSufficient() {
		if !slices.Contains(p.NeverSufficient, ground) {
			doc.Add("$.never_sufficient", "%s is missing, which would let it justify a measure; add it", ground)
		}
	}
	if p.Noticed.NoticeDays < minNoticeDays {
		doc.Add("$.paths.noticed.notice_days", "notice of %d days is below the floor; write %d or more", p.Noticed.NoticeDays, minNoticeDays)
	}
	if !p.Noticed.ProofOfService {
		doc.Add("$.paths.noticed.proof_of_service", "a notice without proof of service is below the floor; write true")
	}
	if p.Noticed.AppealDays < minAppealDays {
		doc.Add("$.paths.noticed.appeal_days", "an appeal window of %d days is below the floor; write %d or more", p.Noticed.AppealDays, minAppealDays)
	}
	if !p.Immediate.ReasonsAtExecution {
		doc.Add("$.paths.immediate.reasons_at_execution", "an immediate suspension without reasons is below the floor; write true")
	}
	if p.Immediate.Approvals < minDangerApprovers {
		doc.Add("$.paths.immediate.approvals", "%d approvals are below the floor; write %d or more", p.Immediate.Approvals, minDangerApprovers)
	}
	if h := p.Immediate.ReviewWithinHours; h < 1 || h > maxReviewHours {
		doc.Add("$.paths.immediate.review_within_hours", "a review within %d hours is outside the floor; write 1 to %d", h, maxReviewHours)
	}
	if h := p.Approvals.ExpireHours; h < 1 || h > maxApprovalHours {
		doc.Add("$.approvals.expire_hours", "approvals that last %d hours are outside the floor; write 1 to %d", h, maxApprovalHours)
	}
	for _, class := range []string{"residential", "ordinary", "important"} {
		roles := slices.Compact(slices.Sorted(slices.Values(p.Approvals.ByClass[class])))
		if len(roles) < minApprovers {
			doc.Add("$.approvals.by_class."+class, "class %s has %d approver roles; name at least %d different ones", class, len(roles), minApprovers)
		}
	}
	if theft, ok := p.ground("theft"); ok {
		for _, code := range []string{"two_inspectors", "site_record"} {
			if !slices.Contains(theft.Evidence, code) {
				doc.Add("$.grounds", "theft without %s is below the floor; add it to its evidence", code)
			}
		}
	}
	for _, code := range []string{"life_support", "medical", "essential_service", "other_users"} {
		if !slices.ContainsFunc(p.Blockers, func(b Blocker) bool { return b.Code == code && b.Kind == "protected" }) {
			doc.Add("$.blockers", "protected customers of kind %s are missing; add a blocker %s of kind protected", code, code)
		}
	}
}
