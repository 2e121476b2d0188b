package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// secretBytes is the length of the installation's pseudonym key.
const secretBytes = 32

// pseudonymKey reads the installation's secret behind the detectors'
// pseudonyms, making it at the first use.
func pseudonymKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path) //nolint:gosec // the path comes from the configuration
	switch {
	case err == nil && len(key) == secretBytes:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("%s is damaged (%d bytes instead of %d); restore it from a backup, or remove it and accept that earlier pseudonyms no longer match", path, len(key), secretBytes)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("pseudonym key: %w", err)
	}
	key = make([]byte, secretBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("pseudonym key: %w", err)
	}
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("pseudonym key: %w", err)
	}
	return key, nil
}
