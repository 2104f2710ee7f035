package smtpd

import (
	"strings"
	"testing"

	"qmail/internal/text/rfc822"
)

func TestReceivedNamesARelayClientWhileMailIsSignedAndNobodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		signs bool
		env   []string
		want  string
	}{
		"a relay client":           {true, []string{"RELAYCLIENT="}, "with SMTP " + rfc822.RelayClient + "; "},
		"one where none is signed": {false, []string{"RELAYCLIENT="}, "with SMTP; "},
		"a stranger":               {true, nil, "with SMTP; "},
	} {
		files := map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n"}
		if c.signs {
			files["dkimdomains"] = ""
		}
		w := newWorld(t, files, c.env...)
		w.say("HELO " + strings.ReplaceAll(rfc822.RelayClient, " ",
			"_") + "\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@ours.test>\r\n" +
			"DATA\r\nx\r\n.\r\nQUIT\r\n")
		_, texts := w.queued()
		if len(texts) != 1 || !strings.Contains(texts[0], c.want) || strings.Count(texts[0],
			"(relay") != strings.Count(c.want, "(relay") {
			t.Errorf("%s: %q", name, texts)
		}
	}
}
