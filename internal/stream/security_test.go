package stream

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// operated is a NATS server whose users have credentials files, with TLS.
type operated struct {
	srv   *server.Server
	creds string // file of a user
	other string // file of a user of an account that the server does not know
	leaf  string // address for leaves
	ca    *authority
}

func key(t *testing.T, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return pair, public
}

func encoded(t *testing.T, token string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// credsFile makes an account and a file of one user of it.
func credsFile(t *testing.T, operator nkeys.KeyPair) (account, token, file string) {
	t.Helper()
	accountKey, account := key(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(account)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	token, err := claims.Encode(operator)
	token = encoded(t, token, err)
	userKey, user := key(t, nkeys.CreateUser)
	userToken, err := jwt.NewUserClaims(user).Encode(accountKey)
	seed, seedErr := userKey.Seed()
	if err := errors.Join(err, seedErr); err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(userToken, seed)
	if err != nil {
		t.Fatal(err)
	}
	return account, token, secret(t, string(creds))
}

func startOperated(t *testing.T) *operated {
	t.Helper()
	o := &operated{ca: newAuthority(t), leaf: freePort(t)}
	operatorKey, operator := key(t, nkeys.CreateOperator)
	accounts := &server.MemAccResolver{}
	account, token, creds := credsFile(t, operatorKey)
	_, system := key(t, nkeys.CreateAccount)
	systemToken, err := jwt.NewAccountClaims(system).Encode(operatorKey)
	if err := errors.Join(err, accounts.Store(account, token), accounts.Store(system, encoded(t, systemToken, err))); err != nil {
		t.Fatal(err)
	}
	o.creds = creds
	stranger, _ := key(t, nkeys.CreateOperator)
	_, _, o.other = credsFile(t, stranger)
	conf, err := o.ca.issue("server").serverConfig("test")
	if err != nil {
		t.Fatal(err)
	}
	o.srv, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		TrustedKeys: []string{operator}, SystemAccount: system, AccountResolver: accounts, TLS: true, TLSVerify: true, TLSConfig: conf,
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: portOf(t, o.leaf), TLSConfig: conf},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.srv.Start()
	if !o.srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start within 10 s")
	}
	t.Cleanup(func() { o.srv.Shutdown(); o.srv.WaitForShutdown() })
	return o
}

// TestCredentials connects by TLS with certificates at both ends and a
// credentials file, as a client and as a leaf, and says what is wrong.
func TestCredentials(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	at := o.srv.ClientURL()
	mine := o.ca.issue("gridwarden")
	hub := open(t, Config{URL: at, TLS: mine, Credentials: o.creds, Source: "control-room", Leaves: []string{"north"}})
	publish(t, hub, sample(10))

	north := &substation{name: "north", s: open(t, Config{Source: "north", MessageBytes: 1, Leaf: &Leaf{
		Hub: []string{"tls://" + o.leaf}, TLS: mine, Credentials: o.creds,
	}})}
	north.publish(t, 10)
	waitFor(t, "the leaf's readings at the hub", func() bool { return stored(t, hub) == 1+north.next })

	strange := newAuthority(t).issue("strange")
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no credentials":       {Config{URL: at, TLS: mine}, "does not let us in"},
		"another's":            {Config{URL: at, TLS: mine, Credentials: o.other}, "does not let us in: nats: Authorization Violation; check stream.credentials"},
		"another authority":    {Config{URL: at, TLS: TLS{CA: strange.CA, Cert: mine.Cert, Key: mine.Key}, Credentials: o.creds}, "certificate signed by unknown authority"},
		"no certificate":       {Config{URL: at, TLS: TLS{CA: mine.CA}, Credentials: o.creds}, "check stream.url and stream.tls"},
		"no such file":         {Config{URL: at, TLS: mine, Credentials: "/nowhere.creds"}, "stream.credentials: stat /nowhere.creds: no such file"},
		"no authority":         {Config{URL: at, TLS: TLS{CA: mine.Key}}, "holds no certificate; give the authority's certificate as PEM"},
		"key of another":       {Config{URL: at, TLS: TLS{CA: mine.CA, Cert: mine.Cert, Key: strange.Key}}, "give a PEM certificate and the key it was made for"},
		"certificate alone":    {Config{URL: at, TLS: TLS{Cert: mine.Cert}}, "stream.tls: cert and key go together"},
		"broken credentials":   {Config{URL: at, TLS: mine, Credentials: secret(t, "-----BEGIN NATS USER JWT-----\nx")}, "make it again, for example with: nsc generate creds"},
		"empty credentials":    {Config{URL: at, TLS: mine, Credentials: secret(t, "\n")}, "empty; write NAME:PASSWORD, or a NATS credentials file"},
		"a listener by itself": {Config{Dir: t.TempDir(), Listen: &Listen{Leaf: "127.0.0.1:0", TLS: TLS{CA: mine.CA}}}, "stream.listen.tls: a listener with TLS needs a certificate of its own"},
		"a hub's address":      {Config{Dir: t.TempDir(), Leaf: &Leaf{Hub: []string{"http://u:geheim@h"}}}, "stream.leaf.hub: http://u:xxxxx@h; write it as tls://hub.example:7422"},
		"open to all":          {Config{Dir: t.TempDir(), Listen: &Listen{Leaf: "0.0.0.0:7422"}}, "takes connections from everybody"},
		"port taken":           {Config{Dir: t.TempDir(), Listen: &Listen{Leaf: o.leaf}}, "address already in use"},
		"own leaf":             {Config{Dir: t.TempDir(), Leaves: []string{"local"}}, `"local" is this host's own source and in stream.leaves too`},
		"power elsewhere":      {Config{URL: at, Guarantee: SurvivesPower}, "sync_interval: always"},
		"host alone":           {Config{Dir: t.TempDir(), Guarantee: SurvivesHost}, "needs a cluster of three servers"},
		"some guarantee":       {Config{Dir: t.TempDir(), Guarantee: "gold"}, `guarantee "gold"; use process, power or host`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), tc.cfg)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant one that says %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Error("the error tells a password")
			}
		})
	}
}

