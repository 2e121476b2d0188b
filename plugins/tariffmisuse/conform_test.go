package tariffmisuse

import (
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

func TestConformance(t *testing.T) { sdktest.Conform(t, New()) }
