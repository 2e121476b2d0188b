package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
)

func newUsers() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "users",
		Short: "Who may log in to the console",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newUsersAdd(), newUsersList())
	return cmd
}

func newUsersAdd() *cobra.Command {
	var file, name string
	var roles []string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "add LOGIN --role ROLE -c FILE",
		Short: "Add a person; a password is made and printed once",
		Long: `Adds a person who may log in to the console. Without --password-stdin a password is
made and printed once; it is stored only as a hash.

Roles: ` + strings.Join(roleNames(), ", ") + ".",
		Example: `  gridwarden users add chen.yu --name "Chen Yu" --role control_room -c gridwarden.yaml
  gridwarden users add lin.wei --role case_officer --password-stdin -c gridwarden.yaml < secret`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			user := access.NewUser{Login: args[0], DisplayName: name, Password: access.GeneratePassword()}
			for _, r := range roles {
				role, err := access.ParseRole(r)
				if err != nil {
					return badInput{err}
				}
				user.Roles = append(user.Roles, role)
			}
			if fromStdin {
				line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil && line == "" {
					return badInput{errors.New("no password on standard input; write it as one line")}
				}
				user.Password = strings.TrimRight(line, "\r\n")
			}
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, _ *config.Config) error {
				added, err := desk.Access.AddUser(ctx, user)
				if errors.Is(err, access.ErrInvalid) || errors.Is(err, access.ErrExists) {
					return badInput{err}
				}
				if err != nil {
					return fmt.Errorf("add user: %w", err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Added %s.\n", added.Login)
				if !fromStdin {
					fmt.Fprintf(cmd.OutOrStdout(), "Password: %s\n", user.Password)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().StringVar(&name, "name", "", "the person's name")
	cmd.Flags().StringSliceVar(&roles, "role", nil, "role; may be repeated")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	_ = cmd.MarkFlagRequired("role")
	return cmd
}

func newUsersList() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "list -c FILE",
		Short:   "List who may log in",
		Example: "  gridwarden users list -c gridwarden.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, _ *config.Config) error {
				users, err := desk.Access.Users(ctx)
				if err != nil {
					return fmt.Errorf("users: %w", err)
				}
				t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "LOGIN\tNAME\tROLES\tSTATE")
				for _, u := range users {
					state := "may log in"
					if u.Disabled {
						state = "disabled"
					}
					roles := make([]string, len(u.Roles))
					for i, r := range u.Roles {
						roles[i] = string(r)
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", u.Login, u.DisplayName, strings.Join(roles, ", "), state)
				}
				return t.Flush()
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	return cmd
}

func roleNames() []string {
	var names []string
	for _, r := range access.Roles() {
		names = append(names, string(r))
	}
	return names
}
