package pluginstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Program is a plugin that may be started: copies of the bytes that were
// checked, in the store.
type Program struct {
	Path   string   // of the executable
	Name   string   // what it is told that it is called; Path where empty
	Args   []string //
	Dir    string   // its working folder, with all of its files; "" where the executable is all
	SHA256 string   // of the executable
	Sum    string   // identifies all that runs: of the executable where that is all, else of the manifest

	store  *Store
	bundle string // the sum of its bundle
}

// recordName is the manifest's name within a bundle; no file of a plugin may
// be called so.
const recordName = "manifest.json"

// Check says whether every file is still what was checked, and removes what
// does not belong there: a plugin may leave files in its folder, and nothing
// of that is to run.
func (p *Program) Check() error {
	if p.Dir == "" {
		if _, ok := p.store.Find(p.SHA256); !ok {
			return fmt.Errorf("the copy %s is gone or not what was checked; restart the program", p.Path)
		}
		return nil
	}
	_, err := p.store.openBundle(p.bundle, true)
	return err
}

// Take copies an admitted plugin into the store. What is copied is compared
// with the manifest on the way, so that it cannot change in between.
func (s *Store) Take(ctx context.Context, p *Plugin) (*Program, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	err := p.eachFile(func(f File, from *os.File) error { return s.take(ctx, f, from) })
	if err != nil {
		return nil, err
	}
	program, err := s.bundle(p.Manifest, p.text)
	if err == nil && p.Manifest.alone() {
		program.Sum = program.SHA256
	}
	return program, err
}

