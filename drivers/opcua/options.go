package opcua

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
)

// Device options.
const (
	optNode         = "node"          // takes the place of {node} in the profile's node ids
	optSecurity     = "security"      // auto (default), none, or a policy's name
	optSecurityMode = "security_mode" // sign_and_encrypt (default) or sign
	optAllowNone    = "allow_none"    // true: policy None beyond loopback
	optPin          = "server_sha256" // fingerprint of the server's certificate, in hex
	optServerName   = "server_name"   // host name that the server's certificate must have; the URL's where empty
	optUser         = "user"
	optPassword     = "password"
	optPasswordFile = "password_file"
	optPasswordEnv  = "password_env"
	optUserCert     = "user_cert" // file of an X.509 user's certificate, DER or PEM
	optUserKey      = "user_key"  // file of its RSA key
)

// securityOptionNames are the options that this file reads.
func securityOptionNames() []string {
	return []string{
		optNode, optSecurity, optSecurityMode, optAllowNone, optPin, optServerName,
		optUser, optPassword, optPasswordFile, optPasswordEnv, optUserCert, optUserKey,
	}
}

// Options are the driver's settings. The zero value serves where devices pin
// their servers' certificates or use policy None on loopback.
type Options struct {
	Timeout    time.Duration // of one read, where the device sets none; 2 s where zero
	Connect    time.Duration // of connecting, secure channel and session; 5 s where zero
	MinBackoff time.Duration // first wait after a second failure to connect; 250 ms where zero
	MaxBackoff time.Duration // longest wait between attempts; 15 s where zero
	// Watchdog is how long a subscription may be silent, its heartbeat
	// included; 4 s where zero, and never less than four publishing intervals.
	Watchdog time.Duration

	// Identity is the client's certificate and key. Where it is nil they come
	// from Own; where that is nil too, they are made anew for each Driver.
	Identity *Identity
	Own      *Own
	// Trust decides on a server's certificate where the device does not pin
	// one. Where it is nil, such servers are refused.
	Trust *TrustList
	// Recheck is how often the trust in open connections is looked at again;
	// 10 s where zero.
	Recheck time.Duration
	// Now is the clock of backoffs; time.Now where nil.
	Now func() time.Time
	// Logger hears of an own certificate near its end; slog.Default where nil.
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Timeout, 2 * time.Second}, {&o.Connect, 5 * time.Second},
		{&o.MinBackoff, 250 * time.Millisecond}, {&o.MaxBackoff, 15 * time.Second}, {&o.Watchdog, 4 * time.Second},
		{&o.Recheck, 10 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// settings is what a device says about its endpoint. Devices with equal
// settings share a session, so it must stay comparable.
type settings struct {
	url        string
	host       string // that the server's certificate must name
	none       bool
	policy     string // name of the policy, "" for the best that the server offers
	mode       ua.MessageSecurityMode
	pin        string // lower-case hex, "" for Options.Trust
	user       string
	password   string
	secretFile string // instead of password
	secretEnv  string
	userCert   string
	userKey    string
}

// Policies that may be used, best first.
func policies() []string {
	return []string{"Aes256_Sha256_RsaPss", "Basic256Sha256", "Aes128_Sha256_RsaOaep"}
}

// obsolete says why a policy that once was in use no longer is (OPC 10000-7
// withdraws both), "" for others.
func obsolete(policy string) string {
	switch policy {
	case "Basic128Rsa15":
		return "its RSA padding lets passwords and keys be found out, and it signs with SHA-1"
	case "Basic256":
		return "it signs with SHA-1, which can be forged"
	}
	return ""
}

// settingsOf takes a device's URL and options apart. No error shows a secret.
func settingsOf(dev drivers.Device) (settings, error) {
	o := dev.Options
	s := settings{
		mode: ua.MessageSecurityModeSignAndEncrypt, user: o[optUser], password: o[optPassword], host: o[optServerName],
		secretFile: o[optPasswordFile], secretEnv: o[optPasswordEnv], userCert: o[optUserCert], userKey: o[optUserKey],
	}
	var list []error
	bad := func(format string, args ...any) {
		list = append(list, fmt.Errorf("device %s: %s", dev.ID, fmt.Sprintf(format, args...)))
	}
	u := dev.URL
	switch {
	case u == nil || u.Scheme != scheme || u.Hostname() == "":
		bad("it has no OPC UA URL; write %s://host:port/path", scheme)
		return s, errors.Join(list...)
	case u.User != nil:
		bad("the URL holds a user; set the options %s and %s instead", optUser, optPassword)
	}
	s.url = u.String()
	if s.host == "" {
		s.host = u.Hostname()
	}
	s.checkSecurity(o, u.Hostname(), bad)
	s.checkUser(bad)
	if pin := o[optPin]; pin != "" {
		s.pin = strings.ToLower(strings.ReplaceAll(pin, ":", ""))
		if b, err := hex.DecodeString(s.pin); err != nil || len(b) != 32 {
			bad("server_sha256 is not the SHA-256 of a certificate; write its 64 hex digits")
		}
	}
	if v := o[optAllowNone]; v != "" && v != "true" && v != "false" {
		bad("allow_none is %q; write true or false", v)
	}
	return s, errors.Join(list...)
}

func (s *settings) checkSecurity(o map[string]string, host string, bad func(string, ...any)) {
	switch security := o[optSecurity]; security {
	case "", "auto":
	case "none":
		s.none, s.mode = true, ua.MessageSecurityModeNone
		if !loopback(host) && o[optAllowNone] != "true" {
			bad("security none would send everything readable over the network; set security to %s, or allow_none to true", policies()[1])
		}
		if s.user != "" {
			// Even where the server's token policy encrypts it, nothing on a
			// channel without security vouches for the key it goes under.
			bad("security none would send the password readable, or under a key that nobody vouches for; set security to %s", policies()[1])
		}
		if s.userCert != "" {
			bad("security none cannot prove who the user is; set security to %s", policies()[1])
		}
	default:
		why := obsolete(security)
		switch {
		case why != "":
			bad("security %s is obsolete: %s; write auto, %s", security, why, strings.Join(policies(), ", "))
		case !slices.Contains(policies(), security):
			bad("security %q is not possible; write auto, %s or none", security, strings.Join(policies(), ", "))
		}
		s.policy = security
	}
	switch mode := o[optSecurityMode]; {
	case mode == "" || s.none:
	case mode == "sign":
		s.mode = ua.MessageSecurityModeSign
	case mode != "sign_and_encrypt":
		bad("security_mode is %q; write sign_and_encrypt or sign", mode)
	}
}

func (s *settings) checkUser(bad func(string, ...any)) {
	secrets := 0
	for _, v := range []string{s.password, s.secretFile, s.secretEnv} {
		if v != "" {
			secrets++
		}
	}
	if secrets > 1 {
		bad("more than one of %s, %s and %s is set; keep one", optPassword, optPasswordFile, optPasswordEnv)
	}
	if secrets > 0 && s.user == "" {
		bad("there is a password, but no user; set the option %s", optUser)
	}
	if (s.userCert == "") != (s.userKey == "") {
		bad("%s and %s go together; set both or none", optUserCert, optUserKey)
	}
	if s.user != "" && s.userCert != "" {
		bad("there is a user's name and a user's certificate; keep one")
	}
}

// maxSecret bounds a password's file.
const maxSecret = 4096

// secret returns the password. It is read at each connection, so that it can
// be changed without a restart.
func (s *settings) secret() (string, error) {
	switch {
	case s.secretFile != "":
		data, err := readBounded(s.secretFile)
		if err != nil {
			return "", fmt.Errorf("%s: %w", optPasswordFile, err)
		}
		if len(data) > maxSecret {
			return "", fmt.Errorf("%s: %s is longer than %d bytes; name a file that holds the password alone", optPasswordFile, s.secretFile, maxSecret)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	case s.secretEnv != "":
		v, ok := os.LookupEnv(s.secretEnv)
		if !ok {
			return "", fmt.Errorf("%s: the environment variable %s is not set; set it for the program", optPasswordEnv, s.secretEnv)
		}
		return v, nil
	}
	return s.password, nil
}

// userPair returns the X.509 user's certificate and key.
func (s *settings) userPair() (*x509.Certificate, *rsa.PrivateKey, error) {
	data, err := readBounded(s.userCert)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", optUserCert, err)
	}
	certs, _, err := parseTrustFile(s.userCert, data)
	if err != nil || len(certs) == 0 {
		return nil, nil, fmt.Errorf("%s: %s holds no certificate in DER or PEM; name the file that does", optUserCert, s.userCert)
	}
	key, err := readKey(s.userKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", optUserKey, err)
	}
	if !key.PublicKey.Equal(certs[0].PublicKey) {
		return nil, nil, fmt.Errorf("%s: %s does not belong to the certificate %s; name the right one", optUserKey, s.userKey, s.userCert)
	}
	return certs[0], key, nil
}

// loopback reports whether host is this machine by name or address, without
// asking a resolver.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
