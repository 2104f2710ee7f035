package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

const died = "ZConnected to 10.0.0.1 but connection died. (#4.4.2)\n|"

func TestReplyThatNeverEndsIsBoundedInMemoryAndTime(t *testing.T) {
	for name, piece := range map[string]string{
		"line":         strings.Repeat("x", 4096),
		"lines":        strings.Repeat("220-more\r\n", 400),
		"empty lines":  strings.Repeat("\n", 4096),
		"NULs":         strings.Repeat("\x00", 4096),
		"continuation": strings.Repeat("-", 4096),
	} {
		s := serve(t, func(p peer) {
			p.send("220-")
			for b := []byte(piece); ; {
				if _, err := p.Write(b); err != nil {
					return
				}
			}
		})
		g := newRig(t, s)
		g.control("timeoutremote", "10\n")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		got := g.usual()
		runtime.ReadMemStats(&after)
		// A reply may also end by accident, and be none that is wanted.
		if got != died && !strings.Contains(got, "greeting failed") && !strings.Contains(got, "name was rejected") ||
			len(got) > maxText+200 {
			t.Errorf("%s: %.200q", name, got)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: %v", name, d)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

func TestDripFedReplyEndsWithTheTimeout(t *testing.T) {
	s := serve(t, func(p peer) {
		for range time.Tick(100 * time.Millisecond) {
			if _, err := io.WriteString(p, "220-x\r\n"); err != nil {
				return
			}
		}
	})
	start := time.Now()
	if got := newRig(t, s).usual(); got != died {
		t.Errorf("%q", got)
	}
	if d := time.Since(start); d < 900*time.Millisecond {
		t.Error(d)
	}
}

func TestReplyIsReportedUpToItsBound(t *testing.T) {
	reply := "550-" + strings.Repeat("y", 3000) + "\r\n550 " + strings.Repeat("z", 9000) + "\r\n"
	got := newRig(t, serve(t, smtp("", map[string]string{"MAIL": reply}))).usual()
	want := "DConnected to 10.0.0.1 but sender was rejected.\nRemote host said: " +
		strings.ReplaceAll(reply, "\r", "")[:maxText] + "|"
	if got != want {
		t.Errorf("%d bytes; want %d", len(got), len(want))
	}
}

func TestResetAtAnyPointIsADeferral(t *testing.T) {
	reset := func(p peer) {
		p.Conn.(*net.TCPConn).SetLinger(0)
		p.Close()
	}
	for n := range 5 {
		s := serve(t, func(p peer) {
			for i, reply := range []string{"220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n", "354 x\r\n"} {
				if i > 0 {
					p.line()
				}
				if i == n {
					reset(p)
					return
				}
				p.send(reply)
			}
		})
		got := newRig(t, s).usual()
		// The first may come before the connection has been made.
		if !strings.HasSuffix(got, died) && (n > 0 || !strings.HasPrefix(got, "Z")) {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestServerThatStopsReadingEndsWithTheTimeout(t *testing.T) {
	given := make(chan struct{})
	s := serve(t, func(p peer) {
		p.send("220 x\r\n250 x\r\n250 x\r\n250 x\r\n354 x\r\n")
		<-given
	})
	g := newRig(t, s)
	var out strings.Builder
	g.Deliver([]string{"far.test", "", "c@far.test"}, &endless{64 << 20}, &out)
	close(given)
	if got := out.String(); !strings.HasPrefix(got, "r\x00ZConnected to 10.0.0.1 but connection died. (#4.4.2)") {
		t.Errorf("%q", got)
	}
}

// endless is a message of many lines.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p)/64*64, e.left/64*64)
	for i := 0; i < n; i += 64 {
		copy(p[i:], ".234567890123456789012345678901234567890123456789012345678901\r\n\n")
	}
	if e.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestLongMessageStreams(t *testing.T) {
	s := serve(t, func(p peer) {
		p.send("220 x\r\n250 x\r\n250 x\r\n250 x\r\n354 x\r\n")
		for range 4 {
			p.line()
		}
		buf, end := make([]byte, 64<<10), ""
		for !strings.HasSuffix(end, "\r\n.\r\n") {
			n, err := p.Conn.Read(buf)
			if err != nil {
				return
			}
			end = (end + string(buf[max(0, n-5):n]))
			end = end[max(0, len(end)-5):]
		}
		p.send("250 taken\r\n")
	})
	g := newRig(t, s)
	g.control("timeoutremote", "20\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var out strings.Builder
	g.Deliver([]string{"far.test", "", "c@far.test"}, &endless{256 << 20}, &out)
	runtime.ReadMemStats(&after)
	if got := out.String(); !strings.HasPrefix(got, "r\x00K") {
		t.Errorf("%q", got)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 128<<20 { // the server's own strings are most of it
		t.Errorf("%d bytes", n)
	}
}

func TestTenThousandRecipientsInOneFlightDoNotDeadlock(t *testing.T) {
	const n = 10000
	s := serve(t, func(p peer) {
		p.send("220 x\r\n")
		p.line()
		p.send("250-x\r\n250 PIPELINING\r\n")
		for l := p.line(); l != "DATA\r\n" && l != ""; l = p.line() {
			p.send("250-" + strings.Repeat("a long reply ", 30) + "\r\n250 ok\r\n")
		}
		p.send("354 x\r\n")
		p.data()
		p.send("250 taken\r\n")
	})
	args := []string{"far.test", "a@b.test"}
	for i := range n {
		args = append(args, fmt.Sprintf("recipient-%d@far.test", i))
	}
	g := newRig(t, s)
	g.control("timeoutremote", "10\n")
	if got := g.send(testMessage, args...); got != strings.Repeat("r|", n)+accepted[2:] {
		t.Errorf("%.300q", got)
	}
}

// script is a connection whose other end sends what it was given to send, whatever it hears.
type script struct {
	net.Conn
	r    io.Reader
	sent int
}

func (c *script) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *script) Write(p []byte) (int, error) { c.sent += len(p); return len(p), nil }
func (*script) Close() error                  { return nil }
func (*script) SetDeadline(time.Time) error   { return nil }

func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer lets a server say anything. The report must be one that qmail-rspawn can read, and must
// claim success only where the replies amount to it.
func FuzzServer(f *testing.F) {
	for _, s := range []string{
		"220 x\r\n250 x\r\n250 x\r\n250 x\r\n550 x\r\n354 x\r\n250 x\r\n",
		"220 x\r\n250-x\r\n250-PIPELINING\r\n250 SIZE\r\n250 x\r\n250 x\r\n550 x\r\n354 x\r\n250 x\r\n",
		"220 x\r\n500 x\r\n250 x\r\n250 x\r\n250 x\r\n450 x\r\n354 x\r\n", "220 x\r\n250-PIPELINING\n25\n", "",
		"\n\n\n\n\n\n\n\n\n\n",
		"220\n250\n250\n250\n250\n250\n250\n",
	} {
		f.Add([]byte(s), testMessage)
	}
	g := newRig(f, nil)
	f.Fuzz(func(t *testing.T, says []byte, message string) {
		c := &script{r: strings.NewReader(string(says))}
		g.Dial = func(context.Context, netip.AddrPort, time.Duration) (net.Conn, error) { return c, nil }
		g.Keep = true
		report := g.send(message, "far.test", "a@b.test", "c@far.test", "d@far.test")
		g.kept = nil
		if strings.Contains(string(says), "|") {
			return // it stands for NUL here
		}
		if !strings.HasSuffix(report, "|") {
			t.Fatalf("%q", report)
		}
		parts := strings.Split(strings.TrimSuffix(report, "|"), "|")
		last := parts[len(parts)-1]
		for _, p := range parts[:len(parts)-1] {
			if p == "" || p[0] != 'r' && p[0] != 'h' && p[0] != 's' {
				t.Fatalf("%q", report)
			}
		}
		if len(parts) > 3 || last == "" || last[0] != 'K' && last[0] != 'Z' && last[0] != 'D' {
			t.Fatalf("%q", report)
		}
		if last[0] == 'K' && (len(parts) != 3 || parts[0] != "r" && parts[1] != "r") {
			t.Fatalf("%q", report)
		}
	})
}

// modelReply says what a reply is, by the words of the original's rule.
func modelReply(b []byte) (code uint64, text string, rest []byte, ok bool) {
	take := func() byte {
		if len(b) == 0 {
			panic("short")
		}
		c := b[0]
		b = b[1:]
		if c != '\r' {
			text += string([]byte{c})
		}
		return c
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	for i := uint64(100); i > 0; i /= 10 {
		code += (uint64(take()) - '0') * i
	}
	for take() == '-' {
		for take() != '\n' {
		}
		take()
		take()
		take()
	}
	// The byte after the code may itself be the LF that ends the line.
	for text[len(text)-1] != '\n' {
		take()
	}
	return code, text, b, true
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250-b\n250 c\r\nrest", "25\r\n", "\r\n\r\n\r\n", "abc\n",
		"250-\n\n\n\n-\nabc\n", "25 short\r\n", "   \n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4000 || strings.Contains(string(b), "\r") {
			b = []byte(strings.ReplaceAll(string(b[:min(len(b), 4000)]), "\r", ""))
		}
		s := newSession(&script{r: strings.NewReader(string(b))}, netip.AddrPort{}, &job{settings: &settings{}})
		code, err := s.reply()
		wantCode, wantText, rest, ok := modelReply(b)
		if ok != (err == nil) {
			t.Fatalf("%q: %v; want %v", b, err, ok)
		}
		if !ok {
			return
		}
		left, _ := io.ReadAll(s.r)
		if code != wantCode || string(s.text) != wantText || string(left) != string(rest) {
			t.Fatalf("%q: %d %q %q; want %d %q %q", b, code, s.text, left, wantCode, wantText, rest)
		}
	})
}
