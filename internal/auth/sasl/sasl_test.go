package sasl

import (
	"strings"
	"testing"

	"qmail/internal/auth/password"
	"qmail/internal/auth/scram"
)

func TestAServerReadsWhatAClientSays(t *testing.T) {
	const user, secret = "j=o,e@example.com", "p w=\xc3\xa4"
	c, err := NewClient(Plain, user, secret, scram.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	if u, p, err := password.ReadPlain(c.Initial()); u != user || string(p) != secret || err != nil {
		t.Errorf("%q %q %v", u, p, err)
	}
	if c.Finish() != nil {
		t.Error("PLAIN has no more to do")
	}
	c, err = NewClient(Login, user, secret, scram.Binding{})
	if err != nil || c.Initial() != nil {
		t.Fatal(err)
	}
	name, err1 := c.Next([]byte("Username:"))
	word, err2 := c.Next([]byte("Password:"))
	u, p, err := password.ReadLogin(name, word)
	if u != user || string(p) != secret || err != nil || err1 != nil || err2 != nil {
		t.Errorf("%q %q %v", u, p, err)
	}
	if _, err := c.Next(nil); err != ErrMessage || c.Finish() != nil {
		t.Error("LOGIN has a third answer")
	}
	for mechanism, read := range map[string]func([]byte) (string, []byte, error){OAuthBearer: ReadBearer,
		XOAuth2: ReadXOAuth2} {
		c, err = NewClient(mechanism, user, "ya29.token~", scram.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		if u, p, err := read(c.Initial()); u != user || string(p) != "ya29.token~" || err != nil || c.Finish() != nil {
			t.Errorf("%s: %q %q %v", mechanism, u, p, err)
		}
		if _, err := c.Next([]byte(`{"status":"401"}`)); err != nil || c.Finish() != ErrServer {
			t.Errorf("%s: a server that says why it refuses has let us in", mechanism)
		}
	}
}

func TestAClientIsNotLetInByAServerThatProvesNothing(t *testing.T) {
	k, _ := scram.NewKey([]byte("pw"))
	exporter := []byte("exporter")
	for _, b := range []scram.Binding{{}, {Exporter: exporter, Offered: true}} {
		mechanism := scram.Plain
		if b.Offered {
			mechanism = scram.Plus
		}
		c, err := NewClient(mechanism, "joe", "pw", b)
		if err != nil {
			t.Fatal(err)
		}
		f, err := scram.ReadFirst(c.Initial(), b.Offered, b.Offered)
		if err != nil {
			t.Fatal(err)
		}
		s, challenge := scram.NewServer(f, k, exporter)
		final, err := c.Next(challenge)
		if err != nil || c.Finish() != ErrServer {
			t.Errorf("%v", err)
		}
		verdict, err := s.Final(final)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(verdict); err != nil || c.Finish() != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestNoClientIsMadeThatCouldSayMoreThanItShould(t *testing.T) {
	for _, c := range [][3]string{{"CRAM-MD5", "joe", "pw"}, {Plain, "jo\x00e", "pw"}, {Plain, "joe", "p\x00w"}, {Login,
		"", "pw"},
		{XOAuth2, "joe\x01", "pw"}, {OAuthBearer, "joe", "a\x01b"}, {scram.Plus, "joe", "pw"}, {Login, "joe",
			strings.Repeat("x", maxToken+1)}} {
		if _, err := NewClient(c[0], c[1], c[2], scram.Binding{}); err == nil {
			t.Errorf("%q", c)
		}
	}
}

func TestAServerReadsNoBadMessage(t *testing.T) {
	for _, m := range []string{"", "n,a=joe,", "n,,\x01auth=Bearer x\x01\x01", "n,a=joe,\x01auth=Bearer x\x01",
		"n,a=joe,\x01auth=Basic x\x01\x01",
		"n,a=joe,\x01host=x\x01\x01", "n,a=joe,\x01auth=Bearer \x01\x01", "n,a=joe,\x01auth=Bearer a b\x01\x01",
		"n,a=j=e,\x01auth=Bearer x\x01\x01",
		"p=x,a=joe,\x01auth=Bearer x\x01\x01", "n,a=joe,\x01auth=Bearer x\x01\x01y",
		"n,a=joe,\x01auth=Bearer x\x01auth=Bearer y\x01\x01"} {
		if u, _, err := ReadBearer([]byte(m)); err == nil {
			t.Errorf("%q: %q", m, u)
		}
	}
	const long = "n,a=joe@example.com,\x01host=h\x01port=587\x01auth=bearer vF9dft4qmT\x01\x01"
	if u, tok, err := ReadBearer([]byte(long)); u != "joe@example.com" || string(tok) != "vF9dft4qmT" || err != nil {
		t.Error(u, tok, err)
	}
	for _, m := range []string{"", "user=joe", "user=\x01auth=Bearer x\x01\x01", "joe\x01auth=Bearer x\x01\x01",
		"user=joe\x01\x01"} {
		if u, _, err := ReadXOAuth2([]byte(m)); err == nil {
			t.Errorf("%q: %q", m, u)
		}
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte("n,a=joe@example.com,\x01host=h\x01auth=Bearer vF9dft4qmT\x01\x01"))
	f.Add([]byte("user=joe\x01auth=Bearer x\x01\x01"))
	f.Fuzz(func(t *testing.T, m []byte) {
		for what, read := range map[string]func([]byte) (string, []byte, error){
			"bearer": ReadBearer, "xoauth2": ReadXOAuth2,
		} {
			if u, p, err := read(m); err == nil && (!password.Sound(u, password.MaxName) || !password.Sound(p, maxToken)) {
				t.Errorf("%s %q: %q %q", what, m, u, p)
			}
		}
	})
}
