package detect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Evaluator is a detector as a run sees it, wherever it lives: Local in this
// process, a plugin in another.
type Evaluator interface {
	// Describe says what the detector is and needs.
	Describe() sdk.Description

	// Start begins one run. It fails where the detector cannot run: refused,
	// quarantined, not to be restarted.
	Start(ctx context.Context) (Session, error)
}

// Session is one run of one detector.
type Session interface {
	// Stamp says which program judges; the data version is left to the run.
	Stamp() Stamp

	// Evaluate has one window judged. It is safe for concurrent use. The
	// report is complete and checked.
	Evaluate(ctx context.Context, w *sdk.Window) (*sdk.Report, error)

	// Finish ends the run and must be called once; err says why the run
	// failed, nil that it went well.
	Finish(err error)
}

// ErrRetry marks a failure that was perhaps another detector's doing (they
// shared a process that died): the run is worth one more attempt.
var ErrRetry = errors.New("worth another attempt")

// Local runs a detector in this process, without the isolation of a plugin:
// for tests and for tuning.
func Local(d sdk.Detector) Evaluator { return &local{detector: d} }

type local struct {
	detector sdk.Detector
	once     sync.Once
	sum      string
	err      error
}

func (l *local) Describe() sdk.Description { return l.detector.Describe() }

func (l *local) Start(context.Context) (Session, error) {
	l.once.Do(func() { l.sum, l.err = ownSum() })
	if l.err != nil {
		return nil, l.err
	}
	return l, nil
}

func (l *local) Stamp() Stamp {
	d := l.detector.Describe()
	return Stamp{Detector: d.Name, Version: d.Version, SHA256: l.sum, ConfigHash: configHash(nil)}
}

func (l *local) Evaluate(ctx context.Context, w *sdk.Window) (*sdk.Report, error) {
	return sdk.Judge(ctx, l.detector, w)
}

func (l *local) Finish(error) {}

// ownSum returns the SHA-256 of the running executable.
func ownSum() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the running executable to checksum it: %w", err)
	}
	return fileSum(path)
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("checksumming a program: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("checksumming %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// configHash identifies a configuration; no configuration is the empty one.
func configHash(config []byte) string {
	sum := sha256.Sum256(config)
	return hex.EncodeToString(sum[:])
}
