package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
)

// Guarantees of the stream, mildest first: what an acknowledged reading survives.
const (
	SurvivesProcess = "process" // the death of any process
	SurvivesPower   = "power"   // the loss of power of the one host
	SurvivesHost    = "host"    // the loss of a host with its disk
)

// Stream says where readings and what is made of them wait between the stages.
type Stream struct {
	URL         string   `yaml:"url"`         // an external NATS server or cluster, joined by commas; embedded where empty
	Credentials string   `yaml:"credentials"` // NATS credentials file
	TLS         TLS      `yaml:"tls"`         // towards url
	Source      string   `yaml:"source"`      // this site's name in subjects; local where empty
	Guarantee   string   `yaml:"guarantee"`   // process, power or host
	Leaf        *Leaf    `yaml:"leaf"`        // the embedded server joins a hub as a leaf node
	Listen      *Listen  `yaml:"listen"`      // the embedded server takes connections
	Leaves      []string `yaml:"leaves"`      // at the hub: sources of leaf nodes whose readings are taken over
	Retention   Limits   `yaml:"retention"`   // of readings; the other streams keep a tenth of the bytes
}

// TLS names files of one end of a connection.
type TLS struct {
	CA   string `yaml:"ca"`   // authorities of the other end; the system's where empty
	Cert string `yaml:"cert"` // our own certificate and key
	Key  string `yaml:"key"`
}

// Leaf joins the embedded server of a substation to the hub's servers.
type Leaf struct {
	Hub         []string `yaml:"hub"` // nats-leaf://host:7422 or tls://host:7422
	Credentials string   `yaml:"credentials"`
	TLS         TLS      `yaml:"tls"`
}

// Listen has the embedded server take connections: leaf nodes and, where
// named, clients.
type Listen struct {
	Leaf   string `yaml:"leaf"`   // host:port
	Client string `yaml:"client"` // host:port
	TLS    TLS    `yaml:"tls"`    // cert and key; with ca clients need a certificate of it
	// UsersFile holds lines of NAME:BCRYPT; everybody may connect where empty,
	// which is refused for addresses other than loopback.
	UsersFile string `yaml:"users_file"`
}

// Limits of what a stream keeps: the oldest goes first.
type Limits struct {
	MaxAge   time.Duration `yaml:"max_age"`
	MaxBytes int64         `yaml:"max_bytes"`
}

// Database holds records, curves, results and cases.
type Database struct {
	URL          string `yaml:"url"` // postgres://user@host/name; SQLite in data_dir where empty
	PasswordFile string `yaml:"password_file"`
}

// Cluster lets several hosts share devices and detection work.
type Cluster struct {
	Host       string        `yaml:"host"`       // this host's name, unlike all others; no cluster where empty
	Partitions int           `yaml:"partitions"` // parts that the devices are dealt out in; the same at all hosts
	Lease      time.Duration `yaml:"lease"`      // a host that is silent for so long has lost its devices
}

// Curves says how polled readings become meter-days.
type Curves struct {
	Interval time.Duration `yaml:"interval"` // 5m, 15m, 30m or 1h
	Grace    time.Duration `yaml:"grace"`    // after midnight, until a day closes
	MaxLate  time.Duration `yaml:"max_late"` // readings that come later than so do not reopen their day
}