// take keeps one file that must have a checksum.
func (s *Store) take(ctx context.Context, f File, from *os.File) error {
	if _, ok := s.Find(f.SHA256); ok {
		// The bytes that count are there; those in the folder must be the same.
		sum, err := sumOf(ctx, from)
		if err == nil && sum != f.SHA256 {
			err = changed(f, sum)
		}
		return err
	}
	sum, err := sumOf(ctx, from)
	if err != nil {
		return err
	}
	if sum != f.SHA256 {
		return changed(f, sum)
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	kept := s.file(f.SHA256)
	if err := os.MkdirAll(filepath.Dir(kept), folderMode); err != nil {
		return fmt.Errorf("the plugins' store: %w", err)
	}
	return place(ctx, from, kept, f.SHA256, programMode)
}

// Pinned is a program that the configuration names with its checksum.
type Pinned struct {
	Path   string
	SHA256 string
	Args   []string
	Files  []File // further files by their own paths; an argument that names one is given the copy's
}

// Pin copies a program that is pinned by checksum into the store.
func (s *Store) Pin(ctx context.Context, pin Pinned) (*Program, error) {
	executable := File{Path: path.Join("program", filepath.Base(pin.Path)), SHA256: pin.SHA256}
	record := &Manifest{Executable: executable.Path, SHA256: pin.SHA256, Args: slices.Clone(pin.Args)}
	if err := s.takeFrom(ctx, pin.Path, executable); err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range pin.Files {
		paths = append(paths, f.Path)
	}
	above := common(paths)
	for _, f := range pin.Files {
		below, err := filepath.Rel(above, f.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		kept := File{Path: path.Join("files", filepath.ToSlash(below)), SHA256: f.SHA256}
		if err := s.takeFrom(ctx, f.Path, kept); err != nil {
			return nil, err
		}
		record.Files = append(record.Files, kept)
		for i, arg := range record.Args {
			if arg == f.Path {
				record.Args[i] = kept.Path
			}
		}
	}
	if record.alone() {
		return &Program{Path: s.file(pin.SHA256), Name: pin.Path, SHA256: pin.SHA256, Sum: pin.SHA256, store: s}, nil
	}
	text, err := record.Text()
	if err != nil {
		return nil, err
	}
	program, err := s.bundle(record, text)
	if err != nil {
		return nil, err
	}
	program.Name = pin.Path // interpreters find their library by it
	return program, nil
}

func (s *Store) takeFrom(ctx context.Context, name string, f File) error {
	from, err := openRegular(name)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // read only
	if err := s.take(ctx, f, from); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// common returns the folder above all of the files.
func common(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	above := filepath.Dir(paths[0])
	for _, p := range paths[1:] {
		for {
			below, err := filepath.Rel(above, p)
			if err == nil && filepath.IsLocal(below) || above == filepath.Dir(above) {
				break
			}
			above = filepath.Dir(above)
		}
	}
	return above
}

// Program returns a program that was kept, by the sum that its findings bear.
func (s *Store) Program(sum string) (*Program, bool) {
	if kept, ok := s.Find(sum); ok {
		return &Program{Path: kept, SHA256: sum, Sum: sum, store: s}, true
	}
	if !sha256Hex.MatchString(sum) {
		return nil, false
	}
	program, err := s.openBundle(sum, false)
	return program, err == nil
}

// bundle makes a folder of the files that a manifest names, which are in the
// store already, under the manifest's own checksum.
func (s *Store) bundle(m *Manifest, text []byte) (*Program, error) {
	digest := sha256.Sum256(text)
	sum := hex.EncodeToString(digest[:])
	if program, err := s.openBundle(sum, true); err == nil {
		return program, nil
	}
	dir := s.bundleDir(sum)
	if err := os.MkdirAll(filepath.Dir(dir), folderMode); err != nil {
		return nil, fmt.Errorf("the plugins' store: %w", err)
	}
	next, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return nil, fmt.Errorf("the plugins' store: %w", err)
	}
	defer os.RemoveAll(next) //nolint:errcheck // it is gone, where all went well
	if err := os.WriteFile(filepath.Join(next, recordName), text, 0o400); err != nil {
		return nil, fmt.Errorf("the plugins' store: %w", err)
	}
	for _, f := range m.All() {
		name := filepath.Join(next, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), folderMode); err != nil {
			return nil, fmt.Errorf("the plugins' store: %w", err)
		}
		if err := s.copyOut(f.SHA256, name); err != nil {
			return nil, err
		}
	}
	if os.Rename(next, dir) != nil { // something is there: made by another process just now, or damaged
		if program, err := s.openBundle(sum, true); err == nil {
			return program, nil
		}
		if err := errors.Join(os.RemoveAll(dir), os.Rename(next, dir)); err != nil {
			return nil, fmt.Errorf("the plugins' store: %w", err)
		}
	}
	return s.openBundle(sum, true)
}

// copyOut gives a kept file another name.
func (s *Store) copyOut(sum, name string) error {
	if os.Link(s.file(sum), name) == nil {
		return nil
	}
	from, err := openRegular(s.file(sum))
	if err != nil {
		return fmt.Errorf("the plugins' store: %w", err)
	}
	defer from.Close() //nolint:errcheck // read only
	return place(context.Background(), from, name, sum, programMode)
}

func (s *Store) bundleDir(sum string) string { return filepath.Join(s.dir, "bundles", sum) }

// openBundle checks the bundle of that name, file by file. With tidy it
// removes what else is there; without, that is left.
func (s *Store) openBundle(sum string, tidy bool) (*Program, error) {
	dir := s.bundleDir(sum)
	text, err := readSmall(filepath.Join(dir, recordName), maxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("the plugins' store: %w", err)
	}
	damaged := func(what string) error {
		return fmt.Errorf("%w: %s in the plugins' store is not what was checked; remove %s and restart the program", ErrChanged, what, dir)
	}
	digest := sha256.Sum256(text)
	if hex.EncodeToString(digest[:]) != sum {
		return nil, damaged(recordName)
	}
	m, doc, err := decodeManifest(recordName, text)
	if err != nil {
		return nil, err
	}
	m.check(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	keep := map[string]bool{recordName: true}
	program := &Program{
		Path: filepath.Join(dir, filepath.FromSlash(m.Executable)), Args: slices.Clone(m.Args), Dir: dir, SHA256: m.SHA256, Sum: sum, store: s, bundle: sum,
	}
	for _, f := range m.All() {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if !hasSum(name, f.SHA256) {
			return nil, damaged(f.Path)
		}
		for p := f.Path; p != "."; p = path.Dir(p) {
			keep[p] = true
		}
		for i, arg := range program.Args {
			if arg == f.Path {
				program.Args[i] = name
			}
		}
	}
	if tidy {
		return program, tidyUp(dir, keep)
	}
	return program, nil
}

func hasSum(name, sum string) bool {
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := openRegular(name)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // read only
	found, err := sumOf(context.Background(), f)
	return err == nil && found == sum
}

// tidyUp removes what is not to be kept below a folder of the store.
func tidyUp(dir string, keep map[string]bool) error {
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err != nil || below == "." || keep[filepath.ToSlash(below)] {
			return err //nolint:wrapcheck // wrapped below
		}
		if err := os.RemoveAll(name); err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		if e.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the plugins' store: clearing away what a plugin left in %s: %w", dir, err)
	}
	return nil
}
