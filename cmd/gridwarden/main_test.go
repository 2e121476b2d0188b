package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/cluster/natstest"
)

// The program re-executes itself to serve the built-in detectors; under test
// that is the test binary.
// runProgram makes the test binary the program itself, for tests that need it
// as a process of its own.
const runProgram = "GRIDWARDEN_TEST_RUN"

func TestMain(m *testing.M) {
	if natstest.Serve() {
		return
	}
	if os.Getenv(runProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	if len(os.Args) > 2 && os.Args[1] == "plugins" && (os.Args[2] == "serve" || os.Args[2] == "ward") {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// gridwarden runs the program and returns its exit code and output.
func gridwarden(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s has no short help", cmd.CommandPath())
		}
		if !cmd.HasSubCommands() && !cmd.Hidden && cmd.Example == "" {
			t.Errorf("%s shows no example", cmd.CommandPath())
		}
		if cmd.Args == nil {
			t.Errorf("%s does not say which arguments it takes", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.yaml", "data_dir: data\n")
	bad := file("bad.yaml", "consle: {}\n")
	device := file("device.yaml", "devices:\n  - {id: A, url: 'modbus://127.0.0.1:502/1', profile: nothing-like-it}\n")
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string // in standard error
	}{
		{"no arguments", nil, 0, ""},
		{"version", []string{"version"}, 0, ""},
		{"unknown command", []string{"pol"}, exitUsage, `unknown command "pol"`},
		{"unknown flag", []string{"scan", "--regstry", "x"}, exitUsage, "see `gridwarden scan --help`"},
		{"too many arguments", []string{"version", "now"}, exitUsage, "see `gridwarden version --help`"},
		{"check good", []string{"check", "-c", good}, 0, ""},
		{"check bad", []string{"check", "-c", bad}, exitUsage, bad + `:1:1: unknown key "consle"; did you mean console?`},
		{"check missing", []string{"check", "-c", filepath.Join(dir, "none.yaml")}, exitUsage, "name a file that can be read with -c"},
		{"check unknown profile", []string{"check", "-c", device}, exitUsage, `device A: no profile "nothing-like-it"`},
		{"scan without registry", []string{"scan", "--readings", good}, exitUsage, "--registry is needed"},
		{"scan without readings", []string{"scan", "--registry", dir}, exitUsage, "--readings is needed"},
		{"scan bad prior", []string{"scan", "--registry", dir, "--readings", good, "--prior", "2"}, exitUsage, "give a probability above 0 and below 0.5"},
		{"scan empty registry", []string{"scan", "--registry", dir, "--readings", good}, exitUsage, "transformers.csv"},
		{"probe no profile of OPC UA", []string{"probe", "opc.tcp://127.0.0.1:1"}, exitUsage, "`gridwarden opcua browse opc.tcp://127.0.0.1:1`"},
		{"probe nobody to ask", []string{"probe", "modbus://127.0.0.1:1/1", "--timeout", "300ms"}, exitFailed, "the device does not answer"},
		{"probe no unit", []string{"probe", "modbus://127.0.0.1:1/300"}, exitUsage, "unit"},
		{"probe no address", []string{"probe", "127.0.0.1", "--profile", "x"}, exitUsage, "is not a device address"},
		{"probe nobody there", []string{"probe", "modbus://127.0.0.1:1/1", "--profile", "sim-1p-float", "--timeout", "300ms"}, exitFailed, "probe"},
		{"devices, not running", []string{"devices", "list", "-c", good}, exitFailed, "start it with `gridwarden run -c " + good + "`"},
		{"devices in a broken file", []string{"devices", "list", "-c", bad}, exitFailed, "no gridwarden runs with this data folder"},
		{"devices of no file", []string{"devices", "list", "-c", filepath.Join(dir, "none.yaml")}, exitUsage, "name a file that can be read with -c"},
		{"devices show, not running", []string{"devices", "show", "A", "--data-dir", dir}, exitFailed, "gridwarden run -c FILE"},
		{"devices reload, not running", []string{"devices", "reload", "-c", good}, exitFailed, "start it with"},
		{"devices unknown state", []string{"devices", "list", "--state", "dead", "-c", good}, exitUsage, "give one of waiting, ok, failing, silent"},
		{"devices of two programs", []string{"devices", "list", "-c", good, "--data-dir", dir}, exitUsage, "give one of them"},
		{"devices show nothing", []string{"devices", "show"}, exitUsage, "see `gridwarden devices show --help`"},
		{"cases unknown", []string{"cases", "show", "C-2026-0001", "-c", good}, exitUsage, "no case C-2026-0001"},
		{"users unknown role", []string{"users", "add", "x", "--role", "king", "-c", good}, exitUsage, "king"},
		{"demo json alone", []string{"demo", "--json"}, exitUsage, "--json goes with --exit"},
		{"demo until tomorrow", []string{"demo", "--until", "2999-01-01"}, exitUsage, "at the latest"},
		{"demo in a folder in use", []string{"demo", "--dir", dir}, exitUsage, "was not made by a demo"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, _, stderr := gridwarden(t, tc.args...)
			if code != tc.code || !strings.Contains(stderr, tc.want) {
				t.Fatalf("exit %d, want %d; standard error:\n%s\nwant in it: %s", code, tc.code, stderr, tc.want)
			}
		})
	}
}

func TestUsersAreAddedBeforeTheFirstRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	if err := os.WriteFile(file, []byte("data_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := gridwarden(t, "users", "add", "lin.wei", "--role", "case_officer", "-c", file)
	if code != 0 || !strings.Contains(stdout, "Password: ") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr = gridwarden(t, "users", "add", "Lin.Wei", "--role", "auditor", "-c", file); code != exitUsage {
		t.Fatalf("the same login again: exit %d\n%s", code, stderr)
	}
	code, stdout, _ = gridwarden(t, "users", "list", "-c", file)
	if code != 0 || !strings.Contains(stdout, "lin.wei") || strings.Contains(stdout, "Password") {
		t.Fatalf("exit %d\n%s", code, stdout)
	}
	code, stdout, _ = gridwarden(t, "cases", "list", "-c", file)
	if code != 0 || !strings.Contains(stdout, "No case.") {
		t.Fatalf("exit %d\n%s", code, stdout)
	}
}

func TestPluginsList(t *testing.T) {
	code, stdout, stderr := gridwarden(t, "plugins", "list")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	for _, name := range []string{"hiddenmining", "declareduse", "energybalance", "undersized"} {
		if !strings.Contains(stdout, name) {
			t.Errorf("no %s in\n%s", name, stdout)
		}
	}
	if strings.Contains(stdout, "refused") || strings.Contains(stdout, "failed") {
		t.Errorf("a built-in detector is not ready:\n%s", stdout)
	}
}
