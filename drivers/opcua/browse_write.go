package opcua

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

// WriteDevices writes a devices file that can be run as it is. dev gives URL
// and options; secrets are left out, and said. profiles is the folder of the
// profiles that were written, "" where there are none.
func (p *Proposal) WriteDevices(w io.Writer, dev drivers.Device, s *Space, profiles string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Devices found on %s: %d nodes were visited.\n", clean(dev.URL.String()), s.Visited)
	if s.Cut != "" {
		fmt.Fprintf(&b, "# The walk is incomplete: %s.\n", clean(s.Cut))
	}
	b.WriteString("# Compare names, units and values with the devices before they are relied on.\n")
	if profiles != "" {
		fmt.Fprintf(&b, "profiles: %s\n", strconv.Quote(profiles))
	}
	if len(p.Devices) == 0 {
		b.WriteString("devices: []\n")
	} else {
		b.WriteString("devices:\n")
	}
	for _, d := range p.Devices {
		fmt.Fprintf(&b, "  # %s\n", clean(d.From))
		fmt.Fprintf(&b, "  - id: %s\n    url: %s\n    profile: %s\n", strconv.Quote(d.ID), strconv.Quote(dev.URL.String()), strconv.Quote(d.Profile))
		if dev.Interval > 0 {
			fmt.Fprintf(&b, "    interval: %s\n", dev.Interval)
		}
		if dev.Mode != "" {
			fmt.Fprintf(&b, "    mode: %s\n", dev.Mode)
		}
		options := maps.Clone(dev.Options)
		if options == nil {
			options = make(map[string]string)
		}
		delete(options, optNode)
		_, secret := options[optPassword]
		delete(options, optPassword)
		if d.Node != "" {
			options[optNode] = d.Node
		}
		if len(options) > 0 {
			b.WriteString("    options:\n")
		}
		for _, key := range slices.Sorted(maps.Keys(options)) {
			fmt.Fprintf(&b, "      %s: %s\n", key, strconv.Quote(options[key]))
		}
		if secret {
			fmt.Fprintf(&b, "      # %s is not written here; name a file that holds it\n", optPassword)
		}
	}
	if len(p.Unmatched) > 0 {
		b.WriteString("\n# Numbers that nothing was made of:\n")
	}
	for _, u := range p.Unmatched {
		fmt.Fprintf(&b, "#   %s (%s): %s\n", clean(u.Path), clean(u.Node), clean(u.Why))
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // the writer's own error says it all
}

// clean makes a server's words fit for one line of a comment.
func clean(text string) string {
	out := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == '\ufeff' || r == '\ufffd' {
			return '?'
		}
		return r
	}, text)
	if len(out) > 300 {
		out = strings.ToValidUTF8(out[:300], "") + "…"
	}
	return out
}

// Write writes a profile file. maker and model name the server, source where
// and when it was browsed.
func (p *ProposedProfile) Write(w io.Writer, server string, at time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made from the address space of %s. Compare every line with the server's documentation.\n", clean(server))
	fmt.Fprintf(&b, "name: %s\nmanufacturer: %s\nmodel: %s\nsource: %s\nstatus: paper\nprotocol: opcua\nopcua:\n  points:\n",
		strconv.Quote(p.Name), strconv.Quote("unknown"), strconv.Quote("as browsed"),
		strconv.Quote(fmt.Sprintf("address space of %s, browsed on %s", clean(server), at.UTC().Format(time.DateOnly))))
	for _, pt := range p.Points {
		fmt.Fprintf(&b, "    # %s\n    - quantity: %s\n      node: %s\n", clean(pt.Comment), pt.Quantity, strconv.Quote(pt.Node))
		if pt.Scale != 1 {
			fmt.Fprintf(&b, "      scale: %s\n", strconv.FormatFloat(pt.Scale, 'g', -1, 64))
		}
		if pt.Offset != 0 {
			fmt.Fprintf(&b, "      offset: %s\n", strconv.FormatFloat(pt.Offset, 'g', -1, 64))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // the writer's own error says it all
}
