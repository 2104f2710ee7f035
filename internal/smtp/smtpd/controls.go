package smtpd

import (
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/site/rcpthosts"
	"qmail/internal/text/environ"
	"qmail/internal/text/tcpenv"
)

// maxTimeout bounds what control/timeoutsmtpd may say.
const maxTimeout = 7 * 24 * 60 * 60

// controls are the control files and the environment of one session; see qmail-smtpd(8).
type controls struct {
	greeting    string
	localIPHost string // empty: address literals stay as they are
	timeout     time.Duration
	dataBytes   int64 // 0: no limit
	limit       control.RecipientLimit
	badMailFrom control.Set
	extensions  control.Set
	pace        pace
	filter      string // what mail of strangers goes through; empty: nothing
	userFilter  string // what that of others does
	hosts       *rcpthosts.Hosts
	relay       string
	relayClient bool
	peer        tcpenv.Conn
	smtps       bool // TLS begins with the connection
	forceTLS    bool // nothing is done without it
	// Of a server that is not only for users:
	clearLogin bool // a login needs no TLS
	noLogin    bool // there is none
	mustLogIn  bool // nobody sends without one
	ownSender  bool // who has logged in sends as who that is
}

// readControls reads them; ok is false when one cannot be read.
func readControls(dir control.Dir, env []string) (c controls, ok bool) {
	var err error
	var me control.Me
	if c.greeting, ok, err = me.Text(dir, "smtpgreeting"); !ok || err != nil {
		return c, false
	}
	if c.localIPHost, ok, err = me.Text(dir, "localiphost"); err != nil {
		return c, false
	}
	if !ok {
		c.localIPHost = ""
	}
	seconds, err := dir.Int("timeoutsmtpd")
	if err != nil {
		return c, false
	}
	c.timeout = time.Duration(min(max(seconds, 1), maxTimeout)) * time.Second
	n, err := dir.Int("databytes")
	if err != nil {
		return c, false
	}
	c.dataBytes = tcpenv.DataBytes(env, n)
	if c.limit, err = dir.StrangersRecipients(); err != nil {
		return c, false
	}
	if c.pace, err = readPace(dir, env); err != nil {
		return c, false
	}
	bad, _, err := dir.List("badmailfrom")
	if err != nil {
		return c, false
	}
	c.badMailFrom = control.NewSet(bad)
	words, _, err := dir.List("extensions")
	if err != nil {
		return c, false
	}
	c.extensions = control.NewSet(words)
	if c.hosts, err = rcpthosts.Open(dir); err != nil {
		return c, false
	}
	filters, err := dir.Filters()
	if err != nil {
		return c, false
	}
	c.filter, c.userFilter = filters.After("", false), filters.After("", true)
	c.relay, c.relayClient = environ.Get(env, "RELAYCLIENT")
	c.peer = tcpenv.Read(env)
	_, c.smtps = environ.Get(env, "SMTPS")
	force, set := environ.Get(env, "FORCETLS")
	c.forceTLS, c.clearLogin = set && force != "0", force == "0"
	auth, _ := environ.Get(env, "SMTPAUTH")
	_, required := environ.Get(env, "REQUIREAUTH")
	c.noLogin, c.mustLogIn = auth == "-", required || strings.HasPrefix(auth, "!")
	_, c.ownSender = environ.Get(env, "FORCEAUTHMAILFROM")
	return c, true
}

// barred reports whether control/badmailfrom lists the sender, or its host behind an @.
func (c *controls) barred(sender string) bool {
	if len(c.badMailFrom) == 0 {
		return false
	}
	if c.badMailFrom.Has(sender) {
		return true
	}
	at := strings.LastIndexByte(sender, '@')
	return at >= 0 && c.badMailFrom.Has(sender[at:])
}
