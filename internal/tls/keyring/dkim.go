package keyring

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"

	"qmail/internal/text/ascii"
)

const signatureField = "dkim-signature"

// checkBlock reports whether m is what a DKIM signature is made of, RFC 6376, section 3.7: fields of a header, and at
// its end, without a line end, the signature of this domain and selector that lacks nothing but b=.
func checkBlock(m []byte, domain, selector string, key crypto.Signer) error {
	fields, ok := cutFields(m)
	if !ok || len(fields) < 2 {
		return errForm
	}
	last := fields[len(fields)-1]
	name, value, _ := bytes.Cut(last, []byte(":"))
	if !ascii.Equal(string(bytes.TrimRight(name, " \t")), signatureField) {
		return errForm
	}
	tags, ok := parseTags(value)
	if !ok || tags["v"] != "1" || ascii.LowerString(tags["d"]) != domain || ascii.LowerString(tags["s"]) != selector {
		return errForm
	}
	b, hasB := tags["b"]
	_, partly := tags["l"]
	if !hasB || b != "" || partly || tags["bh"] == "" || !signsFrom(tags["h"]) || !within(tags["i"], domain) {
		return errForm
	}
	var algorithm string
	switch key.(type) {
	case *rsa.PrivateKey:
		algorithm = "rsa-sha256"
	case ed25519.PrivateKey:
		algorithm = "ed25519-sha256"
	}
	if algorithm == "" || tags["a"] != algorithm {
		return errScheme
	}
	return nil
}

// cutFields cuts a header into its fields, each with the lines that continue it. All but the last one end in CRLF.
func cutFields(m []byte) (fields [][]byte, ok bool) {
	for len(m) > 0 {
		end := 0
		for {
			i := bytes.Index(m[end:], []byte("\r\n"))
			if i < 0 {
				end = len(m)
				break
			}
			if end += i + 2; end == len(m) {
				return nil, false // nothing is unfinished
			}
			if m[end] != ' ' && m[end] != '\t' {
				break
			}
		}
		f := m[:end]
		colon := bytes.IndexByte(f, ':')
		if colon <= 0 || f[0] == ' ' || f[0] == '\t' || !plain(f) {
			return nil, false
		}
		fields, m = append(fields, f), m[end:]
	}
	return fields, true
}

// plain reports whether CR and LF stand in pairs only, and there is no NUL.
func plain(f []byte) bool {
	for i, c := range f {
		switch {
		case c == 0, c == '\r' && (i+1 == len(f) || f[i+1] != '\n'), c == '\n' && (i == 0 || f[i-1] != '\r'):
			return false
		}
	}
	return true
}

// parseTags reads the list of tags of a signature. One that comes twice makes the list worthless.
func parseTags(value []byte) (tags map[string]string, ok bool) {
	const blank = " \t\r\n"
	tags = make(map[string]string)
	for part := range bytes.SplitSeq(value, []byte(";")) {
		part = bytes.Trim(part, blank)
		if len(part) == 0 {
			continue
		}
		name, v, found := bytes.Cut(part, []byte("="))
		n := string(bytes.TrimRight(name, blank))
		if _, twice := tags[n]; !found || twice || !isTag(n) {
			return nil, false
		}
		tags[n] = string(bytes.TrimLeft(v, blank))
	}
	return tags, true
}

func isTag(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := ascii.LowerByte(s[i]); (c < 'a' || c > 'z') && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// signsFrom reports whether the From field is among those that h= names.
func signsFrom(h string) bool {
	for name := range bytes.SplitSeq([]byte(h), []byte(":")) {
		if ascii.Equal(string(bytes.Trim(name, " \t\r\n")), "from") {
			return true
		}
	}
	return false
}

// within reports whether i= is an address in the domain or below it; it may be absent.
func within(i, domain string) bool {
	if i == "" {
		return true
	}
	at := bytes.LastIndexByte([]byte(i), '@')
	host := ascii.LowerString(i[at+1:])
	return at >= 0 && (host == domain || len(host) > len(domain) && host[len(host)-len(domain)-1:] == "."+domain)
}
