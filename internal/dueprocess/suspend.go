package dueprocess

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// suspendUnmet returns what a suspension lacks beyond a proven ground. With no
// ground proven the noticed path is asked for, which is the stricter one.
func (e *evaluation) suspendUnmet(proven []Ground) []Condition {
	immediate := slices.ContainsFunc(proven, func(g Ground) bool { return g.Path == "immediate" })
	var unmet []Condition
	if !immediate {
		unmet = append(unmet, e.groundsLeave(proven)...)
		unmet = append(unmet, e.noticeUnmet()...)
	}
	unmet = append(unmet, e.approvalsUnmet(immediate)...)
	danger := slices.ContainsFunc(proven, func(g Ground) bool { return g.Code == "danger" })
	unmet = append(unmet, e.blockersUnmet("protected", "Protected customers")...)
	if !danger { // danger overrides timing and legal blockers, never the protected
		unmet = append(unmet, e.blockersUnmet("timing", "Timing")...)
		unmet = append(unmet, e.hourUnmet()...)
		unmet = append(unmet, e.blockersUnmet("legal", "Disputes and reviews")...)
	}
	return unmet
}

// groundsLeave returns what the proven ground that lacks least still asks for
// before a suspension: cure, seriousness, an order.
func (e *evaluation) groundsLeave(proven []Ground) []Condition {
	var least []Condition
	for i, g := range proven {
		var unmet []Condition
		if g.SuspendAfterCure && e.facts.CureEnded != Yes {
			unmet = append(unmet, Condition{
				g.Text + ". No cure period has run out without a cure.",
				"A rectification notice and time", g.Code + ".suspend_after_cure",
			})
		}
		if g.SuspendIfSerious && e.facts.Serious != Yes {
			unmet = append(unmet, Condition{
				g.Text + ". Nobody has found the breach serious.",
				"The case officer", g.Code + ".suspend_if_serious",
			})
		}
		unmet = append(unmet, e.lacking(g.Code+".suspend_with", g.Text+". ", g.SuspendWith)...)
		if i == 0 || len(unmet) < len(least) {
			least = unmet
		}
	}
	return least
}

func (e *evaluation) noticeUnmet() []Condition {
	days := e.policy.Noticed.NoticeDays
	rule := fmt.Sprintf("paths.noticed.notice_days: %d", days)
	served := e.facts.NoticeServed
	if served.IsZero() {
		return []Condition{{
			fmt.Sprintf("No suspension notice is served; %d days ahead are needed.", days),
			"The case officer, once a ground is proven", rule,
		}}
	}
	if end := served.Add(time.Duration(days) * 24 * time.Hour); e.now.Before(end) {
		return []Condition{{
			"The notice period runs until " + end.UTC().Format("2006-01-02 15:04") + " UTC.", "Time", rule,
		}}
	}
	if lapse := e.policy.Noticed.LapsesAfterDays; lapse > 0 && !e.now.Before(served.Add(time.Duration(days+lapse)*24*time.Hour)) {
		return []Condition{{
			"The notice has lapsed.", "A new notice", fmt.Sprintf("paths.noticed.lapses_after_days: %d", lapse),
		}}
	}
	return nil
}

func (e *evaluation) approvalsUnmet(immediate bool) []Condition {
	if e.facts.Approved == Yes {
		return nil
	}
	if immediate {
		return []Condition{{
			fmt.Sprintf("Approvals are missing; %d needed.", max(e.policy.Immediate.Approvals, minDangerApprovers)),
			"An approver who does not execute", "paths.immediate.approvals",
		}}
	}
	roles := e.policy.Approvals.ByClass[e.facts.Class]
	if len(roles) == 0 {
		return []Condition{{
			"The class of the customer is not recorded, so that the approvers are not known.",
			"The customer record", "approvals.by_class",
		}}
	}
	var words []string
	for _, r := range roles {
		words = append(words, strings.ReplaceAll(r, "_", " "))
	}
	return []Condition{{
		"Approvals are missing; distinct persons are needed.",
		strings.Join(words, " and "), "approvals.by_class." + e.facts.Class,
	}}
}

// blockersUnmet names the blockers of one kind that hold or that nobody has
// looked into: a missing fact denies.
func (e *evaluation) blockersUnmet(kind, title string) []Condition {
	var unmet []Condition
	var unknown, from []string
	for _, b := range e.policy.Blockers {
		if b.Kind != kind {
			continue
		}
		switch e.facts.Blockers[b.Code] {
		case No:
		case Yes:
			unmet = append(unmet, Condition{title + ": " + b.Text + ".", b.From, "blockers." + b.Code})
		default:
			unknown = append(unknown, strings.ToLower(b.Text))
			if !slices.Contains(from, b.From) {
				from = append(from, b.From)
			}
		}
	}
	if len(unknown) > 0 {
		unmet = append(unmet, Condition{
			title + ": not ruled out are " + strings.Join(unknown, ", ") + ".",
			strings.Join(from, "; "), "blockers." + kind,
		})
	}
	return unmet
}

func (e *evaluation) hourUnmet() []Condition {
	limit := e.policy.NoSuspensionAt
	if limit >= 24*60 {
		return nil
	}
	rule := fmt.Sprintf("no_suspensions_after: %02d:%02d", limit/60, limit%60)
	if e.facts.Location == nil {
		return []Condition{{"The time at the site is not known.", "The site's time zone in the configuration", rule}}
	}
	if at := e.now.In(e.facts.Location); at.Hour()*60+at.Minute() >= limit {
		return []Condition{{"It is too late in the day.", "Time; from midnight it is met again", rule}}
	}
	return nil
}
