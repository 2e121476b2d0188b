package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sqlstore/pgtest"
)

// A backup of a SQLite database is restored into PostgreSQL, once.
func TestABackupMovesToPostgreSQL(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "gridwarden.yaml"), filepath.Join(dir, "b.gwb")
	if err := os.WriteFile(file, []byte("data_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	desk, err := host.OpenDesk(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Access.AddUser(ctx, access.NewUser{Login: "lin.wei", Roles: []access.Role{access.CaseOfficer}, Password: "a long one for a test 7"}); err != nil {
		t.Fatal(err)
	}
	if err := desk.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := gridwarden(t, "backup", "-c", file, "--out", out); code != 0 {
		t.Fatalf("backup: exit %d: %s", code, errs)
	}

	cluster, err := pgtest.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	url, err := cluster.Database(ctx)
	if err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(dir, "moved")
	if code, _, errs := gridwarden(t, "restore", out, "--data-dir", moved, "--database-url", url); code != 0 {
		t.Fatalf("restore: exit %d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(moved, "gridwarden.db")); err == nil {
		t.Error("there is a SQLite database beside")
	}
	there := config.Default()
	there.DataDir, there.Database.URL = moved, url
	if desk, err = host.OpenDesk(ctx, &there); err != nil {
		t.Fatal(err)
	}
	users, err := desk.Access.Users(ctx)
	if err != nil || len(users) != 1 || users[0].Login != "lin.wei" {
		t.Errorf("users %+v, %v", users, err)
	}
	if err := desk.Close(); err != nil {
		t.Fatal(err)
	}
	code, _, errs := gridwarden(t, "restore", out, "--data-dir", filepath.Join(dir, "again"), "--database-url", url)
	if code != exitFailed || !strings.Contains(errs, "is not empty") {
		t.Errorf("restore into the same database: exit %d: %s", code, errs)
	}
	for _, name := range []string{"again", "again.part"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}
