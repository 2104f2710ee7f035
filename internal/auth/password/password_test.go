package password

import (
	"strings"
	"testing"
)

func TestOnlyAWholeMessageOfPLAINNamesAUser(t *testing.T) {
	for _, m := range []string{"", "joe", "\x00joe", "\x00joe\x00", "\x00\x00pw", "eve\x00joe\x00pw",
		"\x00joe\x00p\x00w", "\x00joe\x00p\nw",
		"\x00" + strings.Repeat("x", 256) + "\x00pw", "\x00joe\x00" + strings.Repeat("x", 1025)} {
		if u, _, err := ReadPlain([]byte(m)); err == nil {
			t.Errorf("%.40q: %q", m, u)
		}
	}
	if u, _, err := ReadPlain([]byte("joe\x00joe\x00pw")); u != "joe" || err != nil {
		t.Error(u, err)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte("joe\x00joe\x00pw"))
	f.Fuzz(func(t *testing.T, m []byte) {
		if u, p, err := ReadPlain(m); err == nil && (!Sound(u, MaxName) || !Sound(p, Max)) {
			t.Errorf("%q: %q %q", m, u, p)
		}
	})
}
