package pluginstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Admission is what somebody looked at and let in.
type Admission struct {
	Name     string `yaml:"name"`
	Version  string `yaml:"version"`
	Manifest string `yaml:"manifest"` // its SHA-256
	Key      string `yaml:"key"`      // id of the key that signed it
	Files    []File `yaml:"files"`    // the executable first
	Admitted string `yaml:"admitted"` // when, RFC 3339
	By       string `yaml:"by"`       // by whom
}

// Lock is the lock file: the plugins that may start.
type Lock struct {
	Plugins []Admission `yaml:"plugins"`
	file    string
}

// ErrNotAdmitted says that nobody let a plugin in.
var ErrNotAdmitted = errors.New("not admitted")

// ReadLock reads a lock file; one that is not there admits nobody.
func ReadLock(file string) (*Lock, error) {
	f, err := openRegular(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{file: file}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the plugins' lock file: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err == nil {
		err = private(file, info)
	}
	var data []byte
	if err == nil {
		data, err = readAll(f, file, strictyaml.MaxBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("the plugins' lock file: %w", err)
	}
	return ParseLock(file, data)
}

// ParseLock reads the text of a lock file. Errors name FILE:LINE:COL.
func ParseLock(file string, data []byte) (*Lock, error) {
	l := &Lock{file: file}
	doc, err := strictyaml.Decode(file, data, l)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for i, a := range l.Plugins {
		at := fmt.Sprintf("$.plugins[%d]", i)
		if !sdk.ValidCode(a.Name) || names[a.Name] {
			doc.Add(at+".name", "%q is no plugin's name or stands here twice; let `gridwarden plugins lock` write this file", clip(a.Name))
		}
		names[a.Name] = true
		if !sha256Hex.MatchString(a.Manifest) {
			doc.Add(at+".manifest", "not a SHA-256; let `gridwarden plugins lock` write this file")
		}
		if _, err := time.Parse(time.RFC3339, a.Admitted); err != nil {
			doc.Add(at+".admitted", "%q is not a time; let `gridwarden plugins lock` write this file", clip(a.Admitted))
		}
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

// Check says whether the lock file admits exactly this plugin. config is the
// configuration file, for the command that would admit it.
func (l *Lock) Check(p *Plugin, config string) error {
	command := fmt.Sprintf("gridwarden plugins lock -c %s %s", orFILE(config), p.Name)
	at := slices.IndexFunc(l.Plugins, func(a Admission) bool { return a.Name == p.Name })
	if at < 0 {
		return fmt.Errorf("lock: %w: it is not in %s; look at it, then admit it with: %s", ErrNotAdmitted, l.file, command)
	}
	a := l.Plugins[at]
	var differ []string
	note := func(what, admitted, found string) {
		if admitted != found {
			differ = append(differ, fmt.Sprintf("%s %s was admitted and %s is there", what, clip(admitted), clip(found)))
		}
	}
	note("version", a.Version, p.Manifest.Version)
	note("the key", a.Key, p.Key.String())
	note("the manifest with SHA-256", a.Manifest, p.Sum)
	if !slices.Equal(a.Files, p.Manifest.All()) {
		differ = append(differ, "its files are others")
	}
	if differ != nil {
		return fmt.Errorf("lock: %w: %s; if that is meant, admit it with: %s", ErrChanged, strings.Join(differ, ", "), command)
	}
	return nil
}

func orFILE(config string) string {
	if config == "" {
		return "FILE"
	}
	return config
}

// Admit writes plugins that were looked at into the lock file, in place of
// what it held under their names, whole or not at all. A plugin that is not
// signed or not what was signed must not come here.
func Admit(file string, plugins []*Plugin, by string, now time.Time) error {
	return rewrite(file, func(l *Lock) error {
		for _, p := range plugins {
			if err := p.Err(); err != nil {
				return fmt.Errorf("plugin %s: %w", p.Name, err)
			}
			l.Plugins = slices.DeleteFunc(l.Plugins, func(a Admission) bool { return a.Name == p.Name })
			l.Plugins = append(l.Plugins, Admission{
				Name: p.Name, Version: p.Manifest.Version, Manifest: p.Sum, Key: p.Key.String(), Files: p.Manifest.All(),
				Admitted: now.UTC().Format(time.RFC3339), By: by,
			})
		}
		return nil
	})
}

// Dismiss takes plugins out of the lock file.
func Dismiss(file string, names []string) error {
	return rewrite(file, func(l *Lock) error {
		for _, name := range names {
			at := slices.IndexFunc(l.Plugins, func(a Admission) bool { return a.Name == name })
			if at < 0 {
				return fmt.Errorf("%w: %s is not in %s; name one that is", ErrNotAdmitted, name, file)
			}
			l.Plugins = slices.Delete(l.Plugins, at, at+1)
		}
		return nil
	})
}

// rewrite changes the lock file, whole or not at all.
func rewrite(file string, change func(*Lock) error) error {
	// The new file is the lock between two who write at once as well.
	next := file + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there: somebody else admits plugins right now, or was interrupted; wait, or remove that file", next)
	}
	if err != nil {
		return fmt.Errorf("the plugins' lock file: %w", err)
	}
	err = func() error {
		l, err := ReadLock(file)
		if err != nil {
			return err
		}
		if err := change(l); err != nil {
			return err
		}
		slices.SortFunc(l.Plugins, func(a, b Admission) int { return strings.Compare(a.Name, b.Name) })
		text, err := l.text()
		if err != nil {
			return err
		}
		if _, err := f.Write(text); err != nil {
			return fmt.Errorf("writing %s: %w", next, err)
		}
		return f.Sync()
	}()
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(next, file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the plugins' lock file: %w", err), os.Remove(next))
	}
	return syncFolder(filepath.Dir(file))
}

func (l *Lock) text() ([]byte, error) {
	text, err := yaml.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("writing the lock file: %w", err)
	}
	text = append([]byte("# The plugins that may start. `gridwarden plugins lock` writes this file.\n"), text...)
	again, err := ParseLock(l.file, text)
	if err != nil {
		return nil, fmt.Errorf("the lock file would not be readable: %w", err)
	}
	if len(l.Plugins) != 0 && !reflect.DeepEqual(again.Plugins, l.Plugins) {
		return nil, errors.New("the lock file would say something else than what was admitted; give the plugin's files plainer names")
	}
	return text, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("making sure of %s: %w", dir, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("making sure of %s: %w", dir, err)
	}
	return nil
}

// replace writes a file, all of it or nothing.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", name, err), os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(name))
}
