package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/text/exit"
)

// queue makes the world's qmail-queue a script that keeps what it gets in the home and then exits.
func (w *world) queue(code string) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "queue")
	script := "#!/bin/sh\ncat >" + w.home + "/text; cat <&1 >" + w.home + "/envelope; exit " + code + "\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.env = append(w.env, "QMAILQUEUE="+path)
}

func TestForwardsAreQueuedOnceAndLast(t *testing.T) {
	w := newWorld(t)
	w.queue("0")
	w.to("joe-l", "-", "l")
	w.text = strings.Repeat("0123456789\n", 100_000)
	w.file(".qmail-l", "&a@b\n|test ! -e text\n./m\nc d\n&\n")
	w.file(".qmail-l-owner", "")
	code, started, out, errs := w.deliver()
	if code != exit.OK || !started || errs != "" || !strings.HasPrefix(out, "did 1+3+1\nqp ") {
		t.Errorf("exit %d %v %q %q", code, started, out, errs)
	}
	if got := w.read("text"); got != "Delivered-To: joe-l@host.test\n"+w.text {
		t.Errorf("%d bytes", len(got))
	}
	if got := w.read("envelope"); got != "Fjoe-l-owner@host.test\x00Ta@b\x00Tc d\x00T\x00\x00" {
		t.Errorf("%q", got)
	}
}

func TestAForwardThatCannotBeQueuedFailsAsQmailQueueSays(t *testing.T) {
	for code, want := range map[string]struct {
		code exit.Code
		text string
	}{
		"31": {exit.Perm, "Unable to forward message: mail server permanently rejected message (#5.3.0).\n"},
		"53": {exit.Temp, "Unable to forward message: qq write error or disk full (#4.3.0).\n"},
		"2":  {exit.Temp, "Unable to forward message: qq temporary problem (#4.3.0).\n"},
	} {
		w := newWorld(t)
		w.queue(code)
		w.file(".qmail", "./m\n&a@b\n")
		w.expect(want.code, "", want.text)
	}
}

func TestAfterAFailedInstructionNothingIsForwarded(t *testing.T) {
	w := newWorld(t)
	w.queue("0")
	w.file(".qmail", "&a@b\n|exit 100\n")
	w.expect(exit.Perm, "", "")
	if _, err := os.Stat(w.home + "/text"); err == nil {
		t.Error("queued")
	}
}

func TestABounceKeepsItsEmptySender(t *testing.T) {
	for _, sender := range []string{"", "#@[]"} {
		w := newWorld(t)
		w.queue("0")
		w.args[4] = sender
		w.to("joe-l", "-", "l")
		w.file(".qmail-l", "&a@b\n")
		w.file(".qmail-l-owner", "")
		w.deliver()
		if got := w.read("envelope"); got != "F"+sender+"\x00Ta@b\x00\x00" {
			t.Errorf("%q", got)
		}
	}
}

func TestAListsBouncesGoToItsOwnerOneAddressForEach(t *testing.T) {
	w := newWorld(t)
	w.to("joe-L.x", "-", "L.x")
	w.file(".qmail-l:x", "|echo $NEWSENDER\n")
	w.file(".qmail-l:x-owner", "")
	w.file(".qmail-l:x-owner-default", "")
	w.expect(exit.OK, "joe-L.x-owner-@host.test-@[]\ndid 0+0+1\n", "")
}
