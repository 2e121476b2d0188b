package stream

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Guarantee says what an acknowledged reading survives.
type Guarantee string

// Guarantees, mildest first.
const (
	// SurvivesProcess is the default: the death of any process at any moment.
	SurvivesProcess Guarantee = "process"
	// SurvivesPower writes through to the disk before anything is
	// acknowledged. One batch of PowerBatchBytes costs as much as one of a
	// single reading, so gather readings before they are published.
	SurvivesPower Guarantee = "power"
	// SurvivesHost keeps each message on replicas of three servers of an
	// external cluster.
	SurvivesHost Guarantee = "host"
)

const (
	// PowerBatchBytes is the size of a batch at which writing through costs
	// little: encoded, about 3,000 readings.
	PowerBatchBytes = 64 << 10

	hostReplicas = 3
)

// Words is the guarantee in one sentence, for people who run the program.
func (g Guarantee) Words() string {
	switch g {
	case SurvivesPower:
		return "an acknowledged reading survives the death of any process and the loss of power: the disk has it before it is acknowledged; it does not survive the loss of the disk"
	case SurvivesHost:
		return "an acknowledged reading survives the loss of any one of the three hosts that keep it, with its disk"
	default:
		return "an acknowledged reading survives the death of any process; the loss of power may take the readings of the last two minutes"
	}
}

// TLS names PEM files of our end of a connection.
type TLS struct {
	CA   string // authorities of the other end; the system's where empty
	Cert string // our own certificate, with its chain
	Key  string // and its key
}

// Leaf joins the embedded server of a substation to the hub's servers. The
// hub takes the readings over when the link allows it; nothing here waits for
// it. The leaf's JetStream domain is Config.Source.
type Leaf struct {
	// Hub are addresses of the hub: tls://host:7422 or nats-leaf://host:7422.
	// A name and password may stand before the host; a credentials file is
	// better kept.
	Hub         []string
	Credentials string // NATS credentials file
	TLS         TLS
}

// Listen has the embedded server take connections.
type Listen struct {
	Leaf   string // host:port for leaf nodes; none where empty
	Client string // host:port for NATS clients; none where empty
	TLS    TLS    // with CA, the other end needs a certificate of it
	// UsersFile holds lines of NAME:BCRYPT. Everybody may connect where it
	// is empty, which is refused for addresses other than loopback unless
	// TLS.CA is set.
	UsersFile string
}

func (c Config) embedded() bool { return c.URL == "" }

// domain is the JetStream domain of the embedded server, by which leaf nodes
// and their hub tell each other's streams apart; none where it stands alone.
func (c Config) domain() string {
	if c.Leaf != nil || c.Listen != nil && c.Listen.Leaf != "" {
		return c.Source
	}
	return ""
}

func (c Config) withGuarantee() Config {
	if c.Guarantee == "" {
		c.Guarantee = SurvivesProcess
	}
	switch c.Guarantee {
	case SurvivesPower:
		c.SyncAlways = true
	case SurvivesHost:
		c.Replicas = max(c.Replicas, hostReplicas)
	}
	return c
}

// validateDeployment refuses settings that contradict each other.
func (c Config) validateDeployment() error {
	switch {
	case !slices.Contains([]Guarantee{SurvivesProcess, SurvivesPower, SurvivesHost}, c.Guarantee):
		return fmt.Errorf("stream: guarantee %q; use process, power or host", c.Guarantee)
	case c.Guarantee == SurvivesHost && c.embedded():
		return errors.New("stream: guarantee host needs a cluster of three servers; name one in stream.url")
	case c.Guarantee == SurvivesPower && !c.embedded():
		return errors.New("stream: guarantee power is a setting of the external server itself; set sync_interval: always in its jetstream block, and stream.guarantee to process or host")
	case !c.embedded() && (c.Leaf != nil || c.Listen != nil):
		return errors.New("stream: leaf and listen are settings of the embedded server, which stream.url replaces; give one or the other")
	case c.Leaf != nil && len(c.Leaf.Hub) == 0:
		return errors.New("stream: stream.leaf.hub names no address; write one such as tls://hub.example:7422")
	}
	for _, name := range c.Leaves {
		if err := checkName("leaf", name); err != nil {
			return err
		}
		if name == c.Source {
			return fmt.Errorf("stream: %q is this host's own source and in stream.leaves too; leave it out there, or name this host otherwise in stream.source", name)
		}
	}
	if l := c.Listen; l != nil {
		for path, at := range map[string]string{"stream.listen.leaf": l.Leaf, "stream.listen.client": l.Client} {
			if err := l.check(path, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l Listen) check(path, at string) error {
	if at == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return fmt.Errorf("stream: %s: %q is not host:port; write it as 0.0.0.0:7422", path, at)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	if l.UsersFile == "" && l.TLS.CA == "" {
		return fmt.Errorf("stream: %s: %s takes connections from everybody; give users_file or tls.ca, or listen on 127.0.0.1", path, at)
	}
	return nil
}

func checkName(what, name string) error {
	if name == "" {
		return fmt.Errorf("stream: an empty %s; use letters, digits, - and _", what)
	}
	if i := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}); i >= 0 {
		return fmt.Errorf("stream: %s %q has a %q; use letters, digits, - and _", what, name, []rune(name[i:])[0])
	}
	return nil
}
