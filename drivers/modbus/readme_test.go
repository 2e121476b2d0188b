package modbus

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestReadme makes the certificates as the README says, opens a session to
// every device of its sample, and reads a server that knows the role.
func TestReadme(t *testing.T) {
	readme, err := filepath.Abs("README.md")
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := filepath.Abs("../../configs/profiles")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(text)
	if script == nil {
		t.Fatal("the README has no commands")
	}
	t.Chdir(t.TempDir())
	if out, err := exec.Command("sh", "-e", "-c", string(script[1])).CombinedOutput(); err != nil {
		t.Fatalf("%v; is openssl there? apt-get install openssl\n%s", err, out)
	}
	d := New(Options{})
	defer d.Close()
	for _, dev := range drivertest.Sample(t, readme, d, profiles) {
		session1(t, d, dev)
	}

	server := newAuthority(t, "the server's")
	cfg := server.server(t, nil)
	clients, err := os.ReadFile("tls/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(clients) {
		t.Fatal("tls/ca.pem has no certificate")
	}
	got := mustRead(t, d, tlsDevice(t, roleServer(t, cfg).addr, map[string]string{
		optTLSCert: "tls/gridwarden.pem", optTLSKey: "tls/gridwarden.key", optTLSCA: server.file,
	}))
	if got[0].Value != 7010 || got[0].Quality != meter.Good {
		t.Errorf("%+v", got[0])
	}
}
