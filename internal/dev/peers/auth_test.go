//go:build linux

package peers

import (
	"slices"
	"testing"

	"qmail/internal/auth/authproto"
	"qmail/internal/auth/sasl"
	"qmail/internal/auth/scram"
	"qmail/internal/dev/poll"
)

func TestDovecotSaysWhoMayLogIn(t *testing.T) {
	if !inside(t, "dovecot", "doveadm") {
		return
	}
	q := here(t)
	q.install("dovecot-auth.conf", "/run/dovecot.conf")
	q.sh("mkdir -p /run/dovecot /run/dovecot-state")
	q.sh(`{ printf 'joe@example.com:'; doveadm -c /run/dovecot.conf pw -s SCRAM-SHA-256 -p 'p w=1'; } >/run/dovecot.passwd
chmod 644 /run/dovecot.passwd`)
	q.daemon("root", "dovecot", "-F", "-c", "/run/dovecot.conf")
	var c *authproto.Client
	poll.Until(t, "Dovecot answers", func() (ok bool) {
		var err error
		c, err = authproto.Dial("/run/dovecot/auth-qmail")
		return err == nil
	}, func() string { return q.sh("cat /run/dovecot.log") })
	defer c.Close()
	mechanisms := c.Mechanisms()
	slices.Sort(mechanisms)
	if !slices.Equal(mechanisms, []string{"LOGIN", "PLAIN", "SCRAM-SHA-256"}) {
		t.Error(mechanisms)
	}
	try := func(mechanism, user, password string) authproto.Step {
		t.Helper()
		client, err := sasl.NewClient(mechanism, user, password, scram.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Begin(authproto.Request{Service: "smtp", Mechanism: mechanism, Secured: true, RemoteIP: "2001:db8::1",
			LocalIP: "192.0.2.1", Initial: client.Initial(), HasInitial: client.Initial() != nil})
		for err == nil && s.State == authproto.Continue {
			var answer []byte
			if answer, err = client.Next(s.Challenge); err == nil {
				s, err = c.Continue(answer)
			}
		}
		if err == nil && s.State == authproto.OK {
			err = client.Finish()
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", mechanism, err, q.sh("cat /run/dovecot.log"))
		}
		return s
	}
	for _, m := range mechanisms {
		if s := try(m, "joe@example.com", "p w=1"); s.State != authproto.OK || s.User != "joe@example.com" {
			t.Errorf("%s: %+v", m, s)
		}
		if m == scram.Plain {
			continue // our client sees for itself that a server has another password's proof
		}
		if s := try(m, "eve@example.com", "p w=1"); s.State != authproto.Fail || s.Temporary {
			t.Errorf("%s: a name that is not there: %+v", m, s)
		}
	}
	// A failure that is told later than it is known does not become the answer to the next request.
	s, err := c.Begin(authproto.Request{Service: "smtp", Mechanism: sasl.Login, Secured: true})
	if err != nil || s.State != authproto.Continue {
		t.Fatalf("%+v %v", s, err)
	}
	if err := c.Cancel(); err != nil {
		t.Fatal(err)
	}
	if s := try(sasl.Plain, "joe@example.com", "p w=1"); s.State != authproto.OK {
		t.Errorf("after one that was given up: %+v", s)
	}
	for _, bad := range []authproto.Request{{Mechanism: sasl.Plain, Initial: []byte("x"), HasInitial: true},
		{Mechanism: scram.Plain, Initial: []byte("n,,"), HasInitial: true}, {Mechanism: sasl.Plain, HasInitial: true}} {
		bad.Service, bad.Secured = "smtp", true
		if s, err := c.Begin(bad); err != nil || s.State != authproto.Fail {
			t.Errorf("%q: %+v %v", bad.Initial, s, err)
		}
	}
	if s := try(sasl.Plain, "joe@example.com", "p w=1"); s.State != authproto.OK {
		t.Errorf("after nonsense: %+v", s)
	}
}
