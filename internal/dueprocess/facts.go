package dueprocess

import "time"

// Answer is a fact of which it must be known whether it is known. The zero
// value is Unknown, which always denies.
type Answer uint8

// Answers.
const (
	Unknown Answer = iota
	No
	Yes
)

// String returns unknown, no or yes.
func (a Answer) String() string {
	switch a {
	case No:
		return "no"
	case Yes:
		return "yes"
	}
	return "unknown"
}

// AnswerOf makes an Answer of something that is known.
func AnswerOf(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// Facts are what is known of a case at one moment.
type Facts struct {
	// Area says that the case is about a transformer and names no customer.
	Area bool

	Finding    Answer   // a finding at or above the case threshold supports the case
	Tip        Answer   // a tip from outside is on file
	Reasons    []string // reason codes of the findings; they point at grounds and prove none
	DeskReview Answer   // the desk review is concluded
	// RecordsRuledOut says that wrong CT/PT ratio, meter exchange and wrong
	// transformer mapping were looked into and are not the cause.
	RecordsRuledOut Answer

	Class   string // of the customer: residential, ordinary, important; "" unknown
	Subject string // person, enterprise; "" unknown

	Evidence map[string]Answer // by the pack's evidence code; Yes: on file
	Blockers map[string]Answer // by the pack's blocker code; No: looked into and not so

	NoticeServed time.Time // of suspension, with proof of service; zero: not served
	CureEnded    Answer    // the cure period has run out without a cure
	Serious      Answer    // a person found the breach serious
	Approved     Answer    // all approvals that the pack asks for are valid
	Suspended    Answer    // supply was suspended under this case

	Location *time.Location // of the site, for rules by the hour of day; nil: unknown
}
