package opcua

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
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
	optUser         = "user"
	optPassword     = "password"
	optServerName   = "server_name" // host name that the server's certificate must have, the URL's where empty
)

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

	// Identity is the client's certificate and key; made anew for each Driver
	// where nil.
	Identity *Identity
	// Trust decides on a server's certificate where the device does not pin
	// one. Where it is nil, such servers are refused.
	Trust func(endpoint string, cert *x509.Certificate) error
	// Now is the clock of backoffs; time.Now where nil.
	Now func() time.Time
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Timeout, 2 * time.Second}, {&o.Connect, 5 * time.Second},
		{&o.MinBackoff, 250 * time.Millisecond}, {&o.MaxBackoff, 15 * time.Second}, {&o.Watchdog, 4 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// settings is what a device says about its endpoint. Devices with equal
// settings share a session, so it must stay comparable.
type settings struct {
	url      string
	none     bool
	policy   string // name of the policy, "" for the best that the server offers
	mode     ua.MessageSecurityMode
	pin      string // lower-case hex, "" for Options.Trust
	user     string
	password string
}

// Policies that may be used, best first. Basic128Rsa15 and Basic256 are
// obsolete (OPC 10000-7, 6.6.162 and 6.6.163) and never used.
func policies() []string {
	return []string{"Aes256_Sha256_RsaPss", "Basic256Sha256", "Aes128_Sha256_RsaOaep"}
}

// settingsOf takes a device's URL and options apart.
func settingsOf(dev drivers.Device) (settings, error) {
	s := settings{mode: ua.MessageSecurityModeSignAndEncrypt, user: dev.Options[optUser], password: dev.Options[optPassword]}
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
	switch security := dev.Options[optSecurity]; security {
	case "", "auto":
	case "none":
		s.none, s.mode = true, ua.MessageSecurityModeNone
		if !loopback(u.Hostname()) && dev.Options[optAllowNone] != "true" {
			bad("security none would send everything readable over the network; set security to %s, or allow_none to true", policies()[1])
		}
		if s.user != "" {
			bad("security none would send the password readable; set security to %s", policies()[1])
		}
	default:
		known := false
		for _, p := range policies() {
			known = known || security == p
		}
		if !known {
			bad("security %q is not possible; write auto, %s or none", security, strings.Join(policies(), ", "))
		}
		s.policy = security
	}
	switch mode := dev.Options[optSecurityMode]; {
	case mode == "" || s.none:
	case mode == "sign":
		s.mode = ua.MessageSecurityModeSign
	case mode != "sign_and_encrypt":
		bad("security_mode is %q; write sign_and_encrypt or sign", mode)
	}
	if pin := dev.Options[optPin]; pin != "" {
		s.pin = strings.ToLower(strings.ReplaceAll(pin, ":", ""))
		if b, err := hex.DecodeString(s.pin); err != nil || len(b) != 32 {
			bad("server_sha256 is not the SHA-256 of a certificate; write its 64 hex digits")
		}
	}
	if v := dev.Options[optAllowNone]; v != "" && v != "true" && v != "false" {
		bad("allow_none is %q; write true or false", v)
	}
	return s, errors.Join(list...)
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
