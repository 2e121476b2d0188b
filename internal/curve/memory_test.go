package curve_test

import (
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) curve.WorkStore { return curve.NewMemory() })
}
