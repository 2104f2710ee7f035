//go:build linux

package peers

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// filter stands in the place of qmail-queue, and leaves a file for each message that is named for who started it. It
// looks for pipes and sockets that are not its own: there is one, to say why a message is refused. Its last line works
// in HOME only.
const filter = `#!/bin/sh
read caller </proc/$PPID/comm
{
	echo "name $0"
	echo "folder $(pwd)"
	printf 'ignored %x\n' $((0x$(sed -n 's/SigIgn:.*\(........\)$/\1/p' /proc/$$/status) & 0x7fffffff)) # 32 is libc's
	echo "umask $(umask)"
	echo "files $(ulimit -n) $(ulimit -Hn)"
	ls -l /proc/$$/fd >/run/seen/$$.fd
	echo "others $(sed -n 's/.* \([3-9] -> [^/].*\):.*/\1/p' /run/seen/$$.fd)"
	echo "variable $VARIABLE"
	echo "processors $GOMAXPROCS"
} >/run/seen/$$
mv /run/seen/$$ /run/seen/$caller
exec bin/qmail-queue
`

func TestWhatQMAILQUEUENamesIsStartedInTheSameWorldByWhoeverHasMail(t *testing.T) {
	if !inside(t, "tcpserver") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.sh("mkdir -p /run/seen; chmod 777 /run/seen")
	q.write(home("bin/filter"), filter)
	q.sh("chmod 755 " + home("bin/filter"))
	q.env = []string{"QMAILQUEUE=bin/filter", "VARIABLE=x"}
	q.start()
	q.env = append(q.env, "PATH="+home("bin")+":/bin:/usr/bin:/usr/local/bin")

	q.feed("me", "To: me\n\nx\n", q.with(home("bin/qmail-inject"))...)
	q.feed("me", "To: nobody-here\n\nx\n", q.with(home("bin/sendmail"), "-t")...) // qmail-send has a bounce
	uid, gid, _ := testqmail.Account("qmaild")
	for i, server := range []string{"qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd"} {
		port := strconv.Itoa(2500 + i)
		q.daemon("root", q.with("tcpserver", "-RHl0", "-u", fmt.Sprint(uid), "-g", fmt.Sprint(gid), "0", port,
			home("bin/"+server))...)
		waitPort(t, "127.0.0.1:"+port)
	}
	smtpSend(t, "127.0.0.1:2500", "me@qmail.test", "me@qmail.test", "Subject: x\r\n\r\nx\r\n")
	speak(t, "127.0.0.1:2501", netstring("\nx\n")+netstring("")+netstring(netstring("me@qmail.test")))
	speak(t, "127.0.0.1:2502", netstring(netstring("\nx\n")+netstring("")+netstring("me@qmail.test")))
	for _, line := range []string{"|forward me\n", "&me\n", "|condredirect me true\n", "|qreceipt me-n@qmail.test\n"} {
		q.own("me", ".qmail-n", line)
		q.inject("Notice-Requested-Upon-Delivery-To: me-n@qmail.test\n\nx\n", "me-n@qmail.test")
		q.waitDone()
	}

	files := strings.Join(strings.Fields(q.sh("ulimit -n; ulimit -Hn")), " ")
	for caller, umask := range map[string]string{
		"qmail-inject": "0022", "sendmail": "0022", "qmail-smtpd": "0022", "qmail-qmtpd": "0022", "qmail-qmqpd": "0022",
		"qmail-local": "0077", "forward": "0077", "condredirect": "0077", "qreceipt": "0077", "qmail-send": "0077",
	} {
		got := q.read("/run/seen/" + caller)
		want := "name bin/filter\nfolder " + home("") + "\nignored 1000\numask " + umask +
			"\nfiles " + files + "\nothers 6 -> pipe\nvariable x\nprocessors \n"
		if got != want {
			t.Errorf("%s starts its qmail-queue so:\n%s\nand not so:\n%s", caller, got, want)
		}
	}
	q.stop()
}

func TestAnEmptyQMAILQUEUELetsNoMessagePast(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	out, err := q.run("me", "To: me\n\nx\n", "env", "QMAILQUEUE=", home("bin/qmail-inject"))
	if exitCode(err) != 111 || !strings.HasSuffix(out, "unable to exec qq (#4.3.0)\n") {
		t.Errorf("%v %q", err, out)
	}
	if got := q.queued(); len(got) > 0 {
		t.Error(got)
	}
}

// with returns a command that runs with the variables of q.env.
func (q *qmail) with(args ...string) []string {
	return append(append([]string{"env"}, q.env...), args...)
}

func netstring(s string) string { return strconv.Itoa(len(s)) + ":" + s + "," }

// speak sends all of a message by QMTP or QMQP, which has to be accepted.
func speak(t *testing.T, addr, said string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	io.WriteString(c, said)
	c.(*net.TCPConn).CloseWrite()
	if answer, err := io.ReadAll(c); err != nil || !strings.Contains(string(answer), ":Kok") {
		t.Fatalf("%s: %q %v", addr, answer, err)
	}
}
