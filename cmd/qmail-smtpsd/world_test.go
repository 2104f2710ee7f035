package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// greet connects, and does STARTTLS.
func greet(t *testing.T, address string) (*tls.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(poll.Limit))
	r := bufio.NewReader(c)
	said := dialogue(t, c, r, "", "EHLO x\r\n", "STARTTLS\r\n")
	if !strings.Contains(said, "250-STARTTLS\r\n") || !strings.HasSuffix(said, "220 ready for TLS\r\n") {
		t.Fatalf("%q", said)
	}
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return s, bufio.NewReader(s)
}

// dialogue reads a reply for each line that it says.
func dialogue(t *testing.T, c io.Writer, r *bufio.Reader, lines ...string) string {
	t.Helper()
	var all strings.Builder
	for _, l := range lines {
		io.WriteString(c, l)
		for {
			reply, err := r.ReadString('\n')
			all.WriteString(reply)
			if err != nil {
				t.Fatalf("%q, then %v", all.String(), err)
			}
			if len(reply) > 3 && reply[3] == ' ' {
				break
			}
		}
	}
	return all.String()
}

func TestOneServerServesClientsWithAndWithoutTLSAndItsWorkersNeverSeeTheKey(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	address, log := testserver.Serve(t, "qmail-smtpsd")
	c, r := greet(t, address)
	said := dialogue(t, c, r, "EHLO y\r\n", "MAIL FROM:<a@b.test>\r\n", "RCPT TO:<c@m.test>\r\n", "DATA\r\n",
		"\r\nx\r\n.\r\n", "QUIT\r\n")
	if strings.Contains(said, "STARTTLS") || !strings.Contains(said, "354 go ahead\r\n250 ok ") {
		t.Errorf("%q", said)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "with ESMTPS (TLS_AES_128_GCM_SHA256, TLS1.3); ") {
		t.Errorf("%q", m)
	}
	if !strings.Contains(log.String(), ": TLS: TLS_AES_128_GCM_SHA256, TLS1.3\n") {
		t.Errorf("%q", log.String())
	}
	// The peers of Debian, by the same worker or another.
	host, port, _ := net.SplitHostPort(address)
	for _, command := range []string{
		"printf 'QUIT\\r\\n' | openssl s_client -quiet -tls1_2 -starttls smtp -connect " + address,
		"printf 'QUIT\\r\\n' | openssl s_client -quiet -tls1_3 -starttls smtp -connect " + address,
		fmt.Sprintf("swaks --tls --server %s --port %s --from a@b.test --to c@m.test --h-Subject secret", host, port),
		fmt.Sprintf("printf 'Subject: secret\\r\\n\\r\\nx\\r\\n' | curl -sS --ssl-reqd -k smtp://%s --mail-from a@b.test "+
			"--mail-rcpt c@m.test -T -", address),
		fmt.Sprintf("swaks --server %s --port %s --from a@b.test --to c@m.test --h-Subject plain", host, port),
	} {
		program := strings.Fields(command[strings.LastIndex(command, "|")+1:])[0]
		testqmail.Need(t, program)
		out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
			continue
		}
		if strings.Contains(command, "Subject") {
			m := testserver.Queued(t)
			if want := strings.Contains(command, "secret"); strings.Contains(m, "with ESMTPS (") != want {
				t.Errorf("%s: %q", command, m)
			}
		}
	}
}

func TestTwoHundredHeldHandshakesDoNotKeepAnHonestClientWaiting(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	testserver.Install(t)
	address, _ := testserver.Serve(t, "qmail-smtpsd", "SMTPS=")
	for i := range 200 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/40))}}
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("\x16\x03\x01\x02\x00\x01"))
	}
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	if said := dialogue(t, c, bufio.NewReader(c), "", "QUIT\r\n"); !strings.HasPrefix(said, "220 m.test ESMTP\r\n221") {
		t.Errorf("%q", said)
	}
}
