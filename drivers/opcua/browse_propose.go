package opcua

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Proposal is what a space could be configured as.
type Proposal struct {
	Devices   []ProposedDevice
	Profiles  []ProposedProfile // for devices that no known profile fits
	Unmatched []Unmatched       // numbers that nothing was made of
}

// ProposedDevice is a device for the devices file.
type ProposedDevice struct {
	ID      string
	Profile string
	Node    string // the option node; "" where the profile needs none
	From    string // where in the space it lies, for the reader
}

// ProposedProfile is a profile that was made for the space.
type ProposedProfile struct {
	Name   string
	Points []ProposedPoint
}

// ProposedPoint is one of its points.
type ProposedPoint struct {
	Quantity      meter.Quantity
	Node          string // with {node} where the profile serves several devices
	Scale, Offset float64
	Comment       string // the variable's name and unit
}

// Unmatched is a variable that was left out.
type Unmatched struct {
	Path, Node, Why string
}

// Propose makes devices of a space: by the profiles that fit, and else by new
// ones whose names begin with prefix.
func (s *Space) Propose(profiles map[string]*profile.Profile, prefix string) *Proposal {
	p := &proposer{out: new(Proposal), ids: make(map[string]int), used: make(map[string]bool), profiles: make(map[string]int), prefix: slug(prefix)}
	p.known(s, profiles)
	for i := range s.Objects {
		for _, group := range divide(&s.Objects[i]) {
			p.fresh(group)
		}
	}
	slices.SortStableFunc(p.out.Devices, func(a, b ProposedDevice) int { return cmp.Compare(a.From, b.From) })
	return p.out
}

type proposer struct {
	out      *Proposal
	ids      map[string]int  // of devices, counted
	used     map[string]bool // nodes that belong to a device
	profiles map[string]int  // made, by their content
	prefix   string
}

var (
	notSlug   = regexp.MustCompile(`[^a-z0-9]+`)
	notID     = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	separator = regexp.MustCompile(`[./|:]`)
)

// slug makes a text fit for a file's name.
func slug(text string) string {
	out := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(out) > 60 {
		out = strings.Trim(out[:60], "-")
	}
	return cmp.Or(out, "opcua")
}

// id makes a device's id that no other has.
func (p *proposer) id(text string) string {
	base := strings.Trim(notID.ReplaceAllString(text, "-"), "-.")
	if len(base) > 60 {
		base = strings.Trim(base[len(base)-60:], "-.")
	}
	base = cmp.Or(base, "device")
	id := base
	for p.ids[id] > 0 {
		p.ids[base]++
		id = fmt.Sprintf("%s-%d", base, p.ids[base])
	}
	p.ids[id]++
	return id
}

// known finds devices that existing profiles describe: all nodes of a profile
// must be there under one value of {node}, in units that agree.
func (p *proposer) known(s *Space, profiles map[string]*profile.Profile) {
	all := make(map[string]*Variable)
	at := make(map[string]*Object)
	for i := range s.Objects {
		for k := range s.Objects[i].Variables {
			v := &s.Objects[i].Variables[k]
			for _, text := range []string{v.Node.Text, v.Node.Index} {
				if text != "" {
					all[text], at[text] = v, &s.Objects[i]
				}
			}
		}
	}
	names := slices.Collect(maps.Keys(profiles))
	// The profile that explains most comes first.
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(points(profiles[b]), points(profiles[a])), cmp.Compare(a, b))
	})
	for _, name := range names {
		pr := profiles[name]
		if points(pr) == 0 {
			continue
		}
		for _, node := range candidates(pr.OPCUA.Points[0].Node, all) {
			if texts, ok := p.fits(pr, node, all); ok {
				for _, text := range texts {
					p.used[all[text].Node.Text] = true
				}
				where := at[texts[0]]
				id := cmp.Or(node, last(where.Path))
				p.out.Devices = append(p.out.Devices, ProposedDevice{ID: p.id(id), Profile: name, Node: node, From: strings.Join(where.Path, "/")})
			}
		}
	}
}

func points(p *profile.Profile) int {
	if p == nil || p.OPCUA == nil {
		return 0
	}
	return len(p.OPCUA.Points)
}

func last(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[len(path)-1]
}

// candidates lists what {node} may stand for so that a template names a node
// that is there; "" alone for a template without it.
func candidates(template string, all map[string]*Variable) []string {
	before, after, templated := strings.Cut(template, placeholder)
	if !templated {
		if all[template] != nil {
			return []string{""}
		}
		return nil
	}
	var out []string
	for text := range all {
		if len(text) > len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after) {
			node := text[len(before) : len(text)-len(after)]
			if strings.ReplaceAll(template, placeholder, node) == text {
				out = append(out, node)
			}
		}
	}
	slices.Sort(out)
	return out
}

