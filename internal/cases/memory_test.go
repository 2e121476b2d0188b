package cases_test

import (
	"testing"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/cases/casestest"
)

func TestMemoryConforms(t *testing.T) {
	casestest.Conform(t, func(*testing.T) cases.Store { return cases.NewMemory() })
}
