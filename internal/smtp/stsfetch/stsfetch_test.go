package stsfetch

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/smtp/sts"
)

const usual = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 86400\r\n"

// fetcher returns a Fetcher for which every host but gone.test is a server with a certificate for *.example.com.
func fetcher(t *testing.T, answer http.HandlerFunc) *Fetcher {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	f := New(sts.Cache(t.TempDir()), func(host string) ([]netip.Addr, error) {
		if host == "mta-sts.gone.test" {
			return nil, dns.ErrNotFound
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	})
	_, f.Port, _ = net.SplitHostPort(s.Listener.Addr().String())
	f.Roots = x509.NewCertPool()
	f.Roots.AddCert(s.Certificate())
	return f
}

func TestAPolicyIsKeptWithItsID(t *testing.T) {
	var path, host string
	f := fetcher(t, func(w http.ResponseWriter, r *http.Request) {
		path, host = r.URL.Path, r.Host
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte(usual))
	})
	if err := f.Fetch("example.com", "x1"); err != nil {
		t.Fatal(err)
	}
	e, err := f.Cache.Get("example.com")
	if p, ok := e.Valid(time.Now()); err != nil || !ok || e.ID != "x1" || p.Mode != sts.Enforce ||
		!p.Allows("mx.example.com") {
		t.Errorf("%+v, %v", e, err)
	}
	if path != "/.well-known/mta-sts.txt" || host != "mta-sts.example.com" {
		t.Errorf("%s of %s was asked for", path, host)
	}
}

func TestWhatIsNoPolicyIsNotKeptAndWhatWasThereStays(t *testing.T) {
	say := func(kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Write([]byte(text))
		}
	}
	const plain = "text/plain"
	for name, c := range map[string]struct {
		domain string
		answer http.HandlerFunc
	}{
		"redirected": {"example.com", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/elsewhere" {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return
			}
			say(plain, usual)(w, r)
		}},
		"not found":    {"example.com", http.NotFound},
		"no content":   {"example.com", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
		"another type": {"example.com", say("text/html", usual)},
		"nonsense":     {"example.com", say(plain, "hello")},
		"too long":     {"example.com", say(plain, usual+strings.Repeat("a", 1<<20))},
		"another name": {"other.test", say(plain, usual)},
		"gone":         {"gone.test", nil},
		"cut off": {"example.com", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			say(plain, usual)(w, r)
		}},
		"drips": {"example.com", func(w http.ResponseWriter, r *http.Request) {
			say(plain, usual)(w, r)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		"answers nothing": {"example.com", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		f := fetcher(t, c.answer)
		f.Limit = 300 * time.Millisecond
		if name != "drips" && name != "answers nothing" {
			f.Limit = time.Minute
		}
		before := sts.Entry{ID: "old", Text: []byte(usual), Fetched: time.Now()}
		if err := f.Cache.Put(c.domain, before); err != nil {
			t.Fatal(err)
		}
		if err := f.Fetch(c.domain, "x1"); err == nil {
			t.Errorf("%s: a policy", name)
		}
		e, err := f.Cache.Get(c.domain)
		if err != nil || e.ID != "old" || string(e.Text) != usual || e.Due("x1", time.Now()) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestACertificateThatNobodyVouchesForIsNone(t *testing.T) {
	f := fetcher(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(usual)) })
	f.Roots = x509.NewCertPool()
	if err := f.Fetch("example.com", "x1"); err == nil {
		t.Error("a policy of whoever answers")
	}
	for _, domain := range []string{"../x", "", "a..b"} {
		if f.Fetch(domain, "x1") == nil {
			t.Errorf("%q has a policy", domain)
		}
	}
	if f.Fetch("example.com", "../x") == nil {
		t.Error("an id that is none")
	}
}
