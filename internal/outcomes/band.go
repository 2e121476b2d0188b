package outcomes

import (
	"fmt"

	"github.com/gridwarden/gridwarden/internal/risk"
)

// bandName names the band of a risk by its bounds.
func bandName(p float64) string {
	_, low, high := risk.Band(p)
	return fmt.Sprintf("%g to %g", low, high)
}
