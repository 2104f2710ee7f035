package smtpd

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

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
	case <-time.After(time.Minute):
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
	start := time.Now()
	got, code, _ := w.attack(func(c *net.TCPConn) {
		for range 100 {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	if code != ended || time.Since(start) > 5*time.Second || !strings.HasSuffix(got, "451 timeout (#4.4.2)\r\n") {
		t.Errorf("exit %d after %v: %q", code, time.Since(start), got)
	}
}

func TestTenThousandRecipientsAreTaken(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
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
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	line := "RCPT TO:<" + strings.Repeat("x", maxAddress) + ">\r\n"
	got, _, grown := w.attack(func(c *net.TCPConn) {
		io.WriteString(c, "MAIL FROM:<a@b>\r\n")
		for range maxRecipients/maxAddress + 100 {
			if _, err := io.WriteString(c, line); err != nil {
				return
			}
		}
		io.WriteString(c, "QUIT\r\n")
	})
	if !strings.Contains(got, "452 too many recipients (#4.5.3)\r\n") || grown > 5*maxRecipients {
		t.Errorf("%d bytes more; the end is %q", grown, got[max(0, len(got)-100):])
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
	for _, said := range []string{"", "MAIL FROM:<a@b>\r\n",
		"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n"} {
		w := newWorld(t, map[string]string{"me": "m.test\n"})
		_, code, _ := w.attack(func(c *net.TCPConn) {
			io.WriteString(c, said)
			time.Sleep(20 * time.Millisecond)
			c.SetLinger(0)
			c.Close()
		})
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
			c.SetWriteDeadline(time.Now().Add(20 * time.Second))
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
	case <-time.After(20 * time.Second):
		t.Error("the session waits for ever")
	}
}
