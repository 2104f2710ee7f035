// Package stsfetch fetches the policies of package sts for qmail-mtasts.
package stsfetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"qmail/internal/smtp/sts"
	"qmail/internal/text/ascii"
)

// A Fetcher asks the hosts of domains for their policies.
type Fetcher struct {
	Cache sts.Cache
	Now   func() time.Time
	Addrs func(host string) ([]netip.Addr, error)
	Port  string
	Roots *x509.CertPool // nil: those that the system trusts
	Limit time.Duration  // for all
}

// New returns a Fetcher as qmail-mtasts has it.
func New(c sts.Cache, addrs func(string) ([]netip.Addr, error)) *Fetcher {
	return &Fetcher{Cache: c, Now: time.Now, Addrs: addrs, Port: "443", Limit: 30 * time.Second}
}

var (
	errStatus = errors.New("the answer is not 200")
	errType   = errors.New("the answer is not text/plain")
)

// Fetch keeps the policy of a domain, of which the DNS has this id. Where it cannot be had that is kept, beside the
// policy that was there before (RFC 8461, section 3.3).
func (f *Fetcher) Fetch(domain, id string) error {
	old, err := f.Cache.Get(domain)
	if errors.Is(err, sts.ErrDomain) || !sts.IsID(id) {
		return sts.ErrDomain
	}
	text, err := f.get(domain)
	if err == nil {
		_, err = sts.Parse(text)
	}
	if err != nil {
		old.Tried = f.Now()
		return errors.Join(err, f.Cache.Put(domain, old))
	}
	return f.Cache.Put(domain, sts.Entry{ID: id, Text: text, Fetched: f.Now()})
}

// get asks for the policy: a certificate for the host's name, no redirection, no cache, no proxy.
func (f *Fetcher) get(domain string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), f.Limit)
	defer cancel()
	host := "mta-sts." + ascii.LowerString(domain)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("User-Agent", "qmail-mtasts")
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            f.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.Roots},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	r, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case r.StatusCode != http.StatusOK:
		return nil, errStatus
	case !ascii.Equal(strings.Trim(kind, " "), "text/plain"):
		return nil, errType
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, sts.MaxPolicy+1))
	if err == nil {
		err = ctx.Err() // an end that came with the end of the time is none
	}
	return text, err
}

// dial connects to the first address of a host that answers.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := f.Addrs(host)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	for _, a := range addrs {
		var c net.Conn
		if c, err = d.DialContext(ctx, network, net.JoinHostPort(a.String(), f.Port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}
