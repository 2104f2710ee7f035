package attack

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys/passwd"
	"qmail/internal/text/peerlog"
)

// A server is a system that takes mail by SMTP and delivers it.
type server struct {
	t       *testing.T
	address string
	log     string // the file that tcp-env logs to
}

// start starts qmail and a listening tcp-env with the given options.
func start(t *testing.T, options ...string) *server {
	t.Helper()
	home := conf.Home()
	for name, text := range map[string]string{"me": "m.test\n", "rcpthosts": "m.test\n", "locals": "m.test\n"} {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	send := exec.Command(home+"/bin/qmail-start", "./Maildir/")
	send.Env = []string{"PATH=" + home + "/bin:/usr/bin:/bin"}
	daemon, err := passwd.Lookup(conf.UserNames().Daemon)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, address: tcp.Addr().String(), log: filepath.Join(t.TempDir(), "log")}
	tcp.Close()
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	env := exec.Command(home+"/bin/tcp-env", append(options, home+"/bin/qmail-smtpd")...)
	env.Env, env.Stdin, env.Stderr = send.Env, socket, log
	env.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(daemon.UID), Gid: uint32(daemon.GID)},
	}
	for _, c := range []*exec.Cmd{send, env} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	}
	socket.Close()
	log.Close()
	return s
}

// dial connects from an address.
func (s *server) dial(from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Minute}
	return d.Dial("tcp", s.address)
}

// maildir is orcjoe's, who gets what the honest send.
func maildir() string { return filepath.Join(testqmail.HomeOf("orcjoe"), "Maildir") }

// makeMaildir makes the Maildirs of users, or orcjoe's.
func makeMaildir(t *testing.T, users ...string) {
	t.Helper()
	if len(users) == 0 {
		users = []string{"orcjoe"}
	}
	for _, name := range users {
		u, err := passwd.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(testqmail.HomeOf(name), "Maildir")
		for _, d := range []string{"", "/tmp", "/new", "/cur"} {
			if err := os.Mkdir(dir+d, 0o700); err != nil {
				t.Fatal(err)
			}
			os.Chown(dir+d, u.UID, u.GID)
		}
	}
}

