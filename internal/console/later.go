package console

import "net/http"

type laterView struct{ Title, What, Meanwhile, First string }

// later serves the routes that have nothing behind them on this installation.
// They are not in the navigation; an address that someone kept still answers.
func (c *console) later(page string) http.HandlerFunc {
	v := map[string]laterView{
		"tasks": {Title: "Field tasks", What: "Field tasks are not set up.",
			Meanwhile: "Cases go as far as desk review: reasons, evidence and innocent explanations are on every usage point's page, which prints.",
			First:     "Start with the queue and rule out wrong ratio, meter exchange and wrong transformer."},
		"approvals": {Title: "Approvals", What: "Approvals are not set up.",
			Meanwhile: "No measure that needs approval can be ordered. Each case lists which measures the policy blocks and why.",
			First:     "Open a case and read its measures."},
		"audit": {Title: "Audit", What: "The audit log is not set up.",
			Meanwhile: "Each case keeps its own timeline, and each finding the checksum of the detector and of the data that made it.",
			First:     "Open a case and read its timeline."},
	}[page]
	return func(w http.ResponseWriter, r *http.Request) {
		c.render(w, r, http.StatusOK, "later", v.Title, v)
	}
}
