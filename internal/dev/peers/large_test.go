//go:build linux

package peers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

// large returns messages that must pass unchanged, by name. They have no bare CR.
func large() map[string][]byte {
	var headers bytes.Buffer
	for i := range 250000 {
		fmt.Fprintf(&headers, "X-Line: %d\n", i)
	}
	headers.WriteString("\nbody\n")
	big := bytes.Buffer{}
	big.WriteString("Subject: big\n\n")
	line := []byte("..From 0123456789 abcdefghijklmnopqrstuvwxyz\n.\n.\n\n")
	for big.Len() < 24<<20 {
		big.Write(line)
	}
	var bits bytes.Buffer
	bits.WriteString("Subject: \xff\xfe\x80 raw\n\n")
	for i := range 200000 {
		for c := range 256 {
			if c != '\r' && (c != '\n' || i%3 == 0) {
				bits.WriteByte(byte(c))
			}
		}
		if bits.Len() > 5<<20 {
			break
		}
	}
	bits.WriteString("\n.\n..\n.\x00\n\x00\n")
	return map[string][]byte{"headers": headers.Bytes(), "big": big.Bytes(), "bits": bits.Bytes()}
}

// wire returns a message as it goes over the wire.
func wire(m []byte) []byte {
	out := make([]byte, 0, len(m)+len(m)/10)
	for len(m) > 0 {
		i := bytes.IndexByte(m, '\n')
		if m[0] == '.' {
			out = append(out, '.')
		}
		out = append(append(out, m[:i]...), '\r', '\n')
		m = m[i+1:]
	}
	return append(out, ".\r\n"...)
}

func TestLargeMessagesPassFromSMTPToAMaildirUnchanged(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me")
	q.start()
	stop := q.serve("socket")
	n := 0
	for name, m := range large() {
		c, err := net.Dial("tcp", "127.0.0.1:25")
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(poll.Limit))
		r := bufio.NewReader(c)
		expect := func(code string) {
			t.Helper()
			for {
				l, err := r.ReadString('\n')
				if err != nil || !strings.HasPrefix(l, code) {
					t.Fatalf("%s: %q, %v", name, l, err)
				}
				if l[3] == ' ' {
					return
				}
			}
		}
		expect("220")
		for _, s := range []string{"EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<me@qmail.test>"} {
			fmt.Fprintf(c, "%s\r\n", s)
			expect("250")
		}
		fmt.Fprint(c, "DATA\r\n")
		expect("354")
		if _, err := c.Write(wire(m)); err != nil {
			t.Fatal(err)
		}
		expect("250")
		c.Close()
		n++
		q.wait("the message "+name, func() bool { return len(q.messages("me")) == n })
		got, err := os.ReadFile(q.messages("me")[n-1])
		if err != nil || !bytes.HasSuffix(got, m) || len(got) > len(m)+1000 {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(m), err)
		}
		q.waitEmpty()
	}
	stop()
	q.stop()
}

func TestLargeMessagesPassFromInjectToARemoteHostUnchanged(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.control("smtproutes", ":[127.0.0.1]:2525\n")
	received := sink(t, "127.0.0.1:2525")
	q.start()
	for name, m := range large() {
		out, err := q.run("me", string(m), home("bin/qmail-inject"), "you@far.test")
		if err != nil {
			t.Fatalf("%s: %v %s", name, err, tail(out))
		}
		select {
		case got := <-received:
			// Fields that qmail-inject and qmail-queue add come first.
			if !bytes.HasSuffix(got, wire(m)) || len(got) > len(wire(m))+1000 {
				t.Errorf("%s: %d bytes of %d", name, len(got), len(wire(m)))
			}
		case <-time.After(poll.Limit):
			t.Fatalf("%s did not come; the log:\n%s", name, tail(q.text()))
		}
		q.waitEmpty()
	}
	q.stop()
}

// sink is a server that takes any message and passes on its bytes as they were on the wire.
func sink(t *testing.T, addr string) <-chan []byte {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	received := make(chan []byte, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go swallow(c, received)
		}
	}()
	return received
}

func swallow(c net.Conn, received chan<- []byte) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 1<<20)
	io.WriteString(c, "220 sink\r\n")
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasPrefix(strings.ToUpper(l), "DATA") {
			io.WriteString(c, "250 ok\r\n")
			continue
		}
		io.WriteString(c, "354 go\r\n")
		var m []byte
		for !bytes.HasSuffix(m, []byte("\r\n.\r\n")) {
			b, err := r.ReadSlice('\n')
			if err != nil && err != bufio.ErrBufferFull {
				return
			}
			m = append(m, b...)
		}
		received <- m
		io.WriteString(c, "250 taken\r\n")
	}
}
