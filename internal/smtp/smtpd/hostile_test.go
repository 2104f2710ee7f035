package smtpd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/text/exit"
)

// attack holds a session with a client that does what it likes. It returns the exit code and how much the heap
// grew, and fails when the session does not end in time.
func (w *world) attack(client func(*net.TCPConn)) (replies string, code exit.Code, grown int64) {
	w.t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, server := pair(w.t)
	done := make(chan exit.Code, 1)
	go func() {
		code := w.server().Serve(server, server)
		runtime.ReadMemStats(&after)
		server.Close()
		done <- code
	}()
	text := make(chan string, 1)
	go func() { b, _ := io.ReadAll(c); text <- string(b) }()
	client(c)
	select {
	case code = <-done:
	case <-time.After(poll.Limit):
		w.t.Fatal("the session goes on and on")
	}
	return <-text, code, int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func TestALineWithoutEndEndsTheSession(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	sent := 0
	_, code, grown := w.attack(func(c *net.TCPConn) {
		chunk := []byte(strings.Repeat("x", 64<<10))
		for sent < 1<<30 {
			n, err := c.Write(chunk)
			sent += n
			if err != nil {
				return
			}
		}
	})
	if code != ended || sent > 64<<20 || grown > 4<<20 {
		t.Errorf("exit %d after %d bytes, %d more in use", code, sent, grown)
	}
}

func TestDripFedCommandRunsOutOfTime(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "timeoutsmtpd": "1\n"})
	got, code, _ := w.attack(func(c *net.TCPConn) {
		for range time.Tick(100 * time.Millisecond) { // until the server has had enough
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	})
	if code != ended || !strings.HasSuffix(got, "451 timeout (#4.4.2)\r\n") {
		t.Errorf("exit %d: %q", code, got)
	}
}

func TestTenThousandRecipientsAreTakenWhereMaxrcptSaysSo(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "maxrcpt": "0\n"})
	got, code, grown := w.attack(func(c *net.TCPConn) {
		var b strings.Builder
		b.WriteString("MAIL FROM:<a@b>\r\n")
		for i := range 10_000 {
			fmt.Fprintf(&b, "RCPT TO:<u%d@x.test>\r\n", i)
		}
		b.WriteString("DATA\r\nx\r\n.\r\nQUIT\r\n")
		io.WriteString(c, b.String())
	})
	envs, _ := w.queued()
	if code != exit.OK || strings.Count(got, "250 ok\r\n") != 10_001 || len(envs) != 1 ||
		strings.Count(envs[0], "\x00T") != 10_000 {
		t.Errorf("exit %d, %d replies, %d messages", code, strings.Count(got, "250 ok\r\n"), len(envs))
	}
	if grown > 32<<20 {
		t.Errorf("%d bytes", grown)
	}
}

func TestRecipientsAreRefusedBeforeMemoryIsFull(t *testing.T) {
	for maxrcpt, most := range map[string]int64{"": 8 << 20, "0": 128 << 20} {
		w := newWorld(t, map[string]string{"me": "m.test\n"})
		if maxrcpt != "" {
			w = newWorld(t, map[string]string{"me": "m.test\n", "maxrcpt": maxrcpt})
		}
		line := "RCPT TO:<" + strings.Repeat("x", maxAddress) + ">\r\n"
		got, _, grown := w.attack(func(c *net.TCPConn) {
			io.WriteString(c, "MAIL FROM:<a@b>\r\n")
			for range 16<<20/maxAddress + 100 {
				if _, err := io.WriteString(c, line); err != nil {
					return
				}
			}
			io.WriteString(c, "QUIT\r\n")
		})
		if !strings.Contains(got, "452 too many recipients (#4.5.3)\r\n") || grown > most {
			t.Errorf("%d bytes more; the end is %q", grown, got[max(0, len(got)-100):])
		}
	}
}

func TestRecipientsPastTheLimitCanComeWithTheNextMessage(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	var b strings.Builder
	for _, first := range []int{0, 1000, 2000} {
		b.WriteString("MAIL FROM:<a@b>\r\n")
		for i := first; i < 2500; i++ {
			fmt.Fprintf(&b, "RCPT TO:<u%d@x.test>\r\n", i)
		}
		b.WriteString("DATA\r\nx\r\n.\r\n")
	}
	got, code, _ := w.attack(func(c *net.TCPConn) { io.WriteString(c, b.String()+"QUIT\r\n") })
	envs, _ := w.queued()
	total := 0
	for _, e := range envs {
		total += strings.Count(e, "\x00T")
	}
	if n := strings.Count(got, "452 too many recipients (#4.5.3)\r\n"); code != exit.OK || n != 1500+500 ||
		len(envs) != 3 || total != 2500 {
		t.Errorf("exit %d, %d refused, %d messages, %d recipients", code, n, len(envs), total)
	}
}

