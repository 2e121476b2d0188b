package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/historian"
)

func newHistorian() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "historian",
		Short: "The time-series database that telemetry is kept in",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newHistorianInit(), newHistorianStatus())
	return cmd
}

// historianFlags are those of both commands.
type historianFlags struct {
	file   string
	asJSON bool
}

func (f *historianFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
}

// with opens the configured historian for do.
func (f *historianFlags) with(cmd *cobra.Command, do func(*historian.Historian) error) (err error) {
	cfg, err := config.Load(f.file)
	if err != nil {
		return badInput{err}
	}
	where := cfg.Historian
	if where.URL == "" {
		return badInput{fmt.Errorf("%s names no historian; write its address, such as http://127.0.0.1:8086, under historian.url", f.file)}
	}
	token, err := historian.ReadToken(where.TokenFile, where.TokenEnv)
	if err != nil {
		return badInput{err}
	}
	h, err := historian.Open(historian.Config{
		URL: where.URL, Org: where.Org, Bucket: where.Bucket, Token: token, GZip: where.GZip,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return badInput{err}
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	return do(h)
}

func newHistorianInit() *cobra.Command {
	var f historianFlags
	var retention, longRetention, window string
	var shorten bool
	cmd := &cobra.Command{
		Use:   "init -c FILE",
		Short: "Make the buckets, their retention and the tasks that thin them out",
		Long: `On InfluxDB 2: makes the bucket for readings, a second one (BUCKET_15m) for the mean of
each quarter of an hour, or the last value of a register, and two tasks that fill it:
one every quarter of an hour, and one at night that goes over the last eight days again
for what came late. A second run changes nothing and says so; a changed flag changes
the setting. On InfluxDB 1 and VictoriaMetrics, which have no API for this, nothing is
changed: it prints the commands to give by hand.

The token comes from historian.token_file or token_env of the configuration. It must be
allowed to read the organisation and to read and write its buckets and tasks; running
needs less: to read and write the bucket.

Times are written as 400d, 36h or 15m; 0 is for ever.`,
		Example: `  gridwarden historian init -c gridwarden.yaml
  gridwarden historian init -c gridwarden.yaml --retention 400d --long-retention 0 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan := historian.Plan{Shorten: shorten}
			var err error
			if plan.Retention, err = spanFlag(cmd, "retention", retention); err != nil {
				return badInput{err}
			}
			if plan.LongRetention, err = spanFlag(cmd, "long-retention", longRetention); err != nil {
				return badInput{err}
			}
			if plan.Window, err = parseSpan(window); err == nil {
				err = plan.Check()
			}
			if err != nil {
				return badInput{err}
			}
			return f.with(cmd, func(h *historian.Historian) error {
				done, err := h.Provision(cmd.Context(), plan)
				if done != nil { // what was done before a failure is told too
					err = errors.Join(writeProvisioned(cmd.OutOrStdout(), done, f.asJSON), err)
				}
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&retention, "retention", "400d", "how long readings are kept; an existing bucket keeps its own unless this is given")
	cmd.Flags().StringVar(&longRetention, "long-retention", "3650d", "how long the values of windows are kept; likewise")
	cmd.Flags().StringVar(&window, "window", "15m", "what one value of the second bucket stands for")
	cmd.Flags().BoolVar(&shorten, "shorten", false, "allow a retention below the present one, which deletes what is older")
	return cmd
}

// spanFlag is nil where the flag is not given.
func spanFlag(cmd *cobra.Command, name, value string) (*time.Duration, error) {
	if !cmd.Flags().Changed(name) {
		return nil, nil //nolint:nilnil // nothing was said, which is no error
	}
	d, err := parseSpan(value)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	return &d, nil
}

// parseSpan reads a duration in days or in Go's form.
func parseSpan(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	const day = 24 * time.Hour
	if n, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(n)
		if err != nil || days < 0 || days > 100_000 {
			return 0, fmt.Errorf("%q is no time; write it as 400d, 36h or 15m", text)
		}
		return time.Duration(days) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time; write it as 400d, 36h or 15m", text)
	}
	return d, nil
}

func writeProvisioned(w io.Writer, p *historian.Provisioned, asJSON bool) error {
	if asJSON {
		return writeIndented(w, p)
	}
	fmt.Fprintf(w, "%s is %s\n", p.URL, strings.TrimSpace(string(p.Engine)+" "+p.Version))
	if len(p.ByHand) > 0 {
		fmt.Fprintf(w, "It has no API for buckets and tasks; nothing was changed. By hand:\n")
		for _, group := range p.ByHand {
			fmt.Fprintf(w, "\n%s\n\n", group.What)
			for _, command := range group.Commands {
				fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(command, "\n", "\n    "))
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range p.Settings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.Outcome, s.Kind, s.Name, s.Detail)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if len(p.Settings) > 0 && !p.Changed() {
		fmt.Fprintln(w, "Nothing to change.")
	}
	return nil
}

func writeIndented(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(v); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func newHistorianStatus() *cobra.Command {
	var f historianFlags
	cmd := &cobra.Command{
		Use:   "status -c FILE",
		Short: "Ask the historian which engine it is and what it holds",
		Long: `Asks the historian which engine it is, whether the token opens the bucket, how many
readings of the last hour it holds and, of InfluxDB 2, how the tasks do. Exits with 1
where it does not work. How much waits in the stream says ` + "`gridwarden stream`" + `.`,
		Example: "  gridwarden historian status -c gridwarden.yaml --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(h *historian.Historian) error {
				s := h.Status(cmd.Context(), time.Now())
				if err := writeHistorianStatus(cmd.OutOrStdout(), s, f.asJSON); err != nil {
					return err
				}
				if s.State != historian.Works {
					return errors.New("the historian does not work")
				}
				return nil
			})
		},
	}
	f.add(cmd)
	return cmd
}

func writeHistorianStatus(w io.Writer, s historian.Status, asJSON bool) error {
	if asJSON {
		return writeIndented(w, s)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("address", s.URL)
	line("engine", strings.TrimSpace(string(s.Engine)+" "+s.Version))
	line("state", s.State)
	line("reason", s.Reason)
	line("bucket", s.Bucket)
	line("retention", s.Retention)
	if s.LastHour != nil {
		line("readings of the last hour", strconv.FormatInt(*s.LastHour, 10))
	}
	for _, task := range s.Tasks {
		state := "off"
		if task.Active {
			state = "on"
		}
		line("task "+task.Name, strings.TrimSpace(state+" "+task.Last+" "+task.Error))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