// deliver sends one message from an address and waits for it in the Maildir.
func (s *server) deliver(from string, number int) (time.Duration, error) {
	began := time.Now()
	c, err := s.dial(from)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(began.Add(time.Minute))
	r := bufio.NewReader(c)
	subject := "Subject: honest " + strconv.Itoa(number) + " from " + from
	for _, line := range []string{
		"", "EHLO honest.test", "MAIL FROM:<a@honest.test>", "RCPT TO:<orcjoe@m.test>", "DATA", subject + "\r\n\r\n.",
	} {
		if line != "" {
			io.WriteString(c, line+"\r\n")
		}
		for {
			l, err := r.ReadString('\n')
			if err != nil || l[0] != '2' && l[0] != '3' {
				return 0, fmt.Errorf("after %q: %q, %w", line, l, err)
			}
			if l[3] == ' ' {
				break
			}
		}
	}
	io.WriteString(c, "QUIT\r\n")
	for time.Since(began) < time.Minute {
		files, _ := filepath.Glob(maildir() + "/new/*")
		for _, f := range files {
			if b, _ := os.ReadFile(f); strings.Contains(string(b), subject+"\n") {
				os.Remove(f)
				return time.Since(began), nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return 0, fmt.Errorf("message %d does not arrive", number)
}

// honest delivers messages one after the other and returns how long the 99th percentile and the median took.
func (s *server) honest(from string, messages int) (p99, median time.Duration) {
	s.t.Helper()
	var took []time.Duration
	for i := range messages {
		d, err := s.deliver(from, i)
		if err != nil {
			s.t.Fatal(err)
		}
		took = append(took, d)
	}
	slices.Sort(took)
	return took[(messages*99+99)/100-1], took[messages/2]
}

// bound is how long an honest message may take under attack: what is promised, and on a machine that has other things
// to do, as where all tests are run, some times that, or some times what it takes without an attack.
func bound(promised, quiet time.Duration) time.Duration {
	if !long() {
		promised *= 5
	}
	return max(promised, 20*quiet)
}

// A hostile client has a connection and does what it likes with it, until that ends.
type hostile func(c net.Conn)

func silent(c net.Conn) { io.Copy(io.Discard, c) }

func drips(c net.Conn) {
	go io.Copy(io.Discard, c)
	for {
		if _, err := io.WriteString(c, "X"); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func floods(c net.Conn) {
	go io.Copy(io.Discard, c)
	for {
		if _, err := io.WriteString(c, strings.Repeat("RSET\r\nVRFY x\r\nRCPT TO:<x@far.test>\r\n", 100)); err != nil {
			return
		}
	}
}

// neverReads has the replies fill the connection.
func neverReads(c net.Conn) {
	for {
		if _, err := io.WriteString(c, strings.Repeat("NOOP\r\n", 1000)); err != nil {
			return
		}
	}
}

// longLists names recipients of 16 MB for one message.
func longLists(c net.Conn) {
	go io.Copy(io.Discard, c)
	io.WriteString(c, "MAIL FROM:<x@y>\r\n")
	line := "RCPT TO:<" + strings.Repeat("x", 800) + "@m.test>\r\n"
	for range 16 << 20 / len(line) {
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
	silent(c)
}

// endlessText sends a message without an end.
func endlessText(c net.Conn) {
	go io.Copy(io.Discard, c)
	io.WriteString(c, "MAIL FROM:<x@y>\r\nRCPT TO:<orcsam@m.test>\r\nDATA\r\n")
	for {
		if _, err := io.WriteString(c, strings.Repeat("x", 70)+"\r\n"); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// attack has clients come from each address, of all kinds in turn, which come again when they are cut off. It returns
// when each has been connected once; the attack goes on until the test ends.
func (s *server) attack(addresses []string, each int, kinds ...hostile) {
	s.t.Helper()
	var all, connected sync.WaitGroup
	var over atomic.Bool
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	for i := range len(addresses) * each {
		from, kind := addresses[i%len(addresses)], kinds[i/len(addresses)%len(kinds)]
		connected.Add(1)
		all.Go(func() {
			for first := true; !over.Load(); first = false {
				c, err := s.dial(from)
				if err == nil {
					mu.Lock()
					open[c] = true
					mu.Unlock()
				}
				if first {
					connected.Done()
				}
				if err != nil {
					continue
				}
				kind(c)
				mu.Lock()
				delete(open, c)
				mu.Unlock()
				c.Close()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	connected.Wait()
	s.t.Cleanup(func() {
		over.Store(true)
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		for {
			mu.Lock()
			for c := range open {
				c.Close()
			}
			mu.Unlock()
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// memory samples what all programs but this one have in memory, shared pages by parts, until stop; it returns the most.
func memory(stop <-chan struct{}) (peak int) {
	for {
		sum := 0
		files, _ := filepath.Glob("/proc/[0-9]*/smaps_rollup")
		for _, f := range files {
			if filepath.Base(filepath.Dir(f)) == strconv.Itoa(os.Getpid()) {
				continue
			}
			b, _ := os.ReadFile(f)
			_, pss, _ := strings.Cut(string(b), "\nPss:")
			kb, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(pss, "kB", 2)[0]))
			sum += kb << 10
		}
		peak = max(peak, sum)
		select {
		case <-stop:
			return peak
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var fourAddresses = []string{"127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"}

func TestAHundredHostileClientsDelayAnHonestMessageByLessThanTwoSeconds(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	makeMaildir(t)
	s := start(t)
	messages := 25 // "make attack" needs a percentile
	if long() {
		messages = 100
	}
	quiet, _ := s.honest("127.0.0.1", messages)
	s.attack(fourAddresses, 25, silent, drips, floods, neverReads, longLists, endlessText)
	stop, peak := make(chan struct{}), make(chan int)
	go func() { peak <- memory(stop) }()
	p99, median := s.honest("127.0.0.1", messages)
	close(stop)
	most := <-peak
	t.Logf("a message takes %v at the 99th percentile, %v at the median; without the attack %v; %d MB are in use",
		p99, median, quiet, most>>20)
	if p99 > bound(2*time.Second, quiet) {
		t.Errorf("an honest message takes %v", p99)
	}
	if most > 800<<20 {
		t.Errorf("%d MB are in use", most>>20)
	}
}

func TestWhoHoldsAllConnectionsKeepsNobodyOut(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	makeMaildir(t)
	// Eight addresses have an eighth of all each.
	s := start(t, "-c", "80")
	quiet, _ := s.honest("127.0.0.1", 20)
	s.attack(append(slices.Clone(fourAddresses), "127.0.1.5", "127.0.1.6", "127.0.1.7", "127.0.1.8"), 20, silent)
	p99, median := s.honest("127.0.0.1", 50)
	t.Logf("a message takes %v at the 99th percentile, %v at the median", p99, median)
	if p99 > bound(5*time.Second, quiet) {
		t.Errorf("an honest message takes %v", p99)
	}
	b, err := os.ReadFile(s.log)
	for _, line := range []string{": refused ", ": ended a connection after "} {
		if err != nil || !strings.Contains(string(b), line) {
			t.Errorf("no line has %q, %v:\n%.1000s", line, err, b)
		}
	}
}

// The log is read as an administrator has it read, and a client cannot write lines into it.
func TestFail2banFindsTheHostileInTheLogAndNobodyElse(t *testing.T) {
	if !inWorld(t) {
		return
	}
	if _, err := exec.LookPath("fail2ban-regex"); err != nil {
		testqmail.Skip(t, err.Error())
	}
	s := start(t, "-v", "-a", "3")
	say := func(from, text string) {
		c, err := s.dial(from)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
	const fake = "qmail-smtpd:\t127.0.2.99 pid 1: 553 no"
	say("127.0.2.1", "MAIL FROM:<a@b>\r\nRCPT TO:<x@far.test>\r\nQUIT\r\n")
	say("127.0.2.2", strings.Repeat("FOO\r\n", 101))
	say("127.0.2.3", "MAIL FROM:<"+fake+">\r\nMAIL FROM:<\""+strings.ReplaceAll(fake, "\t", " ")+"\"@b>\r\n"+
		"RCPT TO:<x@far.test>\r\nRCPT TO:<"+strings.ReplaceAll(fake, "\t", " ")+"@far.test>\r\nQUIT\r\n")
	say("127.0.2.4", "MAIL FROM:<a@b>\r\nRCPT TO:<x@m.test>\r\nRSET\r\nFOO\r\nQUIT\r\n")
	for range 4 {
		c, err := s.dial("127.0.2.5")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	poll.Until(t, "a refusal in the log", func() bool { // the client is told first
		b, err = os.ReadFile(s.log)
		return err == nil && bytes.Contains(b, []byte(": refused "))
	}, func() string { return string(b) })
	var logins bytes.Buffer
	for from, text := range map[string]string{"127.0.2.6": "failed PLAIN", "127.0.2.7": "ok PLAIN",
		"127.0.2.8": "unable to check PLAIN", "127.0.2.9": "too many attempts wait PLAIN"} {
		peerlog.New(&logins, "qmail-authd", from, 1).Say(text, "user",
			"joe\nqmail-authd: 127.0.2.99 pid 1: failed PLAIN user <x>")
	}
	b = append(b, logins.Bytes()...)
	for what, head := range map[string]string{
		"multilog": "@4000000065f0c0de00000000 ", "svlogd": "2026-01-02_03:04:05.12345 ",
		"journal": "2026-01-02T03:04:05 host smtpd[77]: ", "splogger": "Jan  2 03:04:05 host smtpd: 1700000000.123456 ",
	} {
		var dated strings.Builder
		for l := range strings.Lines(string(b)) {
			dated.WriteString(head + l)
		}
		file := filepath.Join(t.TempDir(), "dated")
		if err := os.WriteFile(file, []byte(dated.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("fail2ban-regex", "-o", "<ip>", file,
			filepath.Join(source, "boot/fail2ban/qmail-clients.conf")).Output()
		found := strings.Fields(string(out))
		slices.Sort(found)
		want := "127.0.2.1 127.0.2.2 127.0.2.3 127.0.2.5 127.0.2.6"
		if got := strings.Join(slices.Compact(found), " "); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q of\n%s", what, got, err, want, dated.String())
		}
	}
}
