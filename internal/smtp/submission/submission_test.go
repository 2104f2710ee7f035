package submission

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
)

// answers makes a password server that says answer to each login, and a server of SMTP that asks it.
func answers(t *testing.T, answer string) smtpd.Login {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(home, "auth")
	err := os.WriteFile(filepath.Join(home, "control/authsocket"), []byte(socket+"\n"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nCUID\t1\nDONE\n")
			r := bufio.NewReader(c)
			for range 3 { // who it is, twice, and the login
				r.ReadString('\n')
			}
			io.WriteString(c, answer)
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	s := smtpd.Server{Control: control.Dir(home + "/control"), Now: time.Now}
	after := Equip(home, &s)
	t.Cleanup(after)
	return s.Login
}

func TestOnlyOKLetsAUserIn(t *testing.T) {
	for answer, want := range map[string]smtpd.Step{
		"OK\t1\tuser=joe\n":                    {User: "joe", Name: "joe"},
		"FAIL\t1\tuser=joe\n":                  {Name: "joe"},
		"FAIL\t1\tuser=joe\ttemp\n":            {Name: "joe", Temporary: true},
		"OK\t2\tuser=eve\nFAIL\t1\tuser=joe\n": {Name: "joe"},
	} {
		got, err := answers(t, answer).Begin("PLAIN", []byte("\x00joe\x00pw"), nil)
		if err != nil || got.User != want.User || got.Name != want.Name || got.More || got.Temporary != want.Temporary {
			t.Errorf("%q lets in %+v, %v", answer, got, err)
		}
	}
}
