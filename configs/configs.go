// Package configs embeds the data that the program ships: device profiles,
// declared uses, tariffs and policy packs. Everything in it may be edited by
// an engineer or a lawyer and is validated on load.
package configs

import "embed"

// FS holds the files, with their paths below this folder.
//
//go:embed uses.yaml profiles/*.yaml tariffs/*.yaml policies/*.yaml
var FS embed.FS
