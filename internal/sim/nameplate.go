package sim

// nameplate is what a transformer's plate says.
type nameplate struct {
	kva          float64
	noLoadW      float64
	loadW        float64 // at rated current and 75 °C
	impedancePct float64
}

// nameplates are oil-immersed 10/0.4 kV transformers of Chinese type S11 (GB/T
// 6451, Yyn0), the sizes that a rural and small-town network is built from.
var nameplates = [...]nameplate{
	{50, 130, 870, 4},
	{63, 150, 1040, 4},
	{80, 180, 1250, 4},
	{100, 200, 1500, 4},
	{125, 240, 1800, 4},
	{160, 280, 2200, 4},
	{200, 340, 2600, 4},
	{250, 400, 3050, 4},
	{315, 480, 3650, 4},
	{400, 570, 4300, 4},
	{500, 680, 5150, 4},
	{630, 810, 6200, 4.5},
}

// fleet is how many transformers of each plate the district has, forty in all.
var fleet = [len(nameplates)]int{6, 3, 6, 8, 4, 5, 2, 3, 1, 1, 0, 1}

// newFleet lists the plates of the district's transformers, smallest first.
func newFleet() []nameplate {
	var out []nameplate
	for i, n := range fleet {
		for range n {
			out = append(out, nameplates[i])
		}
	}
	return out
}
