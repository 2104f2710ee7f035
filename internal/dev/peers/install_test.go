//go:build linux

package peers

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

const inetdLine = "smtp stream tcp nowait qmaild @/bin/tcp-env tcp-env @/bin/qmail-smtpd\n"

// inetd starts inetd with INSTALL's line for SMTP.
func (q *qmail) inetd() {
	q.t.Helper()
	q.write("/etc/inetd.conf", strings.ReplaceAll(inetdLine, "@", home("")))
	q.daemon("root", "inetd", "-i", "/etc/inetd.conf")
}

// telnet plays a dialogue: lines to say, each with the number of reply lines to wait for before the next.
func (q *qmail) telnet(host string, greeting int, steps []say) string {
	q.t.Helper()
	cmd := q.Command("root", "telnet", host, "25")
	in, err := cmd.StdinPipe()
	if err != nil {
		q.t.Fatal(err)
	}
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		q.t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := greeting
	q.waitLines(out, lines)
	for _, s := range steps {
		io.WriteString(in, s.text+"\n")
		lines += s.replies
		q.waitLines(out, lines)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(poll.Limit):
		q.t.Errorf("telnet goes on: %s", out)
	}
	in.Close()
	return out.String()
}

// A say is a line and how many lines of reply it gets.
type say struct {
	text    string
	replies int
}

func (q *qmail) waitLines(out *output, n int) {
	q.t.Helper()
	q.wait("the next line of the dialogue", func() bool { return strings.Count(out.String(), "\n") >= n })
}

func TestInstallSteps22To32HappenAsWritten(t *testing.T) {
	if !inside(t, "inetd", "telnet", "s-nail", "mutt") {
		return
	}
	q := here(t)
	q.configure()
	q.start()
	q.maildir("me")
	// Steps 22 and 23.
	q.replaceSendmail()
	q.inetd()
	waitPort(t, "127.0.0.1:25")

	got := q.telnet("127.0.0.1", 4, []say{
		{"helo dude", 3}, {"mail", 1}, {"rcpt", 1}, {"data", 1}, {"Subject: testing", 0}, {"", 0},
		{"This is a test.", 0}, {".", 1}, {"quit", 2},
	})
	want := "Trying 127.0.0.1...\nConnected to 127.0.0.1.\nEscape character is '^]'.\n220 qmail.test ESMTP\n" +
		"250-qmail.test\n250-PIPELINING\n250 8BITMIME\n250 ok\n250 ok\n354 go ahead\n250 ok @ qp @\n221 qmail.test\n" +
		"Connection closed by foreign host.\n"
	got = regexp.MustCompile(`\d{9,} qp \d+`).ReplaceAllString(strings.ReplaceAll(got, "\r", ""), "@ qp @")
	if got != want {
		t.Errorf("step 28:\n%s\nwant:\n%s", got, want)
	}
	mailbox := home("alias/Mailbox")
	q.wait("the message of step 28", func() bool {
		out, _ := q.run("root", "", "cat", mailbox)
		return strings.Contains(out, "\nThis is a test.\n") && strings.Contains(out, "Subject: testing\n")
	})

	// Step 31: user agents through /usr/sbin/sendmail.
	q.feed("orcjoe", "from s-nail\n", "s-nail", "-s", "nail", "me@qmail.test")
	if m := q.waitMessages("me", 1)[0]; !strings.HasSuffix(m, "\n\nfrom s-nail\n") ||
		header(m, "Subject")[0] != "nail" || header(m, "Return-Path")[0] != "<orcjoe@qmail.test>" {
		t.Errorf("s-nail: %q", m)
	}
	q.feed("orcjoe", "from mutt\n", "mutt", "-s", "mutt", "me@qmail.test")
	if m := q.waitMessages("me", 2)[1]; !strings.HasSuffix(m, "\n\nfrom mutt\n") || header(m, "Subject")[0] != "mutt" {
		t.Errorf("mutt: %q", m)
	}
	// Mutt reads the Maildir, and moves a message into another.
	keys := "set folder=/run/home/me mbox_type=Maildir confirmcreate=no confirmappend=no quit=yes delete=yes; push " +
		"'<last-entry><save-message>=box<enter><sync-mailbox><quit>'"
	q.sh("cat >/run/keys <<'E'\n" + keys + "\nE")
	q.sh("mkdir /dev/pts && mount -t devpts devpts /dev/pts -o newinstance,ptmxmode=0666 && ln -s pts/ptmx /dev/ptmx")
	q.must("me", "env", "TERM=vt100", "script", "-qec",
		"timeout --foreground -s KILL 10 mutt -F /run/keys -f /run/home/me/Maildir", "/dev/null")
	if box := q.sh("cat /run/home/me/box/*/*"); !strings.Contains(box, "from mutt") {
		t.Errorf("mutt saved %q", box)
	}
	q.waitMessages("me", 1)
	q.waitEmpty()
}

// replaceSendmail does step 22: both usual names of sendmail lead to ours.
func (q *qmail) replaceSendmail() {
	q.t.Helper()
	for _, dir := range []string{"/usr/sbin", "/usr/lib"} {
		q.sh(fmt.Sprintf("mkdir -p /run/up%[1]s/u /run/up%[1]s/w && mount -t overlay overlay -o "+
			"lowerdir=%[1]s,upperdir=/run/up%[1]s/u,workdir=/run/up%[1]s/w %[1]s", dir))
		q.sh("rm -f " + dir + "/sendmail && ln -s " + home("bin/sendmail") + " " + dir + "/sendmail")
	}
}
