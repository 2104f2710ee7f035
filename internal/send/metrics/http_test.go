package metrics

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"qmail/internal/text/crlf"
)

// ask has a request answered.
func ask(t *testing.T, request string, page func() ([]byte, error)) string {
	t.Helper()
	in, client, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reply, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { io.WriteString(client, request); client.Close() }()
	go func() { serve(in, out, page); in.Close(); out.Close() }()
	b, _ := io.ReadAll(reply)
	reply.Close()
	return string(b)
}

func numbers() ([]byte, error) { return []byte("up 1\n"), nil }

func TestARequestGetsTheNumbers(t *testing.T) {
	const header = "Host: x\r\nAccept: */*\r\n\r\n"
	for _, path := range []string{"/metrics", "/", "/metrics?x=y"} {
		got := ask(t, "GET "+path+" HTTP/1.1\r\n"+header, numbers)
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"+
			"Content-Length: 5\r\n") || !strings.HasSuffix(got, "\r\n\r\nup 1\n") {
			t.Errorf("%s: %q", path, got)
		}
	}
	if got := ask(t, "HEAD / HTTP/1.1\r\n"+header, numbers); !strings.HasSuffix(got, "close\r\n\r\n") {
		t.Errorf("HEAD: %q", got)
	}
	broken := func() ([]byte, error) { return nil, errors.New("no queue") }
	if got := ask(t, "GET / HTTP/1.1\r\n"+header, broken); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("without a queue: %q", got)
	}
}

func TestAHostileRequestGetsNoNumbers(t *testing.T) {
	never := func() ([]byte, error) { t.Error("the queue was read"); return nil, nil }
	long := strings.Repeat("x", 1<<20)
	for request, status := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":                               "400",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n":         "400",
		"GET / HTTP/1.1\r\nHost : x\r\n\r\n":                   "400",
		"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n":         "400",
		"GET /\r\n\r\n":                                        "400",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                     "400",
		"GET / HTTP/1.1 x\r\nHost: x\r\n\r\n":                  "400",
		"\x16\x03\x01\x00\x05\r\n\r\n":                         "400",
		"POST / HTTP/1.1\r\nHost: x\r\n\r\n":                   "405",
		"GET /../control/me HTTP/1.1\r\nHost: x\r\n\r\n":       "404",
		"GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n":        "414",
		"GET / HTTP/1.1\r\nHost: " + long + "\r\n\r\n":         "431",
		"GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 200): "431",
		"GET / HTTP/1.1\r\nHost: x\r\n":                        "",
		"":                                                     "",
	} {
		got := ask(t, request, never)
		if status == "" && got != "" || status != "" && !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") {
			t.Errorf("%.60q: %q, want %s", request, got, status)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n: \r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, ok := readRequest(crlf.NewReader(strings.NewReader(string(b))))
		if ok && q.status == "" && !strings.HasPrefix(string(b), "GET /") && !strings.HasPrefix(string(b), "HEAD /") {
			t.Errorf("%q is a request", b)
		}
	})
}
