package registry

import (
	"errors"
	"fmt"
	"os"
)

// renameBoth swaps two folders by renaming; between two of the renames b is
// not there.
func renameBoth(a, b string) error {
	aside := a + ".old"
	if err := os.Rename(b, aside); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	if err := os.Rename(a, b); err != nil {
		return errors.Join(fmt.Errorf("exchange: %w", err), os.Rename(aside, b))
	}
	if err := os.Rename(aside, a); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	return nil
}
