package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// Replace puts files into a registry folder in place of those of the same
// name, all or none: the folder as it would be is read first, as LoadDir does,
// and takes the place of the old one at once. Problems name the files as they
// were given. With dryRun nothing changes. The folder need not be there yet.
func Replace(dir string, files []string, dryRun bool, uses *Uses, opts ...Option) (network *grid.Network, report *Report, err error) {
	dir, err = filepath.Abs(dir)
	if err == nil {
		if resolved, linkErr := filepath.EvalSymlinks(dir); linkErr == nil {
			dir = resolved // the folder is exchanged, not a link to it
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("registry folder: %w", err)
	}
	parent := filepath.Dir(dir)
	if dryRun {
		parent = ""
	}
	staged, err := os.MkdirTemp(parent, ".registry-*")
	if err != nil {
		return nil, nil, fmt.Errorf("registry folder: %w; its parent folder must be writable", err)
	}
	defer func() {
		if removeErr := os.RemoveAll(staged); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("registry folder: %w", removeErr))
		}
	}()
	names := names{staged: staged, dir: dir, given: make(map[string]string)}
	if err := names.stage(files); err != nil {
		return nil, nil, err
	}
	network, report, err = LoadDir(staged, uses, opts...)
	for i := range report.Warnings {
		report.Warnings[i] = names.in(report.Warnings[i])
	}
	if err != nil {
		return nil, report, names.inProblems(err)
	}
	if dryRun {
		return network, report, nil
	}
	if err := takePlace(staged, dir); err != nil {
		return nil, report, err
	}
	return network, report, nil
}

// Files returns the registry files that a folder holds.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("registry folder: %w; name the folder that holds transformers.csv, customers.csv and usage_points.csv", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && isTable(textfile.BaseName(e.Name())) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

func isTable(name string) bool {
	return slices.ContainsFunc(newLoader("", nil, nil).tables(), func(t table) bool { return t.name == name })
}

// names tells for each copy in the staged folder which file it is one of.
type names struct {
	staged, dir string
	given       map[string]string
}

// stage copies what the folder holds and then files into the empty staged one.
func (n *names) stage(files []string) error {
	replaced := make(map[string]bool)
	for _, file := range files {
		name := textfile.BaseName(filepath.Base(file))
		if !isTable(name) {
			return textfile.Problem{File: file, What: "is no registry file", Mend: "name it as the registry does, such as watchlist.csv"}
		}
		replaced[name] = true
	}
	entries, err := os.ReadDir(n.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("registry folder: %w", err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !replaced[textfile.BaseName(e.Name())] {
			n.given[filepath.Join(n.staged, e.Name())] = filepath.Join(n.dir, e.Name())
		}
	}
	for _, file := range files {
		n.given[filepath.Join(n.staged, filepath.Base(file))] = file
	}
	for to, from := range n.given {
		if err := copyFile(to, from); err != nil {
			return err
		}
	}
	return nil
}

// in puts the names that were given into a text.
func (n *names) in(text string) string {
	for copied, file := range n.given {
		text = strings.ReplaceAll(text, copied, file)
	}
	return strings.ReplaceAll(text, n.staged, n.dir)
}

func (n *names) inProblems(err error) error {
	var problems *textfile.Problems
	if !errors.As(err, &problems) {
		return err
	}
	given := &textfile.Problems{}
	for _, p := range problems.List() {
		p.File, p.What, p.Mend = n.in(p.File), n.in(p.What), n.in(p.Mend)
		given.AddProblem(p)
	}
	return given
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from) //nolint:gosec // a file that the caller names
	if err != nil {
		return textfile.Problem{File: from, What: err.Error(), Mend: "name a file that can be read"}
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // readable by the program's group
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

// takePlace makes staged the folder dir; what was dir is left in staged.
func takePlace(staged, dir string) error {
	mode := fs.FileMode(0o750)
	info, err := os.Stat(dir)
	there := err == nil
	if there {
		mode = info.Mode().Perm()
	}
	if err := os.Chmod(staged, mode); err != nil {
		return fmt.Errorf("registry folder: %w", err)
	}
	if there {
		err = exchange(staged, dir)
	} else {
		err = os.Rename(staged, dir)
	}
	if err != nil {
		return fmt.Errorf("registry folder: %w; it must not be a mount point of its own, and its parent folder must be writable", err)
	}
	return nil
}
