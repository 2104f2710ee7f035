package guard

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/net/dns"
	"qmail/internal/net/ipme"
	"qmail/internal/site/control"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/tcpto"
)

// An authority makes certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, key: key(t)}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-240 * time.Hour),
		NotAfter: time.Now().Add(240 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// issue makes a certificate for names, valid until a time from now.
func (a *authority) issue(valid time.Duration, names ...string) tls.Certificate {
	a.t.Helper()
	k := key(a.t)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: names, NotBefore: time.Now().Add(-120 * time.Hour),
		NotAfter: time.Now().Add(valid), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(names[0]); ip != nil {
		c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: k, Leaf: leaf}
}

const (
	allDay     = 24 * time.Hour
	pipelining = "250-PIPELINING\r\n"
	starttls   = "250-STARTTLS\r\n"
)

// A host is an SMTP server with TLS; what is nil or empty is as usual.
type host struct {
	config *tls.Config
	offers string

	atOnce  bool                         // TLS comes first
	answer  string                       // to STARTTLS, with what is to come in the same packet
	shake   func(n int, c net.Conn) bool // in the place of the handshake; false: this is the end
	replies map[string]string            // under TLS
	// login returns the reply to AUTH.
	login  func(l string, ask func(challenge string) string) string
	server *tls.Conn // of the last handshake
	abrupt bool      // the connection is cut after the final dot's answer, without close_notify

	mu      sync.Mutex
	heard   []string // by connection
	secret  []bool
	sni     []string
	curves  [][]tls.CurveID
	wg      sync.WaitGroup
	address string
}

func (h *host) serve(t testing.TB) *host {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	if h.config != nil {
		c := h.config.Clone()
		c.GetConfigForClient = func(i *tls.ClientHelloInfo) (*tls.Config, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.sni, h.curves = append(h.sni, i.ServerName), append(h.curves, i.SupportedCurves)
			return nil, nil
		}
		h.config = c
	}
	t.Cleanup(func() { l.Close(); h.wg.Wait() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.heard, h.secret = append(h.heard, ""), append(h.secret, false)
			h.mu.Unlock()
			h.wg.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(poll.Limit))
				h.talk(n, c)
			})
		}
	}()
	return h
}

func (h *host) tls(n int, c net.Conn) net.Conn {
	if h.shake != nil && !h.shake(n, c) {
		return nil
	}
	s := tls.Server(c, h.config)
	if s.Handshake() != nil {
		return nil
	}
	h.mu.Lock()
	h.secret[n], h.server = true, s
	h.mu.Unlock()
	return s
}

func (h *host) talk(n int, raw net.Conn) {
	c, offers := raw, h.offers
	if h.atOnce {
		if c = h.tls(n, raw); c == nil {
			return
		}
	}
	r := bufio.NewReader(c)
	io.WriteString(c, "220 fake ESMTP\r\n")
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return
		}
		h.mu.Lock()
		h.heard[n] += l
		h.mu.Unlock()
		reply := "250 ok\r\n"
		switch (l + "    ")[:4] {
		case "EHLO":
			reply = "250-fake\r\n" + offers + "250 HELP\r\n"
		case "DATA":
			reply = "354 go\r\n"
		case "AUTH":
			reply = h.login(strings.TrimSuffix(l, "\r\n"), func(challenge string) string {
				io.WriteString(c, "334 "+challenge+"\r\n")
				l, _ := r.ReadString('\n')
				h.mu.Lock()
				h.heard[n] += l
				h.mu.Unlock()
				return strings.TrimSuffix(l, "\r\n")
			})
		case "QUIT":
			return
		case "STAR":
			reply = "220 go\r\n"
			if h.answer != "" {
				reply = h.answer
			}
			io.WriteString(c, reply)
			if reply[0] != '2' {
				continue
			}
			if c = h.tls(n, raw); c == nil {
				return
			}
			r, offers = bufio.NewReader(c), strings.ReplaceAll(h.offers, starttls, "")
			continue
		default:
		}
		if s, ok := h.replies[(l + "    ")[:4]]; ok && c != raw {
			reply = s
		}
		if reply == "" {
			return
		}
		io.WriteString(c, reply)
		if l == "DATA\r\n" {
			for l != ".\r\n" {
				if l, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			io.WriteString(c, "250 taken\r\n")
			if h.abrupt {
				return
			}
		}
	}
}

// all waits until nothing is open, and returns what was heard and which connections were secret.
func (h *host) all() (heard []string, secret []bool) {
	h.wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heard, h.secret
}

type names map[string][]dns.MX

func (n names) MX(domain string) ([]dns.MX, error) {
	if list, ok := n[domain]; ok {
		return list, nil
	}
	return nil, dns.ErrNotFound
}
func (names) Addrs(string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
}

// A rig is a Remote with a Guard, for which every host is the one that listens.
type rig struct {
	*remote.Remote
	*Guard
	t   testing.TB
	dns names
}

func newRig(t testing.TB, h *host, a *authority) *rig {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int{tcpto.Name4: 1024, tcpto.Name6: 2048, tcpto.NameQuirks: 8192} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g := New(control.Dir(dir))
	g.Roots = func() (*x509.CertPool, error) {
		p := x509.NewCertPool()
		if a != nil {
			p.AddCert(a.cert)
		}
		return p, nil
	}
	x := &rig{t: t, Guard: g, dns: names{"far.test": {{Pref: 1, Host: "mx.far.test"}}}}
	x.Remote = &remote.Remote{
		Control: g.Control, Dead: tcpto.Table(dir), Pid: 1, Now: time.Now, Secure: g,
		Resolve: func() remote.Resolver { return x.dns },
		Ours:    func([]netip.Addr) (ipme.Set, error) { return ipme.Set{}, nil },
		Dial: func(ctx context.Context, _ netip.AddrPort, within time.Duration) (net.Conn, error) {
			return remote.Connect(ctx, netip.MustParseAddrPort(h.address), within)
		},
	}
	x.control("me", "me.test\n")
	x.control("timeoutremote", "2\n")
	t.Cleanup(x.Rest)
	return x
}

func (x *rig) control(name, text string) {
	x.t.Helper()
	path := filepath.Join(string(x.Guard.Control), name)
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		x.t.Fatal(err)
	}
}

// send delivers a message and returns the report, with | for NUL.
func (x *rig) send(domain string) string {
	var out bytes.Buffer
	args := []string{domain, "a@b.test", "c@" + domain}
	if code := x.Deliver(args, strings.NewReader("Subject: x\n\nhello\n"), &out); code != 0 {
		x.t.Errorf("exit %d", code)
	}
	return strings.ReplaceAll(out.String(), "\x00", "|")
}

const taken = "r|K10.0.0.1 accepted message.\nRemote host said: 250 taken\n"

func secretly(policy string) string {
	return taken + "tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 policy=" + policy + "\n|"
}
func openly(policy string) string { return taken + "tls=none policy=" + policy + "\n|" }

func failed(policy, why string) string {
	return "ZConnected to 10.0.0.1 but TLS failed (mx.far.test, policy " + policy + "): " + why + ". (#4.7.5)\n|"
}
