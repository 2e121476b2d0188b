package main

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/drivers/opcua"
	"github.com/gridwarden/gridwarden/internal/config"
)

// TestOPCUATrust takes a certificate from the rejected to the trusted and
// back, as a person would after a first connection.
func TestOPCUATrust(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	if err := os.WriteFile(file, []byte("data_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pki := filepath.Join(dir, "data", "pki")
	server, err := opcua.NewIdentity("urn:plc-7:server", time.Now(), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	sum := opcua.Fingerprint(server.Certificate)
	step := func(code int, want string, args ...string) string {
		t.Helper()
		got, stdout, stderr := gridwarden(t, append([]string{"opcua"}, args...)...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Fatalf("%q: exit %d, want %d and %q:\n%s%s", args, got, code, want, stdout, stderr)
		}
		return stdout
	}
	step(0, "Nothing is there yet", "trust", "list", "-c", file)
	if err := opcua.NewTrustList(pki, opcua.TrustOptions{}).Verify(server.Certificate, opcua.Peer{}); err == nil {
		t.Fatal("an unknown certificate was accepted")
	}
	step(0, `rejected  application  `+sum, "trust", "list", "-c", file)
	step(exitUsage, "is no file here, and", "trust", "add", "nothing", "-c", file)
	step(exitUsage, "no certificate with fingerprint ffffffff", "trust", "add", "ffffffff", "-c", file)
	step(0, "Added to trusted: application", "trust", "add", sum[:8], "-c", file)
	step(exitUsage, "no certificate with fingerprint", "trust", "add", sum[:8], "-c", file)
	var entries []opcua.Entry
	if err := json.Unmarshal([]byte(step(0, "", "trust", "list", "--pki", pki, "--json")), &entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Folder != "trusted" || entries[0].SHA256 != sum || entries[0].ApplicationURI != "urn:plc-7:server" {
		t.Errorf("listed as %+v", entries)
	}
	step(0, "No longer trusted: application", "trust", "reject", strings.ToUpper(sum), "--pki", pki)
	step(exitUsage, "no certificate with fingerprint", "trust", "reject", sum, "--pki", pki)
	step(0, `rejected  application  `+sum, "trust", "list", "-c", file)
	der := filepath.Join(dir, "server.der")
	if err := os.WriteFile(der, server.Certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	step(exitUsage, "no authority's certificate", "trust", "add", der, "--issuer", "--pki", pki)
	step(0, "Added to trusted", "trust", "add", der, "--pki", pki)
	step(exitUsage, "both -c and --pki", "trust", "list", "-c", file, "--pki", pki)
	if err := os.WriteFile(filepath.Join(pki, "trusted", "certs", "junk"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	step(exitFailed, "neither a certificate nor a revocation list", "trust", "list", "-c", file)
}

// TestNoSecretInArguments keeps passwords out of the list of processes.
func TestNoSecretInArguments(t *testing.T) {
	code, _, stderr := gridwarden(t, "opcua", "browse", "opc.tcp://127.0.0.1:1", "--option", "user=reader", "--option", "password=s3cret")
	if code != exitUsage || !strings.Contains(stderr, "password_file") || strings.Contains(stderr, "s3cret") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// TestOPCUACert makes our certificate, keeps it, warns of its end and renews it.
func TestOPCUACert(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	configure := func(text string) {
		if err := os.WriteFile(file, []byte("data_dir: data\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("site: {organisation: Hill County Electric}\nopcua: {application_uri: urn:hill:gridwarden, valid_days: 30}\n")
	if code, _, stderr := gridwarden(t, "check", "-c", file); code != 0 || strings.Contains(stderr, "certificate") {
		t.Fatalf("before there is one: exit %d\n%s", code, stderr)
	}
	code, first, stderr := gridwarden(t, "opcua", "cert", "show", "-c", file)
	if code != 0 || !strings.Contains(first, "urn:hill:gridwarden") || !strings.Contains(first, "O=Hill County Electric") || !strings.Contains(stderr, "warning: the own OPC UA certificate") {
		t.Fatalf("exit %d\n%s%s", code, first, stderr)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(opcuaMetrics(cfg)...)
	metrics, err := registry.Gather()
	if err != nil || len(metrics) != 1 {
		t.Fatalf("%v, %v", metrics, err)
	}
	if end := time.Unix(int64(metrics[0].GetMetric()[0].GetGauge().GetValue()), 0); time.Until(end).Round(24*time.Hour) != 30*24*time.Hour {
		t.Errorf("the metric says %v", end)
	}
	if _, again, _ := gridwarden(t, "opcua", "cert", "show", "-c", file); again != first {
		t.Errorf("another one the second time:\n%s%s", first, again)
	}
	if code, _, stderr := gridwarden(t, "check", "-c", file); code != 0 || !strings.Contains(stderr, "run `gridwarden opcua cert renew`") {
		t.Errorf("check: exit %d\n%s", code, stderr)
	}
	configure("opcua: {application_uri: urn:hill:gridwarden}\n")
	time.Sleep(1100 * time.Millisecond) // certificates count in seconds, and the newer one is used
	if code, second, stderr := gridwarden(t, "opcua", "cert", "renew", "-c", file); code != 0 || second == first {
		t.Errorf("renew: exit %d\n%s%s", code, second, stderr)
	}
	if code, _, stderr := gridwarden(t, "check", "-c", file); code != 0 || strings.Contains(stderr, "certificate") {
		t.Errorf("check after renewal: exit %d\n%s", code, stderr)
	}
	configure("opcua: {application_uri: urn:other:gridwarden}\n")
	if code, _, stderr := gridwarden(t, "check", "-c", file); code != exitUsage || !strings.Contains(stderr, "is for the application URI urn:hill:gridwarden, not urn:other:gridwarden") {
		t.Errorf("another URI: exit %d\n%s", code, stderr)
	}
	certs, err := filepath.Glob(filepath.Join(dir, "data", "pki", "own", "certs", "*.der"))
	if err != nil || len(certs) != 2 {
		t.Fatalf("%q, %v", certs, err)
	}
	for _, c := range certs {
		data, err := os.ReadFile(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.ParseCertificate(data); err != nil {
			t.Error(err)
		}
	}
}
