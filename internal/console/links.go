package console

import "net/url"

// href is the address of a thing: href "usage-points" id.
func href(kind, id string) string { return "/" + kind + "/" + url.PathEscape(id) }

func queryEscape(s string) string { return url.QueryEscape(s) }
