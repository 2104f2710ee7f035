package srs

import (
	"strings"
	"testing"
	"time"

	"qmail/internal/text/ascii"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func scheme() *Scheme {
	return &Scheme{Domain: "fwd.test", Secrets: []string{"new", "old"}, MaxAge: 7, HashLength: 4, HashMin: 4,
		Separator: "="}
}

// local returns the local part of the address for a sender.
func local(t *testing.T, s *Scheme, sender string, at time.Time) string {
	t.Helper()
	address, ok := s.Forward(sender, at)
	user, found := strings.CutSuffix(address, "@"+s.Domain)
	if !ok || !found {
		t.Fatalf("%q: %q, %v", sender, address, ok)
	}
	return user
}

func TestAnAddressLeadsBackToTheSender(t *testing.T) {
	for _, separator := range []string{"=", "-", "+"} {
		s := scheme()
		s.Separator = separator
		for _, sender := range []string{
			"joe@a.test", "Joe.X@A.Test", "a=b@a.test", "a@b@a.test", "=@a.test", "\"a b\"@a.test", "\xc3\xa9@a.test",
			"SRS@a.test", "SRS0@a.test", "SRS2=x@a.test", "SRS1=x@a.test", "SRS1=h==x@a.test", "SRS1=h=f=@a.test",
			"SRS1=h=f=x@a.test", "SRS0=@a.test", "SRS0=x@a.test", "SRS0+H=D=c.test=joe@b.test",
		} {
			user := local(t, s, sender, now)
			if back, err := s.Reverse(user, now); back != sender || err != nil {
				t.Errorf("%q: %q, %q, %v", sender, user, back, err)
			}
		}
	}
}

func TestWhatWasRewrittenGrowsByOneHostAndNoMore(t *testing.T) {
	one, two, three := scheme(), scheme(), scheme()
	one.Domain, two.Domain, three.Domain = "one.test", "two.test", "three.test"
	two.Secrets, three.Secrets = []string{"second"}, []string{"third"}
	first := local(t, one, "joe@a.test", now)
	second := local(t, two, first+"@one.test", now)
	third := local(t, three, second+"@two.test", now)
	if !strings.HasPrefix(first, "SRS0=") || len(second) != len("SRS1=hash=one.test=")+len(first)-len("SRS0") ||
		third[len("SRS1=hash"):] != second[len("SRS1=hash"):] {
		t.Errorf("%s, %s, %s", first, second, third)
	}
	for _, c := range []struct {
		s           *Scheme
		local, want string
	}{{three, third, first + "@one.test"}, {two, second, first + "@one.test"}, {one, first, "joe@a.test"}} {
		if back, err := c.s.Reverse(c.local, now); back != c.want || err != nil {
			t.Errorf("%s: %s, %v", c.local, back, err)
		}
	}
}

func TestAHashIsOursWhateverItsCaseAndByWhicheverSecret(t *testing.T) {
	s, old := scheme(), scheme()
	old.Secrets = []string{"old"}
	for _, user := range []string{local(t, s, "joe@a.test", now), local(t, old, "joe@a.test", now)} {
		for _, u := range []string{user, ascii.LowerString(user), strings.ToUpper(user)} {
			if back, err := s.Reverse(u, now); !ascii.Equal(back, "joe@a.test") || err != nil {
				t.Errorf("%s: %q, %v", u, back, err)
			}
		}
	}
}

func TestNothingLeadsAnywhereThatIsNotOurs(t *testing.T) {
	s, long := scheme(), scheme()
	long.HashLength = 8
	stranger := scheme()
	stranger.Secrets = []string{""}
	user := local(t, s, "joe@a.test", now)
	again := local(t, s, local(t, s, "joe@a.test", now)+"@b.test", now)
	list := map[string]error{
		"": ErrForm, "joe": ErrForm, "SRS0": ErrForm, "SRS0=": ErrForm, "SRS0===": ErrForm, "SRS0====": ErrForm,
		"SRS0=h=t": ErrForm, "SRS0=h=t=d": ErrForm, "SRS0=h=t=d=": ErrForm, "SRS1=h=d": ErrForm, "SRS1=h=d=": ErrForm,
		"SRS1=h=d=x": ErrForm, "SRS1=h==x": ErrForm, "SRS2" + user[4:]: ErrForm, "x" + user: ErrForm,
		user + "\x00": ErrForm, user + "\n": ErrForm, user + strings.Repeat("x", 1000): ErrForm,
		"SRS0=h=t=a@b.test=joe": ErrForm, "SRS1=h=a@b==joe": ErrForm,
		strings.Replace(user, "a.test", "b.test", 1):       ErrForged,
		strings.Replace(user, "=joe", "==joe", 1):          ErrForged,
		strings.Replace(user, "=joe", "=jOf", 1):           ErrForged,
		strings.Replace(again, "=b.test=", "=c.test=", 1):  ErrForged,
		"SRS0==" + user[10:]:                               ErrForged,
		user[:8] + user[9:]:                                ErrForged, // a hash of three characters
		user[:9] + "A" + user[9:]:                          ErrForged,
		user[:9] + strings.Repeat("A", 24) + user[9:]:      ErrForged,
		local(t, stranger, "joe@a.test", now):              ErrForged,
		"SRS1" + user[4:10] + "joe=" + user[4:]:            ErrForged,
		"SRS1" + user[4:]:                                  ErrForm,
		"SRS0" + again[4:]:                                 ErrForm,
		strings.Replace(user, "=", "==", 1):                ErrForged,
		local(t, s, "joe@a.test", now.AddDate(0, 0, -8)):   ErrExpired,
		local(t, s, "joe@a.test", now.AddDate(0, 0, 1)):    ErrExpired,
		local(t, s, "joe@a.test", now.AddDate(0, 0, -511)): ErrExpired,
	}
	for u, want := range list {
		if back, err := s.Reverse(u, now); back != "" || err != want {
			t.Errorf("%q: %q, %v, want %v", u, back, err, want)
		}
	}
	for i := 5; i < 9; i++ {
		for c := byte('!'); c < 127; c++ {
			b := []byte(user)
			if b[i] = c; ascii.Equal(string(b), user) {
				continue
			}
			if back, err := s.Reverse(string(b), now); err == nil {
				t.Errorf("%q: %q", b, back)
			}
		}
	}
	if back, err := s.Reverse(local(t, long, "joe@a.test", now), now); back != "joe@a.test" || err != nil {
		t.Errorf("a hash longer than ours: %q, %v", back, err)
	}
	if back, err := s.Reverse(local(t, s, "joe@a.test", now.AddDate(0, 0, -7)), now); err != nil {
		t.Errorf("seven days: %q, %v", back, err)
	}
}

func TestADayCannotBeWrittenInAnotherWay(t *testing.T) {
	s := scheme()
	for _, day := range []string{"", "A", "AAA", "A=", "0A", "A8", "A\xc1", "a["} {
		h := s.hash("new", day, "a.test", "joe")[:4]
		if back, err := s.Reverse("SRS0="+h+"="+day+"=a.test=joe", now); err == nil {
			t.Errorf("%q: %q", day, back)
		}
	}
}

func TestWhatIsNoAddressIsNotRewritten(t *testing.T) {
	for _, sender := range []string{"", "joe", "@", "@a.test", "joe@", "joe@a=b", "joe@a b", "joe@a\"b", "j\noe@a.test",
		"joe@a.test\x00", strings.Repeat("x", 1000) + "@a.test", strings.Repeat("x", 980) + "@a.test"} {
		if address, ok := scheme().Forward(sender, now); ok {
			t.Errorf("%q: %q", sender, address)
		}
	}
}

// FuzzReverse has strangers write local parts: what leads back is what Forward would make, and Forward is lossless.
func FuzzReverse(f *testing.F) {
	s := scheme()
	for _, sender := range []string{"joe@a.test", "SRS0=AAAA=AA=a.test=joe@b.test", "SRS1=AAAA=a==b@c", "SrS1+=@=+@0"} {
		address, _ := s.Forward(sender, now)
		f.Add(strings.TrimSuffix(address, "@fwd.test"))
		f.Add(sender)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if back, err := s.Reverse(text, now); err == nil {
			again, ok := s.Forward(back, now)
			if strings.IndexByte(back, '@') < 1 || ascii.HasControl(back) || !ok && len(back) < 900 {
				t.Errorf("%q leads to %q, %q", text, back, again)
			}
		}
		address, ok := s.Forward(text, now)
		if !ok {
			return
		}
		back, err := s.Reverse(strings.TrimSuffix(address, "@fwd.test"), now)
		if err != nil || !ascii.Equal(back, text) && !ascii.HasPrefix(text, again) {
			t.Errorf("%q: %q leads to %q, %v", text, address, back, err)
		}
	})
}
