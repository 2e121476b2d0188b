package pluginstore

import (
	"context"
	"fmt"
)

// Settings say where plugins lie and whom to trust.
type Settings struct {
	Folder string
	Lock   string
	Keys   []string // files of public keys
	Config string   // file that says all this, for the commands that errors name
}

// Candidate is a plugin of the folder: one that may start from Program, or one
// that must not, for the reason Err.
type Candidate struct {
	*Plugin
	Program *Program
	Stray   bool // nobody admitted one of this name
	Refused error
}

// ReadKeys reads public keys.
func ReadKeys(files []string) ([]*PublicKey, error) {
	keys := make([]*PublicKey, 0, len(files))
	for _, file := range files {
		key, err := ReadKey(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Candidates looks at every plugin of the folder and takes those that may
// start into the store. A plugin that may not is among them with the reason;
// the error is about the folder, the keys or the lock file as a whole.
func (s *Store) Candidates(ctx context.Context, set Settings) ([]Candidate, error) {
	keys, err := ReadKeys(set.Keys)
	if err != nil {
		return nil, err
	}
	lock, err := ReadLock(set.Lock)
	if err != nil {
		return nil, err
	}
	plugins, err := ReadFolder(set.Folder, keys)
	if err != nil {
		return nil, err
	}
	var out []Candidate
	for _, p := range plugins {
		_, named := lock.Admission(p.Name)
		c := Candidate{Plugin: p, Stray: !named, Refused: p.Err()}
		if c.Refused == nil {
			c.Refused = lock.Check(p, set.Config)
		}
		if c.Refused == nil {
			c.Program, c.Refused = s.Take(ctx, p)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return append(out, lock.missing(plugins, set.Folder, set.Config)...), nil
}

// missing lists the plugins that are admitted and not there.
func (l *Lock) missing(plugins []*Plugin, folder, config string) []Candidate {
	there := make(map[string]bool)
	for _, p := range plugins {
		there[p.Name] = true
	}
	var out []Candidate
	for _, a := range l.Plugins {
		if !there[a.Name] {
			gone := fmt.Errorf("it is admitted in %s and not in %s; put it back, or admit it no more: gridwarden plugins lock -c %s --remove %s", l.file, folder, orFILE(config), a.Name)
			out = append(out, Candidate{Plugin: &Plugin{Name: a.Name, Dir: folder, ManifestErr: gone}, Refused: gone})
		}
	}
	return out
}

// Admission returns what is written of a plugin; false where nothing is.
func (l *Lock) Admission(name string) (Admission, bool) {
	for _, a := range l.Plugins {
		if a.Name == name {
			return a, true
		}
	}
	return Admission{}, false
}