func TestASessionWithoutMailEnds(t *testing.T) {
	const commands, errors = "421 too many commands (#4.7.0)", "421 too many errors (#4.7.0)"
	for line, c := range map[string]struct {
		times int // after MAIL, which counts as a command
		want  string
	}{
		"NOOP": {maxIdle, commands}, "RSET": {maxIdle, commands}, "HELP": {maxIdle, commands},
		"RCPT TO:<x@here.test>": {maxCommands, commands},
		"FOO":                   {maxErrors + 1, errors}, "MAIL FROM:<a\x01@b>": {maxErrors + 1, errors},
		"RCPT TO:<x@there.test>": {maxErrors + 1, errors},
	} {
		w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "here.test\n"})
		got, code, _ := w.attack(func(conn *net.TCPConn) {
			io.WriteString(conn, "MAIL FROM:<a@b>\r\n"+strings.Repeat(line+"\r\n", c.times))
		})
		replies := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
		if n := len(replies) - 3; code != ended || replies[len(replies)-1] != c.want || n != c.times {
			t.Errorf("%s: exit %d, %d replies, the last is %q", line, code, n, replies[len(replies)-1])
		}
	}
}

func TestASessionThatSendsMailMayGoOn(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	const messages = 15
	part := strings.Repeat("RSET\r\n", maxIdle/10) + strings.Repeat("FOO\r\n", maxErrors/10) +
		"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"
	got, code, _ := w.attack(func(c *net.TCPConn) { io.WriteString(c, strings.Repeat(part, messages)+"QUIT\r\n") })
	if envs, _ := w.queued(); code != exit.OK || len(envs) != messages {
		t.Errorf("exit %d, %d messages; the end is %q", code, len(envs), got[max(0, len(got)-100):])
	}
}

func TestASessionHasAnHourForAMessage(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	s := w.server()
	began := time.Now()
	now := began
	s.Now = func() time.Time { now = now.Add(10 * time.Minute); return now }
	client, server := pair(t)
	go func() { s.Serve(server, server); server.Close() }()
	go io.WriteString(client, strings.Repeat("NOOP\r\n", 20))
	b, _ := io.ReadAll(client)
	if n := strings.Count(string(b), "250 ok\r\n"); n < 4 || n > 6 ||
		!strings.HasSuffix(string(b), "421 this takes too long (#4.7.0)\r\n") {
		t.Errorf("%q", b)
	}
}

// A message whose client is gone before it could know that its commands were taken is nobody's wish.
func TestNothingThatWaitsIsDoneAfterAFailedWrite(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	got, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	got.Close()
	many := strings.Repeat("RCPT TO:<c@d>\r\n", 600) // their replies are more than one write
	go func() { io.WriteString(feed, "MAIL FROM:<a@b>\r\n"+many+"DATA\r\nx\r\n.\r\nQUIT\r\n"); feed.Close() }()
	code := w.server().Serve(in, out)
	if envs, _ := w.queued(); code != ended || len(envs) > 0 {
		t.Errorf("exit %d, %d messages", code, len(envs))
	}
}

func TestAHugeMessageIsReadToItsEndAndRefused(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "databytes": "10000\n"})
	size := 1 << 28
	if testing.Short() {
		size = 1 << 26
	}
	got, code, grown := w.attack(func(c *net.TCPConn) {
		io.WriteString(c, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
		chunk := []byte(strings.Repeat(strings.Repeat("x", 78)+"\r\n", 4096))
		for sent := 0; sent < size; sent += len(chunk) {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
		io.WriteString(c, ".\r\nQUIT\r\n")
	})
	if envs, _ := w.queued(); codes(got) != "220 250 250 354 552 221" || code != exit.OK || len(envs) > 0 ||
		grown > 4<<20 {
		t.Errorf("exit %d, %q, %d bytes more", code, got, grown)
	}
}

func TestAResetConnectionEndsTheSessionAndQueuesNothing(t *testing.T) {
	for said, replies := range map[string]int{"": 1, "MAIL FROM:<a@b>\r\n": 2,
		"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n": 4} {
		w := newWorld(t, map[string]string{"me": "m.test\n"})
		c, server := pair(t)
		done := make(chan exit.Code, 1)
		go func() { done <- w.server().Serve(server, server) }()
		io.WriteString(c, said)
		for r := bufio.NewReader(c); replies > 0; replies-- {
			if l, err := r.ReadString('\n'); err != nil {
				t.Fatalf("after %q: %q, %v", said, l, err)
			}
		}
		c.SetLinger(0)
		c.Close()
		code := <-done
		if envs, _ := w.queued(); code != ended || len(envs) > 0 {
			t.Errorf("after %q: exit %d, %q", said, code, envs)
		}
	}
}

func TestAClientThatDoesNotReadRunsOutOfTime(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "timeoutsmtpd": "1\n"})
	c, server := pair(t)
	done := make(chan exit.Code, 1)
	go func() { done <- w.server().Serve(server, server) }()
	go func() {
		chunk := []byte(strings.Repeat("NOOP\r\n", 10_000))
		for {
			c.SetWriteDeadline(time.Now().Add(poll.Limit))
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}()
	select {
	case code := <-done:
		if code != ended {
			t.Error(code)
		}
	case <-time.After(poll.Limit):
		t.Error("the session waits for ever")
	}
}
