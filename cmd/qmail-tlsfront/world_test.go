package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

func behind(args ...string) []string { return append([]string{home("bin/qmail-tlsfront")}, args...) }

// serve has a tcp-env of root's serve by a command, and returns the address.
func serve(t *testing.T, env []string, command []string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	server := exec.Command(home("bin/tcp-env"), command...)
	server.Stdin, server.Env = f, append(os.Environ(), env...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	return address
}

// A visitor is a client.
type visitor struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func visit(t *testing.T, address string) *visitor {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(poll.Limit))
	return &visitor{t, c, bufio.NewReader(c)}
}

// encrypt does the handshake.
func (v *visitor) encrypt() *visitor {
	v.t.Helper()
	c := tls.Client(v.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		v.t.Fatal(err)
	}
	return &visitor{v.t, c, bufio.NewReader(c)}
}

// line reads one.
func (v *visitor) line() string {
	v.t.Helper()
	l, err := v.r.ReadString('\n')
	if err != nil {
		v.t.Fatalf("%q, then %v", l, err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// say says lines, each after a line of one word like want[i].
func (v *visitor) say(text, want string) {
	v.t.Helper()
	io.WriteString(v.Conn, text)
	if l := v.line(); !strings.HasPrefix(l, want) {
		v.t.Fatalf("%q was answered by %q, not %q", text, l, want)
	}
}

// capabilities asks for them.
func (v *visitor) capabilities() (all string) {
	v.t.Helper()
	v.say("CAPA\r\n", "+OK")
	for l := v.line(); l != "."; l = v.line() {
		all += l + "|"
	}
	return all
}

func (v *visitor) rest() string {
	b, err := io.ReadAll(v.r)
	if err != nil {
		return fmt.Sprintf("%s%v", b, err)
	}
	return string(b)
}

// check takes the password "good", and becomes orcjoe.
const check = `#!/bin/sh
exec 4<&3
login=$(tr '\0' ' ' <&4)
exec 3<&- 4<&-
case $login in "joe good "*) cd /run/home/orcjoe; exec setpriv --reuid=orcjoe --regid=nofiles --clear-groups "$@";; esac
exit 1
`

// popup makes a mailbox with one message, and returns the command that serves it.
func popup(t *testing.T) []string {
	t.Helper()
	file := "/run/check"
	err := os.WriteFile(file, []byte(check), 0o755)
	if err == nil {
		os.Chmod(file, 0o755) // whatever the mask is
		err = exec.Command("/bin/sh", "-c", `cd /run/home/orcjoe && rm -rf Maildir && mkdir Maildir Maildir/tmp Maildir/new `+
			`Maildir/cur && printf 'Subject: x\n\n.hello\n' >Maildir/new/1.a && touch -d '1 hour ago' Maildir/new/1.a && `+
			`chown -R orcjoe Maildir`).Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{home("bin/qmail-popup"), "m.test", file, home("bin/qmail-pop3d"), "Maildir"}
}

const mailbox = "+OK \r\n+OK \r\nSubject: x\r\n\r\n..hello\r\n\r\n.\r\n+OK \r\n"

func TestMailIsReadInTLSFromTheStartAndBySTLS(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	command := popup(t)
	v := visit(t, serve(t, nil, behind(command...))).encrypt()
	v.say("", "+OK <")
	if got := v.capabilities(); got != "TOP|UIDL|USER|SASL PLAIN|" {
		t.Error(got)
	}
	v.say("STLS\r\n", "-ERR")
	v.say("AUTH CRAM-MD5\r\n", "-ERR")
	v.say("AUTH PLAIN\r\n", "+ ")
	v.say("*\r\n", "-ERR")
	for _, bad := range []string{"=", "AGpvZQ==", "AGpvZQBnb29k!", "cm9vdABqb2UAZ29vZA==", "AABn", "AGpvZQBnb29kAHg="} {
		v.say("AUTH PLAIN "+bad+"\r\n", "-ERR that is no login")
	}
	io.WriteString(v.Conn, "AUTH PLAIN AGpvZQBnb29k\r\nRETR 1\r\nQUIT\r\n") // joe, good
	if got := v.rest(); got != mailbox {
		t.Errorf("%q", got)
	}

	address := serve(t, nil, behind(append([]string{"-n"}, command...)...))
	v = visit(t, address)
	v.say("", "+OK <")
	if got := v.capabilities(); got != "TOP|UIDL|USER|STLS|" {
		t.Error(got)
	}
	v.say("AUTH PLAIN AGpvZQBnb29k\r\n", "-ERR STLS first")
	v.say("USER joe\r\n", "+OK")
	v.say("STLS x\r\n", "-ERR")
	v.say("STLS\r\n", "+OK")
	v = v.encrypt()
	v.say("PASS good\r\n", "-ERR USER first")
	if got := v.capabilities(); got != "TOP|UIDL|USER|SASL PLAIN|" {
		t.Error(got)
	}
	v.say("AUTH PLAIN\r\n", "+ ")
	io.WriteString(v.Conn, "AGpvZQBnb29k\r\nRETR 1\r\nQUIT\r\n")
	if got := v.rest(); got != mailbox {
		t.Errorf("%q", got)
	}
	v = visit(t, address) // and without
	v.say("", "+OK <")
	io.WriteString(v.Conn, "USER joe\r\nPASS good\r\nQUIT\r\n")
	if got := v.rest(); got != "+OK \r\n+OK \r\n+OK \r\n" {
		t.Errorf("%q", got)
	}
	v = visit(t, address)
	v.say("", "+OK <")
	v.say("STLS\r\n", "+OK")
	v = v.encrypt()
	io.WriteString(v.Conn, "USER joe\r\nPASS bad\r\n")
	if got := v.rest(); got != "+OK \r\n-ERR authorization failed\r\n" {
		t.Errorf("%q", got)
	}
}

func TestTLSThatIsRequiredOrNotOfferedIsSo(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	command := behind(append([]string{"-n"}, popup(t)...)...)
	const usual = "-ERR authorization first"
	v := visit(t, serve(t, nil, command)) // there is no certificate
	v.say("", "+OK <")
	v.say("CAPA\r\n", usual)
	v.say("STLS\r\n", usual)
	v.say("USER joe\r\n", "+OK")
	v = visit(t, serve(t, []string{"UCSPITLS=!"}, command))
	v.say("", "+OK <")
	if got := v.capabilities(); got != "TOP|UIDL|" {
		t.Error(got)
	}
	v.say("STLS\r\n", "-ERR no TLS now")
	v.say("USER joe\r\n", "-ERR STLS first")
	testserver.Install(t)
	v = visit(t, serve(t, []string{"UCSPITLS=-"}, command))
	v.say("", "+OK <")
	v.say("STLS\r\n", usual)
	v.say("AUTH PLAIN\r\n", usual)
	v = visit(t, serve(t, []string{"UCSPITLS=!"}, command))
	v.say("", "+OK <")
	if got := v.capabilities(); got != "TOP|UIDL|STLS|" {
		t.Error(got)
	}
	for _, l := range []string{"USER joe", "PASS good", "APOP joe x", "AUTH PLAIN AGpvZQBnb29k"} {
		v.say(l+"\r\n", "-ERR STLS first")
	}
	v.say("NOOP\r\n", "+OK")
	v.say("STLS\r\n", "+OK")
	v = v.encrypt()
	v.say("USER joe\r\nPASS good\r\n", "+OK")
	v.say("", "+OK")
}

// The fault of CVE-2011-0411: what somebody in between has put behind STLS is taken for the client's own.
func TestNothingThatComesWithSTLSIsAnswered(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	address := serve(t, nil, behind(append([]string{"-n"}, popup(t)...)...))
	for _, injected := range []string{"NOOP\r\n", "USER joe\r\nPASS good\r\n", "\r\n", "N", "\x16"} {
		v := visit(t, address)
		v.say("", "+OK <")
		v.say("STLS\r\n"+injected, "+OK")
		if got := v.rest(); strings.Contains(got, "OK") || strings.Contains(got, "ERR") {
			t.Errorf("%q was answered by %q", injected, got)
		}
		v = visit(t, address) // later, in the place of a handshake
		v.say("", "+OK <")
		v.say("STLS\r\n", "+OK")
		io.WriteString(v.Conn, injected)
		v.Conn.(*net.TCPConn).CloseWrite()
		if got := v.rest(); strings.Contains(got, "OK") || strings.Contains(got, "ERR") {
			t.Errorf("%q in the clear was answered by %q", injected, got)
		}
	}
}

// fronts returns the folders in /proc of what reads clients.
func fronts() (dirs []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if line, _ := os.ReadFile(f); strings.HasPrefix(string(line), home("bin/qmail-tlsfront")+"\x00") {
			dirs = append(dirs, filepath.Dir(f))
		}
	}
	return dirs
}

func TestWhatReadsTheClientIsNotRootAndHasNoKey(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	daemon, _, _ := testqmail.Account(conf.UserNames().Daemon)
	uids := "\nUid:" + strings.Repeat("\t"+strconv.Itoa(daemon), 4) + "\n"
	command := popup(t)
	implicit, asked := serve(t, nil, behind(command...)), serve(t, nil, behind(append([]string{"-n"}, command...)...))
	for _, address := range []string{implicit, asked} {
		v := visit(t, address)
		if address == asked {
			v.say("", "+OK <")
			v.say("STLS\r\n", "+OK")
			v = v.encrypt()
			v.say("NOOP\r\n", "+OK")
		} else {
			v = v.encrypt()
			v.say("", "+OK <")
		}
		found := fronts()
		for _, dir := range found {
			status, err := os.ReadFile(dir + "/status")
			if !strings.Contains(string(status), uids) || !strings.Contains(string(status), "\nCapEff:\t0000000000000000\n") {
				t.Errorf("%s, %v", status, err)
			}
			open, _ := filepath.Glob(dir + "/fd/*")
			for _, fd := range open {
				if to, _ := os.Readlink(fd); strings.Contains(to, "/keys") {
					t.Errorf("it has %s open", to)
				}
			}
			for _, command := range [][]string{
				{"cat", home("keys/tls/m.test.pem")}, {"ls", home("keys/tls")}, {"cat", dir + "/environ"}, {"ls", dir + "/fd/."},
				{"dd", "if=" + dir + "/mem", "count=1"},
			} {
				args := append([]string{"--reuid=qmaild", "--regid=nofiles", "--clear-groups"}, command...)
				if exec.Command("setpriv", args...).Run() == nil {
					t.Errorf("qmaild can %q", command)
				}
			}
		}
		if len(found) != 1 {
			t.Errorf("the front is %q", found)
		}
		v.say("QUIT\r\n", "+OK")
		v.rest()
	}
}

func TestAProgramIsNotStartedForWhoDoesNoHandshake(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	address := serve(t, nil, behind("sh", "-c", "touch /run/started; echo hello"))
	for _, garbage := range []string{"NOOP\r\n", "\x16\x03\x01\x02\x00\x01", "\x15\x03\x01\x00\x02\x02\x28", ""} {
		v := visit(t, address)
		io.WriteString(v.Conn, garbage)
		v.Conn.(*net.TCPConn).CloseWrite()
		if got := v.rest(); strings.Contains(got, "hello") {
			t.Errorf("%q was answered by %q", garbage, got)
		}
	}
	if _, err := os.Stat("/run/started"); err == nil {
		t.Error("the program was started")
	}
	visit(t, address).encrypt().say("", "hello")
}

func TestMailThatComesByTheFrontSaysSo(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	const message = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@m.test>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n"
	const what = "S (TLS_AES_128_GCM_SHA256, TLS1.3); "
	v := visit(t, serve(t, nil, behind(home("bin/qmail-smtpd")))).encrypt()
	io.WriteString(v.Conn, "EHLO x\r\n"+message)
	if got := v.rest(); !strings.Contains(got, "\r\n250 ok ") || strings.Contains(got, "STARTTLS") {
		t.Errorf("%q", got)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "with ESMTP"+what) {
		t.Errorf("%q", m)
	}
	asked := behind("-n", home("bin/qmail-smtpd"))
	address := serve(t, nil, asked)
	v = visit(t, address)
	v.say("", "220")
	v.say("EHLO x\r\n", "250-m.test")
	v.say("", "250-PIPELINING")
	v.say("", "250-STARTTLS")
	v.say("", "250 8BITMIME")
	v.say("STARTTLS\r\n", "220")
	v = v.encrypt()
	io.WriteString(v.Conn, "EHLO x\r\n"+message)
	if got := v.rest(); !strings.Contains(got, "\r\n250 ok ") || strings.Contains(got, "STARTTLS") {
		t.Errorf("%q", got)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "with ESMTP"+what) {
		t.Errorf("%q", m)
	}
	v = visit(t, address)
	io.WriteString(v.Conn, "HELO x\r\n"+message)
	if got := v.rest(); !strings.Contains(got, "\r\n250 ok ") {
		t.Errorf("%q", got)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "with SMTP; ") {
		t.Errorf("%q", m)
	}
	v = visit(t, serve(t, []string{"UCSPITLS=!"}, asked))
	v.say("", "220")
	v.say("MAIL FROM:<a@b.test>\r\n", "530")
	v = visit(t, serve(t, []string{"RELAYCLIENT="}, behind(home("bin/qmail-qmtpd")))).encrypt()
	io.WriteString(v.Conn, "3:\nx\n,8:a@b.test,11:8:c@m.test,,")
	if l, _ := v.r.ReadString(','); !strings.Contains(l, ":Kok ") {
		t.Errorf("%q", l)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "with QMTP"+what) {
		t.Errorf("%q", m)
	}
}
func TestAnEndThatWasNotAnnouncedIsNoneForTheProgram(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	const program = "cat >/run/got; echo $? >/run/code.new; mv /run/code.new /run/code"
	for form, command := range map[string][]string{
		"from the start": behind("sh", "-c", program),
		"asked for": behind("-n", "sh", "-c",
			`printf y >&$SSLCTLFD; eval "exec <&$SSLREADFD >&$SSLWRITEFD"; `+program),
	} {
		address := serve(t, nil, command)
		for _, end := range []string{"announced", "cut", "killed"} {
			v := visit(t, address)
			s := v.encrypt()
			io.WriteString(s.Conn, "words\n")
			poll.Until(t, "the words arrive", func() bool { b, _ := os.ReadFile("/run/got"); return len(b) > 0 })
			switch end {
			case "announced":
				s.Conn.(*tls.Conn).CloseWrite()
			case "killed":
				for _, dir := range fronts() {
					exec.Command("kill", "-KILL", filepath.Base(dir)).Run()
				}
			}
			announced := end == "announced"
			v.Conn.(*net.TCPConn).CloseWrite()
			poll.Until(t, "the program ends", func() bool { _, err := os.Stat("/run/code"); return err == nil })
			got, _ := os.ReadFile("/run/got")
			code, _ := os.ReadFile("/run/code")
			if string(got) != "words\n" || (string(code) == "0\n") != announced {
				t.Errorf("%s, %s: %q, cat exits with %q", form, end, got, code)
			}
			os.Remove("/run/code")
			os.Remove("/run/got")
		}
	}
}

func TestAForeignServerHasTLSByTheConvention(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	const program = `printf '%s.%s.%s hello\r\n' "$UCSPITLS" "$(id -un)" "$SSL_PROTOCOL"; read l; printf Y >&$SSLCTLFD
t=$(dd bs=1 count=56 <&$SSLCTLFD 2>/dev/null | tr '\0' ' ')
eval "exec <&$SSLREADFD >&$SSLWRITEFD"; read l; printf '%s, %s\r\n' "$t" "$l"
case $l in crash*) kill -9 $$;; esac; exit 7`
	address := serve(t, nil, behind("-n", "/bin/bash", "-c", program))
	for _, word := range []string{"bye", "crash"} {
		v := visit(t, address)
		v.say("", ".root. hello")
		io.WriteString(v.Conn, "begin\n")
		s := v.encrypt()
		s.say(word+"\n", "SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_128_GCM_SHA256  , "+word)
		s.rest()
	}
	// The exit code is the program's.
	for script, want := range map[string]int{"exit 7": 7, "kill -9 $$": 111} {
		cmd := exec.Command(home("bin/qmail-tlsfront"), "-n", "sh", "-c", script)
		if cmd.Run(); cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s: exit %d", script, cmd.ProcessState.ExitCode())
		}
	}
	for _, args := range [][]string{{}, {"-n"}, {"-t", "x", "true"}, {"-t", "0", "true"}, {"-x", "true"}} {
		cmd := exec.Command(home("bin/qmail-tlsfront"), args...)
		if cmd.Run(); cmd.ProcessState.ExitCode() != 100 {
			t.Errorf("%q: exit %d", args, cmd.ProcessState.ExitCode())
		}
	}
}
