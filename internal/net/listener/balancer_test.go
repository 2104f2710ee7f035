package listener

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
)

// balanced serves with 127.0.9.0/24 as the balancers.
func balanced(t *testing.T) (address string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "proxyfrom"), []byte("127.0.9.0/24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	address, _, _ = serve(t, Service{Limit: 8, PerAddress: 2, Log: os.Stderr, Control: control.Dir(dir)})
	return address
}

func TestConnectionThatABalancerPassesOnIsTheClients(t *testing.T) {
	address := balanced(t)
	header := "PROXY TCP4 192.0.2.1 192.0.2.25 1000 25\r\n"
	var open []caller
	for range 2 {
		c := dial(t, address, "127.0.9.1")
		io.WriteString(c, header+"hello\n")
		if got, want := c.line(), "-R -p192.0.2.1:1000,192.0.2.25:25 a b 0,1\n"; got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if got := c.line(); got != "hello\n" {
			t.Errorf("what came behind the header became %q", got)
		}
		open = append(open, c)
	}
	// The limit of an address is the client's, and not the balancer's.
	c := dial(t, address, "127.0.9.2")
	io.WriteString(c, header)
	if got := c.line(); got != "" {
		t.Errorf("a third of the client's got %q", got)
	}
	c = dial(t, address, "127.0.9.1")
	io.WriteString(c, strings.Replace(header, "192.0.2.1", "192.0.2.2", 1))
	if got := c.line(); !strings.HasPrefix(got, "-R -p192.0.2.2:") {
		t.Errorf("another client got %q", got)
	}
	for _, c := range open {
		c.Close()
	}
	c = dial(t, address, "127.0.9.1")
	io.WriteString(c, "PROXY UNKNOWN\r\n")
	if got := c.line(); got != "-R -p- a b 0,1\n" {
		t.Errorf("a connection of the balancer's own got %q", got)
	}
}

func TestHeaderOfAStrangerIsNoHeader(t *testing.T) {
	address := balanced(t)
	c := dial(t, address, "127.0.8.1")
	io.WriteString(c, "PROXY TCP4 127.0.0.1 127.0.0.1 1000 25\r\n")
	if got := c.line(); got != "-R a b 0,1\n" {
		t.Errorf("%q", got)
	}
	if got := c.line(); got != "PROXY TCP4 127.0.0.1 127.0.0.1 1000 25\r\n" {
		t.Errorf("the program read %q", got)
	}
}

func TestBalancerWithoutAHeaderGetsNothingAndHoldsUpNobody(t *testing.T) {
	address := balanced(t)
	slow := dial(t, address, "127.0.9.1")
	io.WriteString(slow, "PROXY TCP4 192.")
	junk := dial(t, address, "127.0.9.1")
	io.WriteString(junk, "EHLO example.org\r\n")
	gone := dial(t, address, "127.0.9.1")
	gone.Close()
	if got := junk.line(); got != "" {
		t.Errorf("junk got %q", got)
	}
	if got := dial(t, address, "127.0.8.1").line(); got != "-R a b 0,1\n" {
		t.Errorf("a client beside it got %q", got)
	}
	began := time.Now()
	if got := slow.line(); got != "" {
		t.Errorf("a slow header got %q", got)
	}
	if time.Since(began) < time.Second {
		t.Error("the slow one had no time")
	}
}