// TestListenForClients lets a client of the users file in by TLS, and nobody
// else.
func TestListenForClients(t *testing.T) {
	ca, at := newAuthority(t), freePort(t)
	cert := ca.issue("gridwarden")
	s := open(t, Config{Listen: &Listen{Client: at, TLS: TLS{Cert: cert.Cert, Key: cert.Key}, UsersFile: usersFile(t, "operator")}})
	publish(t, s, sample(10))
	far := open(t, Config{URL: "tls://" + at, TLS: TLS{CA: ca.file}, Credentials: secret(t, "operator:"+passwordOf("operator"))})
	if n := backlog(t, far, "historian"); n != backlog(t, s, "historian") {
		t.Errorf("the client sees a backlog of %d", n)
	}
	far.Close()
	for _, login := range []string{"operator:of-another", "gridwarden itself:x"} {
		if s, err := Open(t.Context(), Config{URL: "tls://" + at, TLS: TLS{CA: ca.file}, Credentials: secret(t, login)}); err == nil {
			s.Close()
			t.Errorf("%s was let in", login)
		}
	}
}

func TestUsersFile(t *testing.T) {
	const hash = "$2a$04$BnhPlrzcPRpwVvVn0dwvLOVFVnkvKfg0wbOj.kOJtZRG2Q61dWBoS"
	for name, tc := range map[string]struct{ text, want string }{
		"two":         {"# who\n\nnorth:" + hash + "\n south:" + hash, ""},
		"no colon":    {"north\n", "users:1: no colon; write NAME:BCRYPT"},
		"plain":       {"north:" + hash + "\nsouth:geheim", "users:2: the password of \"south\" is not a bcrypt hash; make one, for example with: htpasswd -nB south"},
		"twice":       {"n:" + hash + "\nn:" + hash, "users:2: user \"n\" stands here twice"},
		"odd name":    {"n.x:" + hash, "users:1: user \"n.x\" has a '.'"},
		"nameless":    {":" + hash, "users:1: an empty user"},
		"nobody":      {"# nobody\n", "users: names nobody"},
		"endless":     {strings.Repeat("x", maxSecretFile+1), "users: bufio.Scanner: token too long"},
		"cut hash":    {"n:" + hash[:20], "not a bcrypt hash"},
		"other kinds": {"n:{SHA}xxxx", "not a bcrypt hash"},
	} {
		t.Run(name, func(t *testing.T) {
			accounts, err := parseUsers("users", []byte(tc.text))
			if tc.want == "" && (err != nil || len(accounts) != 2 || accounts[1].name != "south") {
				t.Errorf("%v, %v", accounts, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Error("the error tells a password")
			}
		})
	}
}

func FuzzUsersFile(f *testing.F) {
	f.Add([]byte("# leaves\nnorth:$2a$04$BnhPlrzcPRpwVvVn0dwvLOVFVnkvKfg0wbOj.kOJtZRG2Q61dWBoS\n"))
	f.Add([]byte("a:b\r\n:\n::\n\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		accounts, err := parseUsers("users", data)
		if err == nil && len(accounts) == 0 {
			t.Error("neither users nor an error")
		}
		for _, a := range accounts {
			if checkName("user", a.name) != nil || !strings.HasPrefix(a.hash, "$2") {
				t.Errorf("took %q", a)
			}
		}
	})
}

func FuzzCredentials(f *testing.F) {
	f.Add([]byte("north:secret\n"))
	f.Add([]byte(jwtMark + "\nx\n------END NATS USER JWT------\n"))
	file := filepath.Join(os.TempDir(), "x.creds")
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCredentials(file, data)
		if err == nil && c.file == "" && (c.name == "" || c.password == "") {
			t.Errorf("took %+v", c)
		}
	})
}