func defaultStream() Stream {
	return Stream{Source: "local", Guarantee: SurvivesProcess, Retention: Limits{MaxAge: 7 * 24 * time.Hour, MaxBytes: 8 << 30}}
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

const needsName = "%q; use 1 to 64 letters, digits, - and _"

func (c *Config) checkScale(doc *strictyaml.Document) {
	c.checkStream(doc)
	if raw := c.Database.URL; raw != "" {
		u, err := url.Parse(raw)
		switch {
		case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "":
			doc.Add("$.database.url", "not a PostgreSQL address; write it as postgres://user@host:5432/name")
		case hasPassword(u):
			doc.Add("$.database.url", "holds a password; put it into a file and name that in password_file")
		}
	}
	if c.Cluster.Host != "" {
		if !name.MatchString(c.Cluster.Host) {
			doc.Add("$.cluster.host", needsName, c.Cluster.Host)
		}
		if c.Stream.URL == "" || c.Database.URL == "" {
			doc.Add("$.cluster.host", "hosts share devices through an external NATS cluster and PostgreSQL; give stream.url and database.url too")
		}
	}
	if c.Cluster.Partitions < 1 || c.Cluster.Partitions > 1024 {
		doc.Add("$.cluster.partitions", "%d; give 1 to 1024", c.Cluster.Partitions)
	}
	if c.Cluster.Lease < 2*time.Second || c.Cluster.Lease > time.Minute {
		doc.Add("$.cluster.lease", "%v; give 2s to 1m", c.Cluster.Lease)
	}
	if !slices.Contains([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}, c.Curves.Interval) {
		doc.Add("$.curves.interval", "%v; give 5m, 15m, 30m or 1h", c.Curves.Interval)
	}
	if c.Curves.Grace < 0 || c.Curves.Grace > 12*time.Hour {
		doc.Add("$.curves.grace", "%v; give 0s to 12h", c.Curves.Grace)
	}
	if c.Curves.MaxLate < time.Hour || c.Curves.MaxLate > 90*24*time.Hour {
		doc.Add("$.curves.max_late", "%v; give 1h to 2160h", c.Curves.MaxLate)
	}
}

func hasPassword(u *url.URL) bool {
	_, set := u.User.Password()
	return set
}

func (c *Config) checkStream(doc *strictyaml.Document) {
	s := &c.Stream
	if !name.MatchString(s.Source) {
		doc.Add("$.stream.source", needsName, s.Source)
	}
	for i, leaf := range s.Leaves {
		if !name.MatchString(leaf) {
			doc.Add(fmt.Sprintf("$.stream.leaves[%d]", i), needsName, leaf)
		}
	}
	switch {
	case !slices.Contains([]string{SurvivesProcess, SurvivesPower, SurvivesHost}, s.Guarantee):
		doc.Add("$.stream.guarantee", "%q; give process, power or host", s.Guarantee)
	case s.Guarantee == SurvivesHost && s.URL == "":
		doc.Add("$.stream.guarantee", "host needs three servers; name a cluster in url")
	case s.Guarantee == SurvivesPower && s.URL != "":
		doc.Add("$.stream.guarantee", "power is a setting of an external server itself (sync_interval: always in its configuration); set that there, and give process or host here")
	}
	if s.Retention.MaxAge < time.Hour {
		doc.Add("$.stream.retention.max_age", "%v; give at least 1h", s.Retention.MaxAge)
	}
	if s.Retention.MaxBytes < 64<<20 {
		doc.Add("$.stream.retention.max_bytes", "%d; give at least %d", s.Retention.MaxBytes, 64<<20)
	}
	if s.URL != "" && (s.Leaf != nil || s.Listen != nil) {
		doc.Add("$.stream", "leaf and listen are about the embedded server, which url replaces; give one or the other")
	}
	if s.Leaf != nil && len(s.Leaf.Hub) == 0 {
		doc.Add("$.stream.leaf.hub", "no address; write one such as tls://hub.example:7422")
	}
	for path, t := range map[string]*TLS{"$.stream.tls": &s.TLS, "$.stream.leaf.tls": leafTLS(s.Leaf), "$.stream.listen.tls": listenTLS(s.Listen)} {
		if t != nil && (t.Cert == "") != (t.Key == "") {
			doc.Add(path, "cert and key go together; give both or none")
		}
	}
	if l := s.Listen; l != nil {
		for path, at := range map[string]string{"$.stream.listen.leaf": l.Leaf, "$.stream.listen.client": l.Client} {
			if host, _, err := net.SplitHostPort(at); at != "" && err != nil {
				doc.Add(path, "%q is not host:port; write it as 0.0.0.0:7422", at)
			} else if at != "" && l.UsersFile == "" && l.TLS.CA == "" && !loopback(host) {
				doc.Add(path, "%s takes connections from everybody; give users_file or tls.ca, or listen on 127.0.0.1", at)
			}
		}
	}
}

func leafTLS(l *Leaf) *TLS {
	if l == nil {
		return nil
	}
	return &l.TLS
}

func listenTLS(l *Listen) *TLS {
	if l == nil {
		return nil
	}
	return &l.TLS
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// scalePaths are the paths of files in these sections.
func (c *Config) scalePaths() []*string {
	s := &c.Stream
	paths := []*string{&s.Credentials, &s.TLS.CA, &s.TLS.Cert, &s.TLS.Key, &c.Database.PasswordFile}
	if l := s.Leaf; l != nil {
		paths = append(paths, &l.Credentials, &l.TLS.CA, &l.TLS.Cert, &l.TLS.Key)
	}
	if l := s.Listen; l != nil {
		paths = append(paths, &l.UsersFile, &l.TLS.CA, &l.TLS.Cert, &l.TLS.Key)
	}
	return paths
}
