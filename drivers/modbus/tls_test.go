package modbus

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// roleServer answers as the standard asks of a server: a client whose role may
// not read gets exception 1 (MODBUS/TCP Security v21, 8.3).
func roleServer(t testing.TB, cfg *tls.Config) *fakeGateway {
	t.Helper()
	g := newFakeGatewayOn(t, tls.NewListener(listen(t), cfg))
	g.setAnswer(func(c *fakeConn, request []byte) {
		for _, e := range c.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Extensions {
			if e.Id.String() == "1.3.6.1.4.1.50316.802.1" && bytes.Equal(e.Value, utf8String("reader")) {
				honest(c, request)
				return
			}
		}
		write(c, []byte{request[0], request[1], 0, 0, 0, 3, request[6], request[7] | 0x80, 1})
	})
	return g
}

func tlsDevice(t testing.TB, addr string, options map[string]string) drivers.Device {
	t.Helper()
	dev := testDevice(t, "m", schemeTLS+"://"+addr+"/7", testProfile(t, twoPoints))
	dev.Options = options
	dev.Timeout = 2 * time.Second
	return dev
}

func TestTLSReads(t *testing.T) {
	ca := newAuthority(t, "utility")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			cfg := ca.server(t, nil)
			cfg.MinVersion, cfg.MaxVersion = version, version
			g := roleServer(t, cfg)
			d := New(Options{})
			defer d.Close()
			got := mustRead(t, d, tlsDevice(t, g.addr, ca.client(t, nil)))
			if got[0].Value != 7010 || got[1].Value != 7012 || got[0].Quality != meter.Good {
				t.Errorf("%+v", got)
			}
			options := ca.client(t, nil)
			options[optTLSName] = "meter.example"
			if got := mustRead(t, d, tlsDevice(t, g.addr, options)); got[0].Value != 7010 {
				t.Errorf("under another name: %+v", got)
			}
		})
	}
}

// TestTLSRefusals lets one side have something that the other must refuse,
// and looks for the mend.
func TestTLSRefusals(t *testing.T) {
	ca, stranger := newAuthority(t, "utility"), newAuthority(t, "stranger")
	past := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Unix(1, 0), time.Now().Add(-time.Minute) }
	for name, c := range map[string]struct {
		server func(*x509.Certificate)
		config func(*tls.Config)
		client func() map[string]string
		want   string
	}{
		"expired server":          {server: past, want: "have the server's certificate renewed"},
		"server for another name": {server: func(c *x509.Certificate) { c.IPAddresses = nil }, want: "is for meter.example, not for 127.0.0.1; set tls_name to a name in it"},
		"server with a client's":  {server: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, want: "extended key usage serverAuth"},
		"server of another authority": {client: func() map[string]string {
			o := ca.client(t, nil)
			o[optTLSCA] = stranger.file
			return o
		}, want: "name in tls_ca the certificate of who issued the server's"},
		"system's authorities": {client: func() map[string]string {
			o := ca.client(t, nil)
			delete(o, optTLSCA)
			return o
		}, want: "name in tls_ca the certificate"},
		"client of another authority": {client: func() map[string]string {
			o := stranger.client(t, nil)
			o[optTLSCA] = ca.file
			return o
		}, want: "see that it trusts who issued tls_cert"},
		"client expired by the server's clock": {config: func(c *tls.Config) { c.Time = func() time.Time { return time.Now().Add(30 * 24 * time.Hour) } }, want: "that this has not expired"},
		"TLS 1.1":                              {config: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }, want: "TLS 1.2 or later"},
		"no suite in common": {config: func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}, want: "the server refuses"},
		"a role that may not read": {client: func() map[string]string {
			return ca.client(t, func(c *x509.Certificate) { c.ExtraExtensions = roleExtension(utf8String("guest")) })
		}, want: `let the server's role "guest" read here`},
		"no role": {client: func() map[string]string {
			return ca.client(t, func(c *x509.Certificate) { c.ExtraExtensions = nil })
		}, want: "the client's certificate has no role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := ca.server(t, c.server)
			if c.config != nil {
				c.config(cfg)
			}
			options := ca.client(t, nil)
			if c.client != nil {
				options = c.client()
			}
			d := New(Options{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
			defer d.Close()
			readings, err := session1(t, d, tlsDevice(t, roleServer(t, cfg).addr, options)).Read(t.Context(), 0)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "device m") {
				t.Errorf("%v; want %q", err, c.want)
			}
			if readings[0].Quality != meter.Bad {
				t.Errorf("%+v", readings[0])
			}
		})
	}
}

