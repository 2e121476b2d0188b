package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/backup"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
)

func newBackup() *cobra.Command {
	var file, out string
	var without, asJSON bool
	cmd := &cobra.Command{
		Use:   "backup -c FILE --out FILE.gwb",
		Short: "Write all that an installation holds into one file, while it runs",
		Long: `Takes a backup of the installation of a configuration into one file: the database, the
keys and small files of the data folder, and the streams with every message they hold,
its sequence and how far each consumer is. The program may run meanwhile: the backup holds
everything that was acknowledged before it began.

The file holds keys and personal data. It is made readable for its owner alone: keep it so.

Not in it:
  - InfluxDB, which has tools of its own (influxd backup, influx backup). Take its copy
    after this one: then both together lack nothing.
  - The configuration file, and files that it names outside the data folder.
  - Leases and work under way of a cluster, which are made anew.

A backup is put back with ` + "`gridwarden restore`" + `.`,
		Example: `  gridwarden backup -c gridwarden.yaml --out /backup/monday.gwb
  gridwarden backup verify /backup/monday.gwb
  gridwarden restore /backup/monday.gwb --data-dir /var/lib/gridwarden-new`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return badInput{errors.New("--out names no file; write --out FILE.gwb")}
			}
			cfg, err := config.Load(file)
			if err != nil {
				return badInput{err}
			}
			progress := newBackupProgress(cmd.ErrOrStderr())
			m, err := host.BackUp(cmd.Context(), cfg, host.BackupOptions{Program: version, File: out, WithoutStreams: without, Progress: progress.show})
			if err != nil {
				return err
			}
			return showManifest(cmd.OutOrStdout(), m, asJSON)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().StringVar(&out, "out", "", "file to write, which must not be there yet")
	cmd.Flags().BoolVar(&without, "without-streams", false, "leave the streams out, where their servers are backed up otherwise: readings that are not yet in the database or InfluxDB are then not in the backup")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the manifest as JSON")
	cmd.AddCommand(newBackupVerify())
	return cmd
}

func newBackupVerify() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "verify FILE.gwb",
		Short:   "Read a backup and compare every part with its checksum",
		Long:    "Reads a backup to its end, compares every part with its checksum, and says what it holds.\n\nExit codes: 0 whole, 1 damaged or none.",
		Example: "  gridwarden backup verify /backup/monday.gwb",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := backup.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, a.Close()) }()
			progress := newBackupProgress(cmd.ErrOrStderr())
			if err := a.Verify(cmd.Context(), progress.show); err != nil {
				return fmt.Errorf("backup %s: %w", args[0], err)
			}
			return showManifest(cmd.OutOrStdout(), a.Manifest, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the manifest as JSON")
	return cmd
}

func showManifest(w io.Writer, m *backup.Manifest, asJSON bool) error {
	if asJSON {
		return printJSON(w, m)
	}
	_, err := fmt.Fprint(w, m.Summary())
	return err //nolint:wrapcheck // the terminal's own error says it all
}

// restoreFlags are those of restore.
type restoreFlags struct {
	config, dir          string
	database, passwordAt string
	dryRun               bool
}

func newRestore() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore FILE.gwb --data-dir NEW",
		Short: "Make a data folder of a backup",
		Long: `Makes a new data folder of a backup: the database, keys and small files, and the streams
with their sequences and consumers. The folder must be new or empty. The whole backup is
compared with its checksums before anything is written, and everything is put together in
NEW.part, which gets its name in the end: whatever happens, there is all of it or nothing.

With --database-url the database goes into PostgreSQL, which must be empty, whatever it
was kept in before. With -c FILE the data folder, the database and the servers of the
streams are those of a configuration.

Afterwards point data_dir of the configuration to the folder and start the program. It
reads on in the streams where the database was; InfluxDB is put back with its own tools,
and what it gets again is the same points. Start no second program with the same devices
while the first one runs.

Exit codes: 0 restored, 1 the backup is damaged or could not be restored, 2 wrong arguments.`,
		Example: `  gridwarden restore monday.gwb --data-dir /var/lib/gridwarden-new
  gridwarden restore monday.gwb --data-dir /var/lib/gridwarden-new --dry-run
  gridwarden restore monday.gwb --data-dir NEW --database-url postgres://gridwarden@db/gridwarden --database-password-file pw
  gridwarden restore monday.gwb -c new.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration that names the new data folder, and the database and streams where they lie elsewhere")
	cmd.Flags().StringVar(&f.dir, "data-dir", "", "the new data folder, instead of a configuration")
	cmd.Flags().StringVar(&f.database, "database-url", "", "postgres:// address of an empty database, with --data-dir")
	cmd.Flags().StringVar(&f.passwordAt, "database-password-file", "", "file with the password for --database-url")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check the backup and the folder, and write nothing")
	return cmd
}

// target is the configuration of what is to be made.
func (f *restoreFlags) target() (*config.Config, error) {
	switch {
	case (f.config == "") == (f.dir == ""):
		return nil, errors.New("name the new data folder with --data-dir NEW, or a configuration with -c FILE")
	case f.config != "" && f.database != "":
		return nil, errors.New("--database-url belongs to --data-dir; with -c FILE the database is that of the configuration")
	case f.config != "":
		return config.Load(f.config)
	}
	cfg := config.Default()
	cfg.DataDir, cfg.Database.URL, cfg.Database.PasswordFile = f.dir, f.database, f.passwordAt
	return &cfg, nil
}

func (f *restoreFlags) run(cmd *cobra.Command, file string) (err error) {
	cfg, err := f.target()
	if err != nil {
		return badInput{err}
	}
	if err := backup.CheckTarget(cfg.DataDir); err != nil {
		return badInput{err}
	}
	a, err := backup.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	progress := newBackupProgress(cmd.ErrOrStderr())
	if f.dryRun {
		if err := a.Verify(cmd.Context(), progress.show); err != nil {
			return fmt.Errorf("backup %s: %w", file, err)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%sit would be restored into %s; nothing was written\n", a.Manifest.Summary(), cfg.DataDir)
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	if err := host.RestoreBackup(cmd.Context(), a, cfg, progress.show); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%srestored into %s; point data_dir there and start the program\n", a.Manifest.Summary(), cfg.DataDir)
	return err //nolint:wrapcheck // the terminal's own error says it all
}

// backupProgress shows how far a backup or a restore is.
type backupProgress struct {
	mu    sync.Mutex
	line  *progressLine
	drawn time.Time
}

func newBackupProgress(w io.Writer) *backupProgress { return &backupProgress{line: newProgressLine(w)} }

func (p *backupProgress) show(at backup.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !at.Done && time.Since(p.drawn) < redrawInterval {
		return
	}
	p.drawn = time.Now()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", at.Part, size(uint64(at.Bytes))) //nolint:gosec // never negative
	if at.Total > 0 {
		fmt.Fprintf(&b, " of %s", size(uint64(at.Total))) //nolint:gosec // never negative
	}
	if at.Detail != "" {
		fmt.Fprintf(&b, ", %s", at.Detail)
	}
	p.line.draw(b.String(), at.Done)
	if at.Done {
		p.line.finish()
	}
}
