package detect

import (
	"context"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Ask starts a program, asks which detectors it serves, and stops it. It
// trusts the program: it is for those who made it.
func Ask(ctx context.Context, command Command) ([]sdk.Description, error) {
	c := LaunchConfig{}.withDefaults()
	p := newProgram(c, command, "")
	defer p.close()
	return p.describe(ctx)
}
