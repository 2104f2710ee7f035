package dns

import (
	"errors"
	"strconv"

	"golang.org/x/net/dns/dnsmessage"
)

const typeTLSA dnsmessage.Type = 52

// A TLSA says what a host's certificate is to be (RFC 6698).
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// Host returns the name at the end of a host's CNAMEs. Secure says that DNSSEC vouches for it and for its addresses of
// both families, by a server that we trust.
func (r *Resolver) Host(host string) (name string, secure bool, err error) {
	ignore := func(dnsmessage.ResourceBody) {}
	v4, err := r.follow(host, dnsmessage.TypeA, ignore)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", false, err
	}
	v6, err6 := r.follow(host, dnsmessage.TypeAAAA, ignore)
	if err6 != nil && !errors.Is(err6, ErrNotFound) {
		return "", false, err6
	}
	secure = v4.secure && v6.secure
	switch {
	case err == nil:
		return v4.name, secure, nil
	case err6 == nil:
		return v6.name, secure, nil
	}
	return "", false, ErrNotFound
}

// TLSA returns the records for a port of a host that DNSSEC vouches for. ErrNotFound: there are none, or it does not.
func (r *Resolver) TLSA(host string, port uint16) ([]TLSA, error) {
	var list []TLSA
	name := "_" + strconv.Itoa(int(port)) + "._tcp." + host
	end, err := r.follow(name, typeTLSA, func(b dnsmessage.ResourceBody) {
		if u, ok := b.(*dnsmessage.UnknownResource); ok {
			list = append(list, parseTLSA(u.Data))
		}
	})
	if err == nil && !end.secure {
		return nil, ErrNotFound
	}
	return list, err
}

// parseTLSA reads the data of a record. One that makes no sense has a usage that nobody knows.
func parseTLSA(b []byte) TLSA {
	if len(b) < 4 {
		return TLSA{Usage: 255}
	}
	return TLSA{b[0], b[1], b[2], append([]byte(nil), b[3:]...)}
}
