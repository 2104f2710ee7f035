package guard

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/smtp/remote"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

// A Lookup answers for the DNS; see package dns.
type Lookup interface {
	Host(host string) (name string, secure bool, err error)
	TLSA(host string, port uint16) ([]dns.TLSA, error)
	TXT(name string) ([]string, error)
}

// The fields of a TLSA record (RFC 6698, section 7). The usages that name an authority of the public are none for
// SMTP (RFC 7672, section 3.1.3).
const (
	anchor, endEntity = 2, 3

	wholeCertificate, publicKey = 0, 1

	exact, sha2, sha2Long = 0, 1, 2
)

var errTLSA = errors.New("its certificate is not that of its TLSA records")

// A daneHost is what is known of one host and port for a while.
type daneHost struct {
	records []dns.TLSA
	base    string
	until   time.Time
}

const (
	// trust is how long a lookup is not repeated; it is that of package remote.
	trust = time.Minute
	// maxKnown bounds what is known.
	maxKnown = 100
)

// dane returns how to speak to a host by its TLSA records (RFC 7672): base is the name that they are at; none means
// that DANE says nothing of this host.
func (g *Guard) dane(h remote.Hop) (records []dns.TLSA, base string, err error) {
	if _, literal := dns.Literal(h.Host); literal || !h.Sure || g.DNS == nil {
		return nil, "", nil
	}
	key, now := ascii.LowerString(h.Host)+":"+strconv.Itoa(int(h.Addr.Port())), g.Now()
	if k, ok := g.known[key]; ok && now.Before(k.until) && k.until.Sub(now) <= trust {
		return k.records, k.base, nil
	}
	if records, base, err = g.lookUp(h); err == nil {
		if g.known == nil || len(g.known) >= maxKnown {
			g.known = make(map[string]daneHost)
		}
		g.known[key] = daneHost{records, base, now.Add(trust)}
	}
	return records, base, err
}

func (g *Guard) lookUp(h remote.Hop) (records []dns.TLSA, base string, err error) {
	r := g.DNS()
	end, secure, err := r.Host(h.Host)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		return nil, "", errNoTLSA(h.Host)
	}
	if err != nil || !secure {
		return nil, "", nil
	}
	names := []string{ascii.LowerString(end)}
	if host := ascii.LowerString(h.Host); host != names[0] {
		names = append(names, host)
	}
	for _, n := range names {
		list, err := r.TLSA(n, h.Addr.Port())
		if err == nil {
			return list[:min(len(list), maxTLSA)], n, nil
		}
		if !errors.Is(err, dns.ErrNotFound) {
			return nil, "", errNoTLSA(h.Host)
		}
	}
	return nil, "", nil
}

// maxTLSA bounds the records that are looked at.
const maxTLSA = 32

func errNoTLSA(host string) error {
	return report.Defer("4.7.5", "Sorry, I couldn't find out by DNSSEC which certificate "+printable(host)+" has.")
}

// usable returns the records that can be obeyed, of several digests of one thing only the strongest (RFC 7671,
// section 9).
func usable(records []dns.TLSA) []dns.TLSA {
	list := slices.DeleteFunc(slices.Clone(records), func(r dns.TLSA) bool {
		size, ok := map[uint8]int{sha2: sha256.Size, sha2Long: sha512.Size}[r.Matching]
		return r.Usage != anchor && r.Usage != endEntity || r.Selector > publicKey || r.Matching > sha2Long ||
			ok && len(r.Data) != size || len(r.Data) == 0
	})
	strong := func(r dns.TLSA) bool {
		return slices.ContainsFunc(list, func(o dns.TLSA) bool {
			return o.Usage == r.Usage && o.Selector == r.Selector && o.Matching == sha2Long
		})
	}
	return slices.DeleteFunc(slices.Clone(list), func(r dns.TLSA) bool { return r.Matching == sha2 && strong(r) })
}

// byTLSA looks at a host's certificates: one must be what a record says it is. Of an end entity nothing else counts,
// neither names nor dates (RFC 7671, section 5.1).
func (p *plan) byTLSA(s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0]
	anchors := x509.NewCertPool()
	for _, r := range p.records {
		if r.Usage == endEntity {
			if matches(r, leaf) {
				return nil
			}
			continue
		}
		for _, c := range s.PeerCertificates {
			if matches(r, c) {
				anchors.AddCert(c)
			}
		}
		if r.Selector == wholeCertificate && r.Matching == exact {
			if c, err := x509.ParseCertificate(r.Data); err == nil {
				anchors.AddCert(c)
			}
		}
	}
	if p.chain(s.PeerCertificates, anchors, x509.ExtKeyUsageAny) != nil {
		return errTLSA
	}
	if !slices.ContainsFunc(p.daneNames, func(n string) bool { return isFor(leaf, n) }) {
		return errName
	}
	return nil
}

// matches reports whether a record means a certificate.
func matches(r dns.TLSA, c *x509.Certificate) bool {
	b := c.Raw
	if r.Selector == publicKey {
		b = c.RawSubjectPublicKeyInfo
	}
	switch r.Matching {
	case sha2:
		sum := sha256.Sum256(b)
		b = sum[:]
	case sha2Long:
		sum := sha512.Sum512(b)
		b = sum[:]
	}
	return string(b) == string(r.Data)
}

// obey makes TLSA records the policy. Where none of them can be used TLS must be spoken, with anybody.
func (p *plan) obey(records []dns.TLSA, base, next string) {
	p.host, p.records = base, usable(records)
	p.daneNames = []string{base, ascii.LowerString(next)}
	p.Name = "dane"
	if len(p.records) == 0 {
		p.Name = "dane-unusable"
	}
	var key strings.Builder
	for _, r := range p.records {
		key.WriteString(string([]byte{r.Usage, r.Selector, r.Matching}) + string(r.Data) + "\n")
	}
	p.Key = p.Name + "\n" + base + "\n" + p.daneNames[1] + "\n" + key.String()
}
