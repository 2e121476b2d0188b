package sqlstore

import (
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

func TestCurves(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(testing.TB) string) {
		storetest.Run(t, func(t *testing.T) curve.WorkStore { return openAt(t, empty(t)).Curves() })
	})
}
