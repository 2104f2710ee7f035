package scram

import (
	"bytes"
	"strings"
	"testing"

	oracle "github.com/xdg-go/scram"

	"qmail/internal/auth/password"
)

// The example of RFC 7677, section 3.
const (
	rfcClientNonce = "rOprNGfwEbeRWgbNEkqO"
	rfcServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	rfcFirst       = "n,,n=user,r=" + rfcClientNonce
	rfcChallenge   = "r=" + rfcClientNonce + rfcServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcFinal       = "c=biws,r=" + rfcClientNonce + rfcServerNonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcVerdict     = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func rfcKey(t *testing.T) Key {
	t.Helper()
	salt, err := unbase64([]byte("W22ZaJ0SNY7soEsUEjb6gQ=="))
	if err != nil {
		t.Fatal(err)
	}
	k, err := makeKey([]byte("pencil"), salt, Iterations)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBothSidesSayWhatTheExampleOfTheRFCSays(t *testing.T) {
	c, err := newClient("user", "pencil", Binding{}, rfcClientNonce)
	if err != nil || string(c.First()) != rfcFirst || c.Mechanism() != Plain {
		t.Fatalf("%s %v", c.First(), err)
	}
	f, err := ReadFirst([]byte(rfcFirst), false, true)
	if err != nil || f.User != "user" {
		t.Fatal(f, err)
	}
	s, challenge := newServer(f, rfcKey(t), nil, rfcServerNonce)
	if string(challenge) != rfcChallenge {
		t.Fatalf("%s", challenge)
	}
	final, err := c.Final(challenge)
	if err != nil || string(final) != rfcFinal {
		t.Fatalf("%s %v", final, err)
	}
	verdict, err := s.Final(final)
	if err != nil || string(verdict) != rfcVerdict {
		t.Fatalf("%s %v", verdict, err)
	}
	if err := c.Verify(verdict); err != nil {
		t.Error(err)
	}
}

func TestAnEntryIsReadAsItIsWrittenAndAnswersForThePassword(t *testing.T) {
	for _, p := range []string{"pencil", "p=n,c:i$l", "p\xc3\xa4ss \xff", strings.Repeat("x", password.Max)} {
		k, err := NewKey([]byte(p))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse([]byte(k.String()))
		if err != nil || again.String() != k.String() {
			t.Errorf("%s %v", k, err)
		}
		if !again.Check([]byte(p)) || again.Check([]byte(p+"x")) || again.Check(nil) {
			t.Errorf("%q is not what its entry is of", p)
		}
		if other, _ := NewKey([]byte(p)); other.String() == k.String() {
			t.Error("two keys have one salt")
		}
	}
	for _, p := range []string{"", "a\nb", "a\x00", "\x7f", strings.Repeat("x", password.Max+1)} {
		if _, err := NewKey([]byte(p)); err == nil {
			t.Errorf("%q is a password", p)
		}
	}
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	good := rfcKey(t).String()
	change := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, e := range []string{"", "pencil", "{PLAIN}pencil", change("SHA-256", "SHA-1"), change("4096", "4095"),
		change("4096", "+4096"),
		change("4096", "04096"), change("4096", "1048577"), change("4096", "99999999999999999999"), change("4096", ""),
		change("W22", "!22"), change("W22ZaJ0SNY7soEsUEjb6gQ==", ""), change("W22", "W\n22"), good + "=", good + "\n",
		good + ":",
		good[:len(good)-4], change("==$", "=="), change("gQ==", "gR==")} {
		if k, err := Parse([]byte(e)); err == nil {
			t.Errorf("%q: %v", e, k)
		}
	}
}

func TestANameThatIsNotThereIsAnsweredAlikeEachTime(t *testing.T) {
	secret := []byte("secret")
	a, b := Unknown(secret, "joe"), Unknown(secret, "joe")
	if a.String() != b.String() {
		t.Error("the salt of a name that is not there changes")
	}
	if a.String() == Unknown(secret, "jo").String() || a.String() == Unknown([]byte("other"), "joe").String() {
		t.Error("names that are not there have one salt")
	}
	k, err := NewKey([]byte("x"))
	if err != nil || len(a.salt) != len(k.salt) || a.iterations != k.iterations || len(a.String()) != len(k.String()) {
		t.Error("it looks different")
	}
}

// exchange has a client log in; what stands between the two may change what they say.
func exchange(t *testing.T, k Key, password string, b Binding, seen []byte, change func(string) string) error {
	t.Helper()
	c, err := NewClient("joe", password, b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ReadFirst([]byte(change(string(c.First()))), c.Mechanism() == Plus, seen != nil)
	if err != nil {
		return err
	}
	s, challenge := NewServer(f, k, seen)
	final, err := c.Final([]byte(change(string(challenge))))
	if err != nil {
		return err
	}
	verdict, err := s.Final([]byte(change(string(final))))
	if err != nil {
		return err
	}
	return c.Verify([]byte(change(string(verdict))))
}

func TestOnlyThePasswordAndTheSameConnectionGetIn(t *testing.T) {
	k, _ := NewKey([]byte("pw"))
	same := func(s string) string { return s }
	tls, other := []byte("exporter of this one"), []byte("exporter of another")
	for _, c := range []struct {
		what, password string
		b              Binding
		seen           []byte
		want           error
	}{
		{"no TLS", "pw", Binding{}, nil, nil},
		{"TLS, unbound", "pw", Binding{tls, false}, nil, nil},
		{"bound", "pw", Binding{tls, true}, tls, nil},
		{"a client that cannot bind", "pw", Binding{}, tls, nil},
		{"a wrong password", "pW", Binding{}, nil, ErrProof},
		{"a wrong password, bound", "pW", Binding{tls, true}, tls, ErrProof},
		{"somebody between them", "pw", Binding{tls, true}, other, ErrBinding},
		{"somebody who hides -PLUS", "pw", Binding{tls, false}, tls, ErrBinding},
	} {
		if err := exchange(t, k, c.password, c.b, c.seen, same); err != c.want {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if err := exchange(t, Unknown([]byte("s"), "joe"), "pw", Binding{}, nil, same); err != ErrProof {
		t.Errorf("a name that is not there: %v", err)
	}
	for old, new := range map[string]string{"n,,": "y,,", "n=joe": "n=eve", "i=4096": "i=4097", "r=": "r=x", "v=": "v=A",
		"c=biws": "c=eSws"} {
		changed := func(s string) string { return strings.Replace(s, old, new, 1) }
		if err := exchange(t, k, "pw", Binding{}, nil, changed); err == nil {
			t.Errorf("with %q in the place of %q it works", new, old)
		}
	}
}

func TestAServerHearsNoBadMessage(t *testing.T) {
	for m, want := range map[string]error{
		"": ErrMessage, "n": ErrMessage, "n,": ErrMessage, "n,,": ErrMessage, "n,,n=joe": ErrMessage,
		"n,,n=joe,r=": ErrMessage,
		"n,,n=,r=x":   ErrMessage, "n,,n=j=oe,r=x": ErrMessage, "n,,n=j=2c,r=x": ErrMessage, "n,,n=a\nb,r=x": ErrMessage,
		"n,,m=x,n=joe,r=x": ErrMessage, "n,a=eve,n=joe,r=x": ErrMessage, "n,eve,n=joe,r=x": ErrMessage,
		"x,,n=joe,r=x": ErrMessage,
		"n,,r=x,n=joe": ErrMessage, "n,,n=joe,r=a b": ErrMessage, "n,,n=joe,r=\xff": ErrMessage,
		"p=tls-unique,,n=joe,r=x": ErrBinding, "p=tls-exporter,,n=joe,r=x": ErrBinding,
		"n,,n=joe,r=" + strings.Repeat("x", maxNonce+1): ErrMessage, "n,,n=" + strings.Repeat("x",
			password.MaxName+1) + ",r=x": ErrMessage,
		"n,,n=joe,r=x," + strings.Repeat("x", maxMessage): ErrMessage,
		"n,a=joe,n=joe,r=x,ext=1":                         nil, "y,,n=j=3Do=2Ce,r=x": nil,
	} {
		if _, err := ReadFirst([]byte(m), false, false); err != want {
			t.Errorf("%.50q: %v", m, err)
		}
	}
	f, err := ReadFirst([]byte(rfcFirst), false, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"", "c=biws", "c=biws,p=", strings.Replace(rfcFinal, "c=biws", "c=biw", 1),
		strings.Replace(rfcFinal, "r=rO", "r=xO", 1),
		strings.Replace(rfcFinal, "p=d", "p=", 1), rfcFinal + ",x=1", rfcFinal + "\n", "x=1," + rfcFinal} {
		s, _ := newServer(f, rfcKey(t), nil, rfcServerNonce)
		if v, err := s.Final([]byte(m)); err == nil {
			t.Errorf("%q: %s", m, v)
		}
	}
}

func TestAClientGivesAHostileServerNothing(t *testing.T) {
	for _, m := range []string{"", "e=other-error", strings.Replace(rfcChallenge, "4096", "1", 1),
		strings.Replace(rfcChallenge, "4096", "999999999", 1),
		strings.Replace(rfcChallenge, "r=rO", "r=xO", 1), "r=" + rfcClientNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		strings.Replace(rfcChallenge, "s=", "s=!", 1), strings.Replace(rfcChallenge, "s=W22ZaJ0SNY7soEsUEjb6gQ==", "s=", 1),
		"m=1," + rfcChallenge, rfcChallenge + strings.Repeat(",x=y", maxMessage)} {
		c, _ := newClient("user", "pencil", Binding{}, rfcClientNonce)
		if a, err := c.Final([]byte(m)); err == nil {
			t.Errorf("%.60q: %s", m, a)
		}
		if c.Verify([]byte(rfcVerdict)) == nil {
			t.Errorf("%.60q: the server knows the password", m)
		}
	}
}

func TestAnotherImplementationLogsInAndServes(t *testing.T) {
	for _, plus := range []bool{false, true} {
		b := Binding{}
		var seen []byte
		if plus {
			b, seen = Binding{[]byte("exporter"), true}, []byte("exporter")
		}
		// Its client, our server.
		their, err := oracle.SHA256.NewClientUnprepped("j=o,e", "p w", "")
		if err != nil {
			t.Fatal(err)
		}
		conv := their.NewConversation()
		if plus {
			conv = their.NewConversationWithChannelBinding(oracle.ChannelBinding{Type: oracle.ChannelBindingTLSExporter,
				Data: seen})
		}
		first, err := conv.Step("")
		if err != nil {
			t.Fatal(err)
		}
		f, err := ReadFirst([]byte(first), plus, plus)
		if err != nil || f.User != "j=o,e" {
			t.Fatalf("%q: %+v %v", first, f, err)
		}
		k, _ := NewKey([]byte("p w"))
		s, challenge := NewServer(f, k, seen)
		final, err := conv.Step(string(challenge))
		if err != nil {
			t.Fatal(err)
		}
		verdict, err := s.Final([]byte(final))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conv.Step(string(verdict)); err != nil || !conv.Valid() {
			t.Error(err)
		}
		// Our client, its server, which has the key that we made.
		server, err := oracle.SHA256.NewServer(func(name string) (oracle.StoredCredentials, error) {
			return oracle.StoredCredentials{KeyFactors: oracle.KeyFactors{Salt: string(k.salt), Iters: k.iterations},
				StoredKey: k.stored[:], ServerKey: k.server[:]}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewClient("j=o,e", "p w", b)
		if err != nil {
			t.Fatal(err)
		}
		sc := server.NewConversation()
		if plus {
			sc = server.NewConversationWithChannelBinding(oracle.ChannelBinding{Type: oracle.ChannelBindingTLSExporter,
				Data: seen})
		}
		asked, err := sc.Step(string(c.First()))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Final([]byte(asked))
		if err != nil {
			t.Fatal(err)
		}
		proof, err := sc.Step(string(answer))
		if err != nil || !sc.Valid() || sc.Username() != "j=o,e" {
			t.Error(err)
		}
		if err := c.Verify([]byte(proof)); err != nil {
			t.Error(err)
		}
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte(rfcFirst), []byte(rfcFinal))
	f.Add([]byte("p=tls-exporter,a=joe,n=joe,r=x"), []byte("c=biws,r=x,p="))
	k := Unknown([]byte("s"), "user")
	f.Fuzz(func(t *testing.T, first, final []byte) {
		for _, plus := range []bool{false, true} {
			m, err := ReadFirst(first, plus, plus)
			if err != nil {
				continue
			}
			if !password.Sound(m.User, password.MaxName) {
				t.Errorf("%q is a name", m.User)
			}
			s, challenge := newServer(m, k, []byte("x"), rfcServerNonce)
			if bytes.ContainsAny(challenge, "\r\n\x00") {
				t.Errorf("%q", challenge)
			}
			if v, err := s.Final(final); err == nil {
				t.Errorf("%q %q: %q", first, final, v)
			}
		}
	})
}

func FuzzClient(f *testing.F) {
	f.Add([]byte(rfcChallenge), []byte(rfcVerdict))
	f.Fuzz(func(t *testing.T, challenge, verdict []byte) {
		c, _ := newClient("user", "pencil", Binding{}, rfcClientNonce)
		if bytes.Contains(challenge, []byte(",i=")) && !bytes.Contains(challenge, []byte(",i=4096")) {
			return // no time for other counts
		}
		a, err := c.Final(challenge)
		if string(challenge) != rfcChallenge && c.Verify(verdict) == nil {
			t.Errorf("%q %q", challenge, verdict)
		}
		if err == nil && bytes.ContainsAny(a, "\r\n\x00") {
			t.Errorf("%q", a)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" +
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := Parse(b); err == nil && k.String() != string(b) {
			t.Errorf("%q is read as %s", b, k)
		}
	})
}
