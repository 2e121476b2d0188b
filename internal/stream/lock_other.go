//go:build !unix

package stream

import (
	"fmt"
	"os"
)

// lockDir makes the folder. This system has no lock that ends with its
// process, so that keeping a second process away is left to the operator.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("stream: make folder: %w", err)
	}
	return func() {}, nil
}
