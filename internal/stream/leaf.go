package stream

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// linkPing is how often both ends of a leaf's link look whether the other is
// there; after three silences a link that the network forgot is made anew.
const linkPing = 15 * time.Second

// ownSubjects are the subjects of all streams. None of them may pass a leaf's
// link as it is: both ends have streams for them, and would store a message
// twice. The hub takes messages over from the leaf's stream instead, in order
// and each once.
func ownSubjects() []string {
	out := []string{claimsPrefix + ">"}
	for _, t := range Topics() {
		out = append(out, t.prefix()+">")
	}
	return out
}

// domainAPI is the JetStream API of another domain.
func domainAPI(domain string) string { return "$JS." + domain + ".API" }

// deliveryPrefix is what the readings of a leaf are sent to the hub under.
func deliveryPrefix(leaf string) string { return "leaf." + leaf }

// sources has the hub's stream of readings take those of the leaves over.
func (c Config) sources() []*jetstream.StreamSource {
	var out []*jetstream.StreamSource
	for _, leaf := range c.Leaves {
		out = append(out, &jetstream.StreamSource{
			Name:          string(Readings),
			FilterSubject: readingsPrefix + leaf + ".>", // a leaf speaks for itself alone
			External:      &jetstream.ExternalStream{APIPrefix: domainAPI(leaf), DeliverPrefix: deliveryPrefix(leaf)},
		})
	}
	return out
}

// user is what somebody of the users file may do. A leaf may do only what the
// taking over of its readings needs, everybody else is a client and may do
// anything.
func (c Config) user(a account) *server.User {
	u := &server.User{Username: a.name, Password: a.hash}
	if !slices.Contains(c.Leaves, a.name) {
		u.AllowedConnectionTypes = map[string]struct{}{"STANDARD": {}}
		return u
	}
	u.AllowedConnectionTypes = map[string]struct{}{"LEAFNODE": {}}
	u.Permissions = &server.Permissions{
		// Answers to the hub's requests, readings, and what keeps their pace.
		Publish: &server.SubjectPermission{Allow: []string{"$JSC.R.>", deliveryPrefix(a.name) + ".>"}},
		// The hub's requests and its answers to what keeps the pace.
		Subscribe: &server.SubjectPermission{Allow: []string{domainAPI(a.name) + ".>", "$JS.FC." + string(Readings) + ".>"}},
	}
	return u
}

// leafOptions has the server join the hub.
func leafOptions(cfg Config, opts *server.Options) error {
	leaf := cfg.Leaf
	remote := &server.RemoteLeafOpts{DenyExports: ownSubjects(), DenyImports: append(ownSubjects(), notForTheHub(cfg.Source)...)}
	secure := leaf.TLS != (TLS{})
	var creds credentials
	if leaf.Credentials != "" {
		var err error
		if creds, err = readCredentials("stream.leaf.credentials", leaf.Credentials); err != nil {
			return err
		}
		remote.Credentials = creds.file
	}
	for _, at := range leaf.Hub {
		u, err := parseHub(at)
		if err != nil {
			return err
		}
		secure = secure || u.Scheme == "tls"
		if creds.name != "" {
			u.User = url.UserPassword(creds.name, creds.password)
		}
		remote.URLs = append(remote.URLs, u)
	}
	if secure {
		conf, err := leaf.TLS.clientConfig("stream.leaf.tls")
		if err != nil {
			return err
		}
		remote.TLS, remote.TLSConfig, remote.TLSTimeout = true, conf, tlsTimeout.Seconds()
	}
	opts.LeafNode.Remotes = []*server.RemoteLeafOpts{remote}
	opts.PingInterval = linkPing
	return nil
}

// tlsTimeout bounds a handshake; links of substations may be slow.
const tlsTimeout = 10 * time.Second

// notForTheHub are requests by which a hub could harm what the leaf holds.
func notForTheHub(source string) []string {
	var out []string
	for _, request := range []string{
		"STREAM.CREATE.>", "STREAM.UPDATE.>", "STREAM.DELETE.>", "STREAM.PURGE.>", "STREAM.RESTORE.>", "STREAM.SNAPSHOT.>",
		"STREAM.MSG.>", "DIRECT.>", "CONSUMER.DELETE.>", "CONSUMER.DURABLE.>", "CONSUMER.MSG.>", "CONSUMER.PAUSE.>", "CONSUMER.UNPIN.>", "CONSUMER.RESET.>",
	} {
		out = append(out, domainAPI(source)+"."+request)
	}
	return out
}

func parseHub(at string) (*url.URL, error) {
	u, err := url.Parse(at)
	if err != nil {
		// The error of url.Parse repeats the address with its password.
		return nil, errors.New("stream: stream.leaf.hub: an address cannot be read; write it as tls://hub.example:7422")
	}
	if !slices.Contains([]string{"tls", "nats-leaf", "nats", "ws", "wss"}, u.Scheme) || u.Hostname() == "" {
		return nil, fmt.Errorf("stream: stream.leaf.hub: %s; write it as tls://hub.example:7422", u.Redacted())
	}
	return u, nil
}
