package ascii

import (
	"testing"
	"unicode/utf8"
)

func FuzzUTF8(f *testing.F) {
	for _, s := range []string{"", "a", "é", "Ü", "€x", "😀", "\u009b", "\u00a0", "\xc3", "\xe0\x82\x9b", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xff\x80", "\xc1\x9b", "\x9b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, want := utf8.DecodeRuneInString(s)
		if r < 0xa0 || r == utf8.RuneError && want < 2 {
			want = 0
		}
		if got := UTF8(s); got != want {
			t.Errorf("%q: %d, not %d", s, got, want)
		}
	})
}

func TestEveryCharacterAboveTheControlsIsOne(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		want := utf8.RuneLen(r)
		if r < 0xa0 {
			want = 0
		}
		if got := UTF8(string(r)); utf8.ValidRune(r) && got != want {
			t.Fatalf("%x: %d, not %d", r, got, want)
		}
	}
}
