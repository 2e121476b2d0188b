package console

import (
	"html"
	"html/template"
	"net/url"
	"strings"
)

// href is the address of a thing: href "usage-points" id.
func href(kind, id string) string { return "/" + kind + "/" + url.PathEscape(id) }

func queryEscape(s string) string { return url.QueryEscape(s) }

// who writes a name so that the number at its end stays in one piece.
func who(name string) template.HTML {
	i := strings.LastIndex(name, " ")
	if i < 0 {
		return template.HTML(html.EscapeString(name)) //nolint:gosec // escaped
	}
	return template.HTML(html.EscapeString(name[:i+1]) + `<span class="nowrap">` + html.EscapeString(name[i+1:]) + `</span>`) //nolint:gosec // escaped
}
