package sqlstore

import (
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

func TestCurves(t *testing.T) {
	storetest.Run(t, func(t *testing.T) curve.WorkStore { return open(t).Curves() })
}
