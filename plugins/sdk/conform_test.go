package sdk_test

import (
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// The example that authors copy keeps the contract.
func TestTheExampleConforms(t *testing.T) { sdktest.Conform(t, NewNightOwl()) }
