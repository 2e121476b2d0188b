package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Compose makes the manifest of a folder of which all files belong to the
// plugin, but for those whose names begin with a dot. executable may be empty
// where one file alone can be run. Name and version are left to the caller.
func Compose(ctx context.Context, dir, executable string, args []string) (*Manifest, error) {
	var all, runnable []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err != nil || below == "." {
			return err //nolint:wrapcheck // it names the file
		}
		if strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		below = filepath.ToSlash(below)
		if e.IsDir() || slices.Contains(manifestNames(), strings.TrimSuffix(below, signatureEnd)) {
			return nil
		}
		if all = append(all, below); len(all) > maxFiles {
			return fmt.Errorf("%s holds more than %d files; put there what the plugin needs and nothing else", dir, maxFiles)
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			runnable = append(runnable, below)
		}
		return err //nolint:wrapcheck // it names the file
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	if executable == "" {
		if len(runnable) != 1 {
			return nil, fmt.Errorf("%s holds %d files that can be run (%s); say which of them starts the plugin with --executable", dir, len(runnable), clip(strings.Join(runnable, ", ")))
		}
		executable = runnable[0]
	}
	if !slices.Contains(all, executable) {
		return nil, fmt.Errorf("there is no file %s in %s; name the one that starts the plugin with --executable", executable, dir)
	}
	m := &Manifest{Contract: 1, Executable: executable, Args: args}
	for _, name := range all {
		if name != executable {
			m.Files = append(m.Files, File{Path: name})
		}
	}
	return m, m.Fill(ctx, dir)
}

// Fill writes the checksums of the files as they are into the manifest.
func (m *Manifest) Fill(ctx context.Context, dir string) error {
	root, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // read only
	fill := func(name string, sum *string) error {
		f, err := openBelow(root, name)
		if err != nil {
			return err
		}
		*sum, err = sumOf(ctx, f)
		return errors.Join(err, f.Close())
	}
	if err := fill(m.Executable, &m.SHA256); err != nil {
		return err
	}
	for i := range m.Files {
		if err := fill(m.Files[i].Path, &m.Files[i].SHA256); err != nil {
			return err
		}
	}
	return nil
}

// SignFolder writes the manifest, nil to leave the one that is there, and the
// signature over it. The manifest must hold, and the files be what it says.
func SignFolder(ctx context.Context, dir string, m *Manifest, sign func(name string, data []byte) ([]byte, error)) (*Plugin, error) {
	if m != nil {
		text, err := m.Text()
		if err != nil {
			return nil, err
		}
		if _, err := ParseManifest("manifest.json", text); err != nil {
			return nil, fmt.Errorf("the manifest would be refused: %w", err)
		}
		if err := replace(filepath.Join(dir, "manifest.json"), text); err != nil {
			return nil, err
		}
	}
	p := &Plugin{Name: filepath.Base(dir), Dir: dir}
	file, err := p.readManifest()
	if err != nil {
		return nil, err
	}
	if err := p.CheckFiles(ctx); err != nil {
		return nil, err
	}
	signature, err := sign(file, p.text)
	if err != nil {
		return nil, err
	}
	return p, replace(filepath.Join(dir, file+signatureEnd), signature)
}
