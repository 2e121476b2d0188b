package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// guide is the operator's guide to the stream, its configurations written
// into a folder with certificates and passwords for loopback.
type guide struct {
	t     *testing.T
	dir   string
	ports map[string]string // the port that stands for one of the guide's
}

// openGuide writes every block of the guide that begins with a file's name.
func openGuide(t *testing.T) *guide {
	t.Helper()
	g := &guide{t: t, dir: t.TempDir(), ports: make(map[string]string)}
	text, err := os.ReadFile("../../internal/stream/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	for i := 1; i < len(blocks); i += 2 {
		kind, body, _ := strings.Cut(blocks[i], "\n")
		name, ok := strings.CutPrefix(strings.SplitN(body, "\n", 2)[0], "# ")
		if !ok || kind != "yaml" && kind != "conf" {
			t.Fatalf("block %q does not begin with the name of its file", body)
		}
		g.write(name, body)
	}
	g.write("leaf.login", "substation-7:change-me\n")
	g.write("nats.login", "gridwarden:change-me\n")
	g.certificates("hub", "nats")
	return g
}

func (g *guide) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// at puts loopback addresses in a file for those of the guide.
func (g *guide) at(name string, addresses ...string) {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		g.t.Fatal(err)
	}
	out := string(text)
	for _, address := range addresses {
		if !strings.Contains(out, address) {
			g.t.Fatalf("%s has no %s", name, address)
		}
		key := address
		if h, port, err := net.SplitHostPort(address); err == nil && (h == "0.0.0.0" || h == "hub.example") {
			key = port
		}
		if g.ports[key] == "" {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				g.t.Fatal(err)
			}
			g.ports[key] = l.Addr().String()
			_ = l.Close()
		}
		out = strings.ReplaceAll(out, address, g.ports[key])
	}
	g.write(name, out)
}

// certificates makes an authority and certificates of it.
func (g *guide) certificates(names ...string) {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "guide"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		g.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		g.t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	g.write("ca.pem", public)
	for _, name := range names {
		g.write(name+".pem", public)
		g.write(name+"-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
	}
}

// open opens the stream of a configuration of the guide.
func (g *guide) open(name string) *stream.Stream {
	g.t.Helper()
	cfg, err := config.Load(filepath.Join(g.dir, name))
	if err != nil {
		g.t.Fatal(err)
	}
	var s *stream.Stream
	g.wait(name+" opens", func() bool {
		ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
		defer cancel()
		if s, err = stream.Open(ctx, host.StreamConfig(cfg, slog.New(slog.DiscardHandler))); err != nil {
			g.t.Log("not yet:", err)
			time.Sleep(200 * time.Millisecond)
		}
		return err == nil
	})
	g.t.Cleanup(s.Close)
	return s
}

// nats runs nats-server with a configuration of the guide.
func (g *guide) nats(binary, name string) {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), binary, "-c", name)
	cmd.Dir = g.dir
	log, err := cmd.StderrPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	ready := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all []string
		for s := bufio.NewScanner(log); s.Scan(); {
			if all = append(all, s.Text()); strings.Contains(s.Text(), "Server is ready") {
				close(ready)
			}
		}
		select {
		case <-ready:
		default:
			fmt.Fprintln(os.Stderr, strings.Join(all, "\n"))
		}
	}()
	g.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait() // it was killed
	})
	select {
	case <-ready:
	case <-done:
		g.t.Fatalf("nats-server -c %s ended", name)
	case <-time.After(30 * time.Second):
		g.t.Fatalf("nats-server -c %s was not ready within 30 s", name)
	}
}

func (g *guide) wait(what string, ok func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// passes publishes readings at one end and waits for them at the other.
func (g *guide) passes(from, to *stream.Stream) {
	g.t.Helper()
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	var in []meter.Reading
	for i := range 100 {
		in = append(in, meter.Reading{
			DeviceID: "feeder-1", MeterID: "M1", Quantity: meter.Quantities()[0], Value: float64(i),
			EventTime: at.Add(time.Duration(i) * time.Second), ReceiveTime: at.Add(time.Duration(i) * time.Second), Quality: meter.Good,
		})
	}
	if err := from.PublishReadings(g.t.Context(), in); err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), 2*time.Minute)
	defer cancel()
	got := 0
	if err := to.ConsumeReadings(ctx, "guide", func(_ context.Context, rs []meter.Reading) error {
		if got += len(rs); got >= len(in) {
			cancel()
		}
		return nil
	}); err != nil {
		g.t.Fatal(err)
	}
	if got != len(in) {
		g.t.Errorf("%d readings of %d", got, len(in))
	}
}

// buildNATS builds the server that go.mod names, as operators install it.
func buildNATS(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v\n%s", err, out)
	}
	return binary
}

// TestStreamGuide runs every configuration of the operator's guide.
func TestStreamGuide(t *testing.T) {
	t.Parallel()
	t.Run("power", func(t *testing.T) {
		g := openGuide(t)
		s := g.open("power.yaml")
		g.passes(s, s)
	})
	t.Run("hub", func(t *testing.T) {
		g := openGuide(t)
		g.at("hub.yaml", "0.0.0.0:7422")
		g.at("substation-7.yaml", "hub.example:7422")
		hub := g.open("hub.yaml")
		g.passes(g.open("substation-7.yaml"), hub)
	})
	binary := buildNATS(t)
	t.Run("NATS as the hub", func(t *testing.T) {
		g := openGuide(t)
		g.at("nats-hub.conf", "0.0.0.0:4222", "0.0.0.0:7422")
		g.at("substation-7.yaml", "hub.example:7422")
		g.at("control-room.yaml", "hub.example:4222")
		g.nats(binary, "nats-hub.conf")
		leaf := g.open("substation-7.yaml")
		g.passes(leaf, g.open("control-room.yaml"))
	})
	t.Run("three hosts", func(t *testing.T) {
		g := openGuide(t)
		for n := range 3 {
			text, err := os.ReadFile(filepath.Join(g.dir, "nats-1.conf"))
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("nats-%d.conf", n+1)
			out := strings.Replace(string(text), "server_name: nats-1", fmt.Sprintf("server_name: nats-%d", n+1), 1)
			out = strings.ReplaceAll(out, "jetstream-1", fmt.Sprintf("jetstream-%d", n+1))
			out = strings.Replace(out, "0.0.0.0:4222", fmt.Sprintf("nats-%d.example:4222", n+1), 1)
			out = strings.Replace(out, "0.0.0.0:6222", fmt.Sprintf("nats-%d.example:6222", n+1), 1)
			g.write("x"+name, out)
			g.at("x"+name, fmt.Sprintf("nats-%d.example:4222", n+1), "nats-1.example:6222", "nats-2.example:6222", "nats-3.example:6222")
		}
		for n := range 3 {
			g.nats(binary, fmt.Sprintf("xnats-%d.conf", n+1))
		}
		g.at("host.yaml", "nats-1.example:4222", "nats-2.example:4222", "nats-3.example:4222")
		s := g.open("host.yaml")
		g.passes(s, s)
	})
}
