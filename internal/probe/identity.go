package probe

import "fmt"

// Weights of what a device says of itself: it outweighs every guess.
const (
	recognisedPoints = 100
	otherPoints      = 40
	unreadPoints     = 15
)

// identify reads what the device says of itself by the candidate's profile.
// All distinctive parts must fit: a marker of a family alone is no model.
func (c *Candidate) identify(w *wire) {
	m := c.p.Modbus
	blocks := m.IdentityBlocks()
	distinctive, fit := 0, 0
	var says, missed string
	for i := range blocks {
		b := &blocks[i]
		a := w.known(b)
		for _, n := range b.Points {
			id := &m.Identity[n]
			if id.Distinctive() {
				distinctive++
			}
			if a == nil || a.data == nil {
				if id.Distinctive() {
					missed = id.Name
				}
				continue
			}
			raw := id.Bytes(b, a.cut(b))
			text := id.Text(raw)
			if text != "" {
				c.Identity = append(c.Identity, Text{id.Name, text})
			}
			if !id.Distinctive() {
				continue
			}
			if says != "" {
				says += ", "
			}
			says += fmt.Sprintf("%s %q", id.Name, text)
			if id.Matches(raw) {
				fit++
			}
		}
	}
	switch {
	case distinctive == 0:
	case fit == distinctive:
		c.recognised = true
		c.add("identity", true, recognisedPoints, 0, "the device says %s, as the profile expects", says)
	case missed != "":
		c.add("identity", false, 0, unreadPoints, "the device does not answer for %s, by which the profile knows it", missed)
	default:
		c.add("identity", false, 0, otherPoints, "the device says %s; the profile expects something else", says)
	}
}
