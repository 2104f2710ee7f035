package rfc822

import (
	"strings"
	"testing"
)

func TestTheMessageIDIsFoundInWhateverPiecesItComes(t *testing.T) {
	for in, want := range map[string]string{
		"Message-ID: <a@b>\n\nx":                            "a@b",
		"Subject: x\nmessage-id:<a@b>\nMessage-ID: <c@d>\n": "a@b",
		"MESSAGE-ID :\n <a@b>\n\n":                          "a@b",
		"Message-ID:\nSubject: <a@b>\n\n":                   "",
		"Subject: x\n Message-ID: <no@b>\n\n":               "",
		"Subject: x\n\nMessage-ID: <no@b>\n":                "",
		"Message-ID: a b \n\n":                              "a b",
		"Message-IDs: <a@b>\nMessage-ID\n\n":                "",
		strings.Repeat("y", 9000) + "\nMessage-ID: <a@b>\n": "a@b",
		"": "",
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			var d Identity
			for rest := in; rest != ""; {
				n := min(size, len(rest))
				d.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if d.ID != want {
				t.Errorf("%.40q by %d: %q, want %q", in, size, d.ID, want)
			}
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add([]byte("Message-ID: <a@b>\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var d Identity
		d.Write(in)
		if len(d.ID) > maxIdentity || strings.Contains(d.ID, "\n") {
			t.Errorf("%q of %q", d.ID, in)
		}
	})
}
