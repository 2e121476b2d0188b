package topology

import (
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

func TestCases(t *testing.T) { sdktest.Cases(t, New(), "testdata/cases") }
