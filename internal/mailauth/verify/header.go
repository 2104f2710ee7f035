package verify

import (
	"bytes"
	"io"
	"strings"

	"qmail/internal/mailauth/authres"
	"qmail/internal/net/dns"
	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
	"qmail/internal/text/trace"
)

const (
	// maxField is the longest field in which a forged result is looked for; a longer one of that name is removed.
	maxField = 64 << 10
	// maxFrom is the longest From that is read.
	maxFrom = 4 << 10
)

// eachField calls fn for each field of the header at the beginning of b.
func eachField(b []byte, fn func(field []byte)) {
	for len(b) > 0 && b[0] != '\n' {
		n := trace.FirstField(b)
		fn(b[:n])
		b = b[n:]
	}
}

// An author is who wrote a message, by its From.
type author struct {
	domain string
	why    string // where there is not exactly one domain; empty: there is
	many   bool   // that is since there are several
}

// authorOf finds the domain in From.
func authorOf(head []byte) author {
	var from [][]byte
	eachField(head, func(f []byte) {
		name, value, ok := bytes.Cut(f, []byte(":"))
		if ok && ascii.Equal(string(bytes.TrimRight(name, " \t")), "from") {
			from = append(from, value)
		}
	})
	switch {
	case len(from) == 0:
		return author{why: "no From"}
	case len(from) > 1:
		return author{why: "more than one From", many: true}
	case len(from[0]) > maxFrom:
		return author{why: "From is too long"}
	}
	list, err := rfc822.Addresses(string(bytes.ReplaceAll(bytes.TrimRight(from[0], "\n"), []byte("\n"), nil)))
	if err != nil {
		return author{why: "From cannot be read"}
	}
	if len(list) == 0 {
		return author{why: "no address in From"}
	}
	var a author
	for i, text := range list {
		at := strings.LastIndexByte(text, '@')
		domain := ascii.LowerString(strings.TrimSuffix(text[at+1:], "."))
		if at < 0 || !dns.Askable(domain) {
			return author{why: "an address in From without a domain"}
		}
		if i > 0 && domain != a.domain {
			return author{why: "more than one domain in From", many: true}
		}
		a.domain = domain
	}
	return a
}

// A cleaner passes a message on without the fields of its header that claim results in our name.
type cleaner struct {
	w     io.Writer
	id    string
	held  []byte // of a field that may be one
	kind  kind
	begun bool // the line at hand has begun
	body  bool
	err   error
}

// A kind is what the field at hand is.
type kind byte

const (
	undecided kind = iota // its name is not yet whole
	innocent
	suspect // it is of that name, and held until it ends
	claimed // of that name, and too long to be looked at
)

// Clean copies the message at r, which begins with a header in lines that end in LF.
func clean(w io.Writer, r io.Reader, id string) error {
	c := &cleaner{w: w, id: id}
	if _, err := io.Copy(c, r); err != nil {
		return err
	}
	c.end()
	return c.err
}

func (c *cleaner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !c.body && c.err == nil {
		i := bytes.IndexByte(p, '\n') + 1
		if i == 0 {
			i = len(p)
		}
		c.piece(p[:i])
		p = p[i:]
	}
	if c.err == nil && len(p) > 0 {
		_, c.err = c.w.Write(p)
	}
	return n, c.err
}

// piece takes a line of the header, or a part of one.
func (c *cleaner) piece(p []byte) {
	if !c.begun && p[0] != ' ' && p[0] != '\t' {
		c.end()
		if p[0] == '\n' {
			c.body = true
			c.pass(p)
			return
		}
	}
	c.begun = p[len(p)-1] != '\n'
	switch c.kind {
	case innocent:
		c.pass(p)
		return
	case claimed:
		return
	}
	c.held = append(c.held, p...)
	if c.kind == undecided {
		c.decide()
	}
	if c.kind == suspect && len(c.held) > maxField {
		c.kind, c.held = claimed, nil
	}
}

// decide looks at the name, once it is there.
func (c *cleaner) decide() {
	i := bytes.IndexAny(c.held, ":\n")
	if i < 0 && len(c.held) <= maxField {
		return
	}
	if i >= 0 && ascii.Equal(string(bytes.TrimRight(c.held[:i], " \t")), authres.FieldName) {
		c.kind = suspect
		return
	}
	c.kind = innocent
	c.pass(c.held)
	c.held = c.held[:0]
}

// end ends the field at hand.
func (c *cleaner) end() {
	if c.kind == undecided || c.kind == suspect && !authres.Claims(c.held, c.id) {
		c.pass(c.held)
	}
	c.kind, c.held = undecided, c.held[:0]
}

func (c *cleaner) pass(p []byte) {
	if c.err == nil && len(p) > 0 {
		_, c.err = c.w.Write(p)
	}
}
