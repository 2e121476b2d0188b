package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func newPluginsKeygen() *cobra.Command {
	var public, secret string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key pair that signs plugins",
		Long: `Writes a public and a secret key in minisign's format. The secret key is not
locked by a password: keep it where only the one who signs can read it, best on
a machine or a stick of its own. For a key with a password use minisign itself
(minisign -G), and sign with it (minisign -S -m DIR/manifest.json).

The public key goes to those who run Gridwarden; they list its file under
plugins.keys.`,
		Example: `  gridwarden plugins keygen
  gridwarden plugins keygen --public utility.pub --secret /media/stick/utility.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := pluginstore.NewKey()
			if err != nil {
				return err
			}
			if err := writeNew(secret, key.Text(), 0o600); err != nil {
				return badInput{err}
			}
			if err := writeNew(public, key.Public().Text(), 0o644); err != nil {
				return badInput{errors.Join(err, os.Remove(secret))}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s\n  %s  give it to those who run your plugins (plugins.keys)\n  %s  keep it to yourself: it signs, and no password locks it\n", key.ID, public, secret)
			return err //nolint:wrapcheck // the terminal's own error says it all
		},
	}
	cmd.Flags().StringVar(&public, "public", "plugins.pub", "file of the public key; must not be there yet")
	cmd.Flags().StringVar(&secret, "secret", "plugins.key", "file of the secret key; must not be there yet")
	return cmd
}

// writeNew writes a file that is not there yet.
func writeNew(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already, and a key is not written over; name another file", name)
	}
	if err != nil {
		return err //nolint:wrapcheck // it names the file and what is wrong
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// signing holds the flags of `plugins sign`.
type signing struct {
	key, executable, name string
	args                  []string
	asIs                  bool
}

func newPluginsSign() *cobra.Command {
	var s signing
	cmd := &cobra.Command{
		Use:   "sign DIR --key FILE",
		Short: "Write a plugin's manifest and sign it",
		Long: `Takes every file in DIR for the plugin's, starts the plugin to ask its name and
version, writes all that with the files' checksums into DIR/manifest.json and
signs it. Arguments and description of a manifest that is there are kept.

With --as-is the manifest is signed as it stands, nothing is started, and files
that are not what it says are refused: that is for whoever vouches for a plugin
of somebody else.

The key is a secret key in minisign's format without a password (gridwarden
plugins keygen, or minisign -G -W). With one that a password locks, sign with
minisign itself: minisign -S -s KEY -m DIR/manifest.json`,
		Example: `  gridwarden plugins sign night_load --key plugins.key
  gridwarden plugins sign owl --key plugins.key --executable owl.py --arg --fast
  gridwarden plugins sign /opt/vendor/nightowl --key utility.key --as-is`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	cmd.Flags().StringVar(&s.key, "key", "", "file of the secret key")
	cmd.Flags().StringVar(&s.executable, "executable", "", "file of DIR that starts the plugin, where several can be run")
	cmd.Flags().StringVar(&s.name, "name", "", "detector, where the program serves several")
	cmd.Flags().StringArrayVar(&s.args, "arg", nil, "argument that the plugin is started with; may be given again")
	cmd.Flags().BoolVar(&s.asIs, "as-is", false, "sign the manifest that is there, and start nothing")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		cmd.RunE = func(*cobra.Command, []string) error { return fmt.Errorf("plugins sign: %w", err) }
	}
	return cmd
}

func (s *signing) run(ctx context.Context, w io.Writer, dir string) error {
	key, err := pluginstore.ReadSecretKey(s.key)
	if err != nil {
		return badInput{err}
	}
	var m *pluginstore.Manifest
	if !s.asIs {
		if m, err = s.compose(ctx, dir); err != nil {
			return badInput{err}
		}
	}
	p, err := pluginstore.SignFolder(ctx, dir, m, func(name string, data []byte) ([]byte, error) { return key.Sign(name, data, time.Now()) })
	if err != nil {
		return badInput{err}
	}
	fmt.Fprintf(w, "signed by %s: %s %s\n", key.ID, p.Manifest.Name, p.Manifest.Version)
	showFiles(w, p.Manifest)
	fmt.Fprintf(w, "put the folder as %s into the plugins folder of the host, then: gridwarden plugins lock -c FILE %s\n", p.Manifest.Name, p.Manifest.Name)
	return nil
}

// compose makes the manifest of what lies in the folder now.
func (s *signing) compose(ctx context.Context, dir string) (*pluginstore.Manifest, error) {
	before := &pluginstore.Manifest{}
	for _, name := range []string{"manifest.json", "manifest.yaml"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the file and what is wrong
		}
		if name == "manifest.yaml" {
			return nil, fmt.Errorf("%s: a manifest in YAML is signed as it stands; add --as-is", filepath.Join(dir, name))
		}
		if before, err = pluginstore.ParseManifest(filepath.Join(dir, name), data); err != nil {
			return nil, err
		}
	}
	if s.executable == "" {
		s.executable = before.Executable
	}
	if s.args == nil {
		s.args = before.Args
	}
	m, err := pluginstore.Compose(ctx, dir, filepath.ToSlash(s.executable), s.args)
	if err != nil {
		return nil, err
	}
	m.Description = before.Description
	d, err := s.ask(ctx, dir, m)
	if err != nil {
		return nil, err
	}
	m.Name, m.Version = d.Name, d.Version
	if m.Description == "" {
		m.Description = d.Summary
	}
	return m, nil
}

// ask starts the plugin to learn its name and version.
func (s *signing) ask(ctx context.Context, dir string, m *pluginstore.Manifest) (*sdk.Description, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says it all
	}
	served, err := detect.Ask(ctx, detect.Command{Path: filepath.Join(dir, filepath.FromSlash(m.Executable)), Args: m.Args, Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Executable, err)
	}
	var names []string
	for _, d := range served {
		names = append(names, d.Name)
	}
	at := 0
	if s.name != "" || len(served) > 1 {
		at = slices.Index(names, s.name)
	}
	if at < 0 {
		return nil, fmt.Errorf("%s serves %s; say which with --name, and make a folder for each", m.Executable, strings.Join(names, ", "))
	}
	return &served[at], nil
}

// showFiles lists what a plugin consists of.
func showFiles(w io.Writer, m *pluginstore.Manifest) {
	for _, f := range m.All() {
		fmt.Fprintf(w, "  %s  %s\n", f.SHA256, f.Path)
	}
	if len(m.Args) > 0 {
		fmt.Fprintf(w, "  started with %q\n", m.Args)
	}
}
