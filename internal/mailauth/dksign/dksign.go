// Package dksign decides whether and how a message that leaves is signed, and makes the signatures. The keys are
// another's: it asks for them by an interface.
package dksign

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"qmail/internal/mailauth/dkim"
	"qmail/internal/site/control"
	"qmail/internal/text/crlf"
)

// Keys signs what a signature is made of, by the key of a domain and selector.
type Keys interface {
	Algorithm(domain, selector string) (dkim.Algorithm, error)
	Sign(domain, selector string, block []byte) ([]byte, error)
}

// maxHeader is the most bytes of a header that is signed, and maxBlock the most that the keys take at once.
const (
	maxHeader = 1 << 20
	maxBlock  = 15 << 10
)

// A Signer signs messages.
type Signer struct {
	Control control.Dir
	Keys    Keys
	Now     func() time.Time
}

// Sign reads a message as it lies in the queue, and returns the fields that go on top of it, in lines that end in CRLF:
// none, where it is not one of ours, or of no domain that is signed for, or cannot be signed at all. An error means
// that it ought to be signed and cannot be now.
func (s *Signer) Sign(message io.Reader) ([]byte, error) {
	r, err := readRules(s.Control)
	if err != nil {
		return nil, fmt.Errorf("unable to read control/%s", control.Signing)
	}
	var ways []dkim.Template
	var failed error
	x := dkim.NewSigner(dkim.Limits{Header: maxHeader}, func(fields []dkim.Field) (list []dkim.Canon) {
		ways, failed = s.ways(r, fields)
		for _, w := range ways {
			list = append(list, w.Body)
		}
		return list
	})
	if err := read(x, message); err != nil {
		return nil, fmt.Errorf("unable to read the message: %w", err)
	}
	if x.Close() != nil {
		return nil, nil
	}
	if failed != nil {
		return nil, failed
	}
	var out []byte
	for _, w := range ways {
		line, err := x.Sign(w, func(block []byte) ([]byte, error) { return s.Keys.Sign(w.Domain, w.Selector, block) })
		if errors.Is(err, dkim.ErrFrom) || errors.Is(err, dkim.ErrRoom) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, line...)
	}
	return out, nil
}

// ways returns how a message with this header is signed.
func (s *Signer) ways(r rules, fields []dkim.Field) (list []dkim.Template, err error) {
	if !ours(fields) {
		return nil, nil
	}
	address, domain := author(fields)
	if domain == "" {
		return nil, nil
	}
	rule, ok, err := r.find(domain)
	if !ok || err != nil {
		return nil, err
	}
	now := s.Now()
	for _, selector := range rule.selectors {
		a, err := s.Keys.Algorithm(rule.domain, selector)
		if err != nil {
			return nil, err
		}
		if rule.only != "" && a != rule.only {
			continue
		}
		t := dkim.Template{Room: maxBlock}
		t.Algorithm, t.Domain, t.Selector = a, rule.domain, selector
		t.Header, t.Body, t.Time = rule.header, rule.body, now.Unix()
		if rule.lifetime > 0 {
			t.Expires = now.Add(rule.lifetime).Unix()
		}
		t.Identity = identity(rule, address, domain)
		list = append(list, t)
	}
	return list, nil
}

// identity is i=; empty where what it would be is not below d=, or has a byte that a tag has not.
func identity(r rule, address, domain string) string {
	i := r.identity
	if i == "~" {
		i = address
	}
	at := strings.LastIndexByte(i, '@')
	host := i[at+1:]
	if at < 0 || host != r.domain && !strings.HasSuffix(host, "."+r.domain) || i == "~" && host != domain {
		return ""
	}
	for k := 0; k < len(i); k++ {
		if c := i[k]; c <= ' ' || c >= 127 || c == ';' || c == '=' || c == '|' {
			return ""
		}
	}
	return i
}

// read gives a message to a Signer as it will leave: in the lines that crlf.Encoder makes, without its dots. It stops
// where nothing is to be signed.
func read(x *dkim.Signer, message io.Reader) error {
	w := crlf.NewLines(x)
	buf := make([]byte, 32<<10)
	for !x.Idle() {
		n, err := message.Read(buf)
		w.Write(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
