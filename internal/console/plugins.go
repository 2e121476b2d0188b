package console

import (
	"net/http"
	"strings"
)

type pluginRow struct {
	Plugin
	Label, StateWords, Short string
	Bad                      bool
}

type pluginsView struct {
	NotSetUp bool
	Rows     []pluginRow
	Failed   []string
	Note     string
}

func (c *console) plugins(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	v := pluginsView{NotSetUp: c.cfg.Plugins == nil}
	for _, p := range s.plugins {
		row := pluginRow{Plugin: p, Label: in(c.words.detectors, p.Name), StateWords: orElse(strings.ReplaceAll(p.State, "_", " "), unknown), Short: clip(p.SHA256, 13), Bad: p.Error != ""}
		v.Rows = append(v.Rows, row)
	}
	if s.result != nil {
		v.Note = c.resultNote(s)
		for _, f := range s.result.Failed {
			v.Failed = append(v.Failed, in(c.words.detectors, f.Detector)+": "+f.Error)
		}
	}
	c.render(w, r, http.StatusOK, "plugins", "Plugins", v)
}
