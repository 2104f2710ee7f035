package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/site/control"
	"qmail/internal/submit/envelope"
	"qmail/internal/text/exit"
	"qmail/internal/text/netstring"
)

// server answers each connection by reply after it has read a whole request, and gives the requests to got. An
// empty reply closes the connection instead.
func server(t *testing.T, reply string) (address string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b, err := netstring.Read(bufio.NewReader(c), 1<<30)
			if err == nil {
				got <- string(b)
				io.WriteString(c, reply)
			}
			c.Close()
		}
	}()
	return l.Addr().String(), got
}

// dead is an address where nobody listens.
func dead(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func send(t *testing.T, text, env string, servers ...string) exit.Code {
	t.Helper()
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "qmqpservers"), []byte(strings.Join(servers, "\n")), 0o600)
	open := func(name, content string) *os.File {
		path := filepath.Join(dir, name)
		os.WriteFile(path, []byte(content), 0o600)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	return run(control.Dir(dir), open("text", text), open("env", env))
}

const goodEnvelope = "Fa@b\x00Tc@d\x00Te@f\x00\x00"

func TestTheFirstServerThatAnswersDecides(t *testing.T) {
	yes, _ := server(t, "4:Kok ,")
	no, _ := server(t, "3:Dno,")
	later, _ := server(t, "6:Zlater,")
	gone, _ := server(t, "")
	for _, c := range []struct {
		servers []string
		want    exit.Code
	}{
		{[]string{yes}, exit.OK}, {[]string{no, yes}, envelope.Rejected}, {[]string{later}, envelope.NotNow},
		{[]string{later, yes}, exit.OK}, {[]string{gone}, envelope.ConnFailed}, {[]string{gone, yes}, exit.OK},
		{[]string{dead(t)}, envelope.ConnRefused}, {[]string{dead(t), "# comment", "a.host.name", later, gone, yes}, exit.OK},
		{[]string{"a.host.name"}, envelope.BadControl}, {nil, envelope.BadControl},
		{[]string{later, dead(t)}, envelope.ConnRefused},
	} {
		if got := send(t, "hi\n", goodEnvelope, c.servers...); got != c.want {
			t.Errorf("%q: %d, want %d", c.servers, got, c.want)
		}
	}
}

func TestEveryServerGetsTheWholeMessage(t *testing.T) {
	later, first := server(t, "6:Zlater,")
	yes, second := server(t, "4:Kok ,")
	for _, size := range []int{0, 1, inMemory - 1, inMemory, inMemory + 1, 5 * inMemory} {
		text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		if code := send(t, text, goodEnvelope, later, yes); code != exit.OK {
			t.Fatalf("%d bytes: %d", size, code)
		}
		want := netstring.AppendString(nil, text)
		for _, a := range []string{"a@b", "c@d", "e@f"} {
			want = netstring.AppendString(want, a)
		}
		if a, b := <-first, <-second; a != string(want) || !bytes.Equal([]byte(b), want) {
			t.Errorf("%d bytes did not arrive as they were", size)
		}
	}
}

func TestABadEnvelopeIsNeverSent(t *testing.T) {
	yes, got := server(t, "4:Kok ,")
	for env, want := range map[string]exit.Code{
		"": envelope.ReadError, "X": envelope.BadEnvelope, "Fa\x00": envelope.ReadError, "Fa\x00Tb": envelope.ReadError,
		"Fa\x00Xb\x00\x00":                           envelope.BadEnvelope,
		"F" + strings.Repeat("x", 2000) + "\x00\x00": envelope.TooLong,
	} {
		if code := send(t, "hi\n", env, yes); code != want {
			t.Errorf("%.20q: %d, want %d", env, code, want)
		}
	}
	if len(got) > 0 {
		t.Errorf("%q", <-got)
	}
}

func TestServersAreAddresses(t *testing.T) {
	for line, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:628", "10.0.0.1:6280": "10.0.0.1:6280", "::1": "[::1]:628", "[::1]": "[::1]:628",
		"[2001:db8::1]:1": "[2001:db8::1]:1",
	} {
		if got, ok := parseServer(line); !ok || got.String() != want {
			t.Errorf("%q: %v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "host", "1.2.3", "1.2.3.4:x", "[::1", "1.2.3.4 # x"} {
		if got, ok := parseServer(line); ok {
			t.Errorf("%q: %v", line, got)
		}
	}
}