// fits tells whether all of a profile's nodes are there and unused, and no
// unit says otherwise.
func (p *proposer) fits(pr *profile.Profile, node string, all map[string]*Variable) (texts []string, ok bool) {
	for i := range pr.OPCUA.Points {
		pt := &pr.OPCUA.Points[i]
		text := strings.ReplaceAll(pt.Node, placeholder, node)
		v := all[text]
		if v == nil || p.used[v.Node.Text] {
			return nil, false
		}
		if c, known := convert(v.Unit, v.UnitID); known && !agrees(pt, c) {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

// agrees compares a point's scale with the unit that the server states.
func agrees(pt *profile.OPCUAPoint, c conversion) bool {
	scale := cmp.Or(pt.Scale, 1)
	const tolerance = 1e-9
	near := func(a, b float64) bool { d := a - b; return d <= tolerance && d >= -tolerance }
	return c.to == pt.Quantity.Unit() && near(scale, c.scale) && near(pt.Offset, c.offset)
}

// group is variables that belong together, with where they lie.
type group struct {
	path []string
	node NodeName
	vars []Variable
}

// divide returns the variables of an object, or, of a folder in which those of
// many devices lie side by side, one group for each prefix of their names.
func divide(o *Object) []group {
	whole := group{path: o.Path, node: o.Node, vars: o.Variables}
	byPrefix := make(map[string][]Variable)
	var order []string
	for _, v := range o.Variables {
		prefix := ""
		if at := separator.FindAllStringIndex(v.Name, -1); len(at) > 0 {
			prefix = v.Name[:at[len(at)-1][0]]
		}
		if byPrefix[prefix] == nil {
			order = append(order, prefix)
		}
		short := v
		short.Name = strings.TrimLeft(strings.TrimPrefix(v.Name, prefix), "./|:")
		byPrefix[prefix] = append(byPrefix[prefix], short)
	}
	if len(order) < 2 {
		return []group{whole}
	}
	var out []group
	for _, prefix := range order {
		path := o.Path
		if prefix != "" {
			path = append(slices.Clone(o.Path), prefix)
		}
		out = append(out, group{path: path, node: NodeName{ID: prefix}, vars: byPrefix[prefix]})
	}
	return out
}

// fresh makes a device of a group, and a profile where none was made yet that
// is the same.
func (p *proposer) fresh(g group) {
	var list []ProposedPoint
	var vars []Variable
	taken := make(map[meter.Quantity]string)
	for _, v := range g.vars {
		if p.used[v.Node.Text] {
			continue
		}
		m, why := matchVariable(&v)
		if other := taken[m.quantity]; why == "" && other != "" {
			why = fmt.Sprintf("%q already gives %s", other, m.quantity)
		}
		if why == "" && !plainText(v.Node.Text) {
			why = "its node id cannot be written in a profile"
		}
		if why != "" {
			p.out.Unmatched = append(p.out.Unmatched, Unmatched{Path: strings.Join(append(slices.Clone(g.path), v.Name), "/"), Node: v.Node.Text, Why: why})
			continue
		}
		taken[m.quantity] = v.Name
		comment := v.Name
		switch {
		case m.assumed:
			comment += fmt.Sprintf(": the server names no unit; %s is taken, compare it", m.quantity.Unit())
		case v.Unit != "":
			comment += " in " + v.Unit
		}
		list, vars = append(list, ProposedPoint{Quantity: m.quantity, Node: v.Node.Text, Scale: m.scale, Offset: m.offset, Comment: comment}), append(vars, v)
	}
	if len(list) == 0 {
		return
	}
	node := template(list, vars, g)
	order := make(map[meter.Quantity]int)
	for i, q := range meter.Quantities() {
		order[q] = i
	}
	slices.SortStableFunc(list, func(a, b ProposedPoint) int { return order[a.Quantity] - order[b.Quantity] })
	key := fmt.Sprintf("%+v", list)
	at, known := p.profiles[key]
	if !known {
		at = len(p.out.Profiles)
		p.profiles[key] = at
		p.out.Profiles = append(p.out.Profiles, ProposedProfile{Name: fmt.Sprintf("%s-%d", p.prefix, at+1), Points: list})
	}
	id := cmp.Or(last(g.path), node)
	p.out.Devices = append(p.out.Devices, ProposedDevice{ID: p.id(id), Profile: p.out.Profiles[at].Name, Node: node, From: strings.Join(g.path, "/")})
}

// writable is a node id that can stand in a profile as it is.
var writable = regexp.MustCompile(`^(nsu=[^;{}\s]+;)?(s=[^{}]+|i=\d{1,10}|g=[0-9A-Fa-f-]{36}|b=[A-Za-z0-9+/=]+)$`)

func plainText(text string) bool {
	return writable.MatchString(text) && strings.IndexFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufffd' || r == 0x2028 || r == 0x2029
	}) < 0
}

// template puts {node} into the points' node ids, where they have a part in
// common that tells the device: the id or name of their object, or what they
// begin with. It returns that part, "" where there is none.
func template(list []ProposedPoint, vars []Variable, g group) string {
	prefix := vars[0].Node.ID
	for _, v := range vars {
		for !strings.HasPrefix(v.Node.ID, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	if at := separator.FindAllStringIndex(prefix, -1); len(at) > 0 {
		prefix = prefix[:at[len(at)-1][0]]
	} else if len(vars) == 1 {
		prefix = ""
	}
	for _, node := range []string{g.node.ID, prefix, last(g.path)} {
		if node == "" || strings.Contains(node, "{") {
			continue
		}
		out := make([]string, len(list))
		ok := true
		for i, pt := range list {
			after := vars[i].Node.ID
			before, found := strings.CutSuffix(pt.Node, after)
			if !found || !strings.Contains(after, node) {
				ok = false
				break
			}
			out[i] = before + strings.Replace(after, node, placeholder, 1)
			ok = ok && strings.ReplaceAll(out[i], placeholder, node) == pt.Node
		}
		if ok {
			for i := range list {
				list[i].Node = out[i]
			}
			return node
		}
	}
	return ""
}

// KnownOnly leaves out the devices for which a profile would have to be made;
// their variables are listed as unmatched.
func (p *Proposal) KnownOnly() {
	made := make(map[string]bool)
	for _, pr := range p.Profiles {
		made[pr.Name] = true
	}
	p.Devices = slices.DeleteFunc(p.Devices, func(d ProposedDevice) bool {
		if made[d.Profile] {
			p.Unmatched = append(p.Unmatched, Unmatched{Path: d.From, Node: d.Node, Why: "no known profile fits; one is made with --profile-out"})
		}
		return made[d.Profile]
	})
	p.Profiles = nil
}
