package sys

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

func TestASyslogMessageOutlivesARestartOfTheLogger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := &Syslog{Paths: []string{path + "x", path}}
	if s.Send([]byte("lost"), time.Now()) == nil {
		t.Error("sent to nobody")
	}
	for _, text := range []string{"one", "two", "three"} {
		sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send([]byte(text), time.Now()); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		sock.SetReadDeadline(time.Now().Add(poll.Limit))
		if n, err := sock.Read(b); err != nil || string(b[:n]) != text {
			t.Errorf("%q %v, want %s", b[:n], err, text)
		}
		sock.Close()
		os.Remove(path)
	}
	done := make(chan struct{})
	time.AfterFunc(100*time.Millisecond, func() {
		defer close(done)
		sock, err := net.Listen("unix", path)
		if err != nil {
			t.Error(err)
			return
		}
		if c, err := sock.Accept(); err == nil {
			b := make([]byte, 100)
			c.SetReadDeadline(time.Now().Add(poll.Limit))
			if n, err := c.Read(b); err != nil || string(b[:n]) != "four\x00" {
				t.Errorf("%q %v", b[:n], err)
			}
			c.Close()
		}
	})
	if err := s.Send([]byte("four"), time.Now().Add(5*time.Second)); err != nil {
		t.Error(err)
	}
	<-done
}
