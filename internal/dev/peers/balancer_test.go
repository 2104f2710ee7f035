//go:build linux

package peers

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

// A session through HAProxy is that of the client behind it, under a listening tcp-env and under inetd.
func TestHAProxySaysWhoseTheConnectionIs(t *testing.T) {
	if !inside(t, "haproxy") {
		return
	}
	q := here(t)
	q.configure()
	q.control("proxyfrom", "127.0.9.0/24\n", "rcpthosts", "qmail.test\n")
	q.write("/etc/haproxy.cfg", `defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  source 127.0.9.1
listen one
  bind 127.0.0.1:2501
  server mx 127.0.0.1:25 send-proxy
listen two
  bind 127.0.0.1:2502
  server mx 127.0.0.1:25 send-proxy-v2
listen none
  bind 127.0.0.1:2503
  server mx 127.0.0.1:25
`)
	_, stopBalancer := q.daemon("root", "haproxy", "-db", "-f", "/etc/haproxy.cfg")
	defer stopBalancer()
	for _, way := range []string{"socket", "inetd"} {
		stop := q.serve(way)
		waitPort(t, "127.0.0.1:2502")
		for port, want := range map[string]string{":2501": "127.0.7.7", ":2502": "127.0.7.7", ":25": "127.0.9.9"} {
			from, to := "127.0.7.7", "127.0.0.1"+port
			if port == ":25" { // straight there, from a balancer's network, as a connection that only looks
				from = "127.0.9.9"
			}
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := d.Dial("tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(poll.Limit))
			if port == ":25" {
				io.WriteString(c, "PROXY UNKNOWN\r\n")
			}
			io.WriteString(c, "MAIL FROM:<a@b.test>\r\nRCPT TO:<me@qmail.test>\r\nDATA\r\n"+
				"Subject: "+way+port+"\r\n\r\n.\r\nQUIT\r\n")
			b, err := io.ReadAll(c)
			c.Close()
			if err != nil || !strings.Contains(string(b), " qp ") {
				t.Fatalf("%s by %s: %q, %v", port, way, b, err)
			}
			found := false
			for _, name := range q.queued() {
				text := q.read(name)
				found = found || strings.Contains(text, "Subject: "+way+port+"\n") && strings.Contains(text, "("+want+")")
			}
			if !found {
				t.Errorf("%s by %s: no message from %s", port, way, want)
			}
		}
		c, err := net.Dial("tcp", "127.0.0.1:2503")
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(poll.Limit))
		if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
			t.Errorf("without a header the balancer got %q", line)
		}
		c.Close()
		stop()
	}
	// The DNS of this world knows no name.
	q.control("mfdnscheck", "1\n")
	stop := q.serve("inetd")
	defer stop()
	c, err := net.Dial("tcp", "127.0.0.1:25")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	io.WriteString(c, "MAIL FROM:<a@b.test>\r\nRCPT TO:<me@qmail.test>\r\n"+
		"MAIL FROM:<>\r\nRCPT TO:<me@qmail.test>\r\nQUIT\r\n")
	b, err := io.ReadAll(c)
	if lines := strings.Split(string(b), "\r\n"); err != nil || len(lines) != 7 ||
		!strings.Contains(lines[2], "5.1.8") || !strings.HasPrefix(lines[4], "250") {
		t.Errorf("a sender of nowhere, and none: %q, %v", b, err)
	}
}