func TestTLSServerThatIsPlain(t *testing.T) {
	g := newFakeGateway(t)
	g.setAnswer(func(c *fakeConn, _ []byte) { write(c, []byte("no such thing")) })
	d := New(Options{})
	defer d.Close()
	ca := newAuthority(t, "utility")
	dev := tlsDevice(t, g.addr, ca.client(t, nil))
	dev.Timeout = 300 * time.Millisecond
	if _, err := session1(t, d, dev).Read(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "device m: connect to ") {
		t.Errorf("%v", err)
	}
}

// TestTLSRenewal replaces the client's certificate while the driver runs.
func TestTLSRenewal(t *testing.T) {
	ca := newAuthority(t, "utility")
	g := roleServer(t, ca.server(t, nil))
	options := ca.client(t, func(c *x509.Certificate) { c.ExtraExtensions = roleExtension(utf8String("guest")) })
	d := New(Options{})
	defer d.Close()
	s := session1(t, d, tlsDevice(t, g.addr, options))
	if _, err := s.Read(t.Context(), 0); err == nil {
		t.Fatal("a guest could read")
	}
	renewed := ca.client(t, nil)
	for _, key := range []string{optTLSCert, optTLSKey} {
		if err := os.Rename(renewed[key], options[key]); err != nil {
			t.Fatal(err)
		}
	}
	g.mu.Lock()
	for c := range g.conns {
		_ = c.Close()
	}
	g.mu.Unlock()
	if got, err := s.Read(t.Context(), 0); err != nil || got[0].Value != 7010 {
		t.Errorf("after the renewal: %+v, %v", got, err)
	}
}

func TestTLSCheck(t *testing.T) {
	ca := newAuthority(t, "utility")
	good := func() map[string]string { return ca.client(t, nil) }
	with := func(change func(*x509.Certificate)) map[string]string { return ca.client(t, change) }
	set := func(key, value string) map[string]string {
		o := good()
		o[key] = value
		return o
	}
	garbage := ca.write(t, "garbage.pem", "RUBBISH", []byte{1})
	for want, options := range map[string]map[string]string{
		"":                                      good(),
		"set tls_cert and tls_key to its files": nil,
		"tls_key to its files":                  set(optTLSKey, ""),
		"no such file or directory; name a certi": set(optTLSCert, "/nowhere/a.pem"),
		"name the certificate's private key":      set(optTLSKey, "/nowhere/a.pem"),
		"and the key that of the certificate":     set(optTLSKey, good()[optTLSKey]),
		"they must be PEM":                        set(optTLSCert, garbage),
		"in PEM, of who issues those of servers":  set(optTLSCA, "/nowhere/a.pem"),
		"has no certificate in PEM":               set(optTLSCA, garbage),
		"expired on 1970-01-02 00:00:00; have it": with(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Unix(1, 0), time.Unix(86400, 0) }),
		"is valid from 2100-01-01 00:00:00 only": with(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Unix(4102444800, 0), time.Unix(4102444900, 0)
		}),
		"extended key usage clientAuth":           with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
		"the role in extension 1.3.6.1.4.1.50316": with(func(c *x509.Certificate) { c.ExtraExtensions = roleExtension([]byte{0x13, 1, 'x'}) }),
		"one UTF8String there": with(func(c *x509.Certificate) {
			c.ExtraExtensions = roleExtension(append(utf8String("a"), utf8String("b")...))
		}),
		`option "insecure" is not known`: set("insecure", "true"),
	} {
		d := New(Options{})
		err := d.Check(tlsDevice(t, "192.0.2.1", options))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "device m")) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// TestTLSGateways: clients of different roles do not share a connection.
func TestTLSGateways(t *testing.T) {
	ca := newAuthority(t, "utility")
	d := New(Options{})
	a, b := tlsDevice(t, "192.0.2.1", ca.client(t, nil)), tlsDevice(t, "192.0.2.1", ca.client(t, nil))
	if d.Share(a).Connection == d.Share(b).Connection {
		t.Errorf("both share %s", d.Share(a).Connection)
	}
	if s := d.Share(a).Connection; !strings.HasPrefix(s, "modbus+tls://192.0.2.1:802 ") {
		t.Errorf("the connection is %s", s)
	}
}
