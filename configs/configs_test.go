package configs_test

import (
	"io/fs"
	"testing"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/drivers/profile"
)

// TestProfilesHaveVectors holds every profile that the program ships, as it is
// embedded, to the vectors beside it.
func TestProfilesHaveVectors(t *testing.T) {
	dir, err := fs.Sub(configs.FS, "profiles")
	if err != nil {
		t.Fatal(err)
	}
	if err := profile.CheckVectors(dir); err != nil {
		t.Error(err)
	}
}
