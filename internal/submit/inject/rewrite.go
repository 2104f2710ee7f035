package inject

import (
	"slices"

	"qmail/internal/text/rfc822"
)

// rewrite makes an address whole, by qmail-header(5): a source route goes, an address without host gets the default
// host, a host without dots the default domain, one that ends in + the plus domain. An address that
// is nothing but a route becomes empty, and one that is nothing but comments stays.
func (s *settings) rewrite(addr []rfc822.Token) []rfc822.Token {
	if len(addr) > 0 && addr[0].Kind == rfc822.At {
		addr = afterRoute(addr)
	}
	addr = dropLast(addr, rfc822.At)
	addr = dropLast(addr, rfc822.Dot)
	if !slices.ContainsFunc(addr, func(t rfc822.Token) bool { return t.Kind != rfc822.Comment }) {
		return addr
	}
	addr = slices.Clip(addr)
	if !slices.ContainsFunc(addr, func(t rfc822.Token) bool { return t.Kind == rfc822.At }) {
		addr = append(addr, s.defaultHost...)
	}
	if t := &addr[len(addr)-1]; t.Kind == rfc822.Atom && t.Text != "" && t.Text[len(t.Text)-1] == '+' {
		addr = slices.Clone(addr)
		t = &addr[len(addr)-1]
		t.Text = t.Text[:len(t.Text)-1]
		return append(addr, s.plusDomain...)
	}
	if !hostHasDot(addr) {
		addr = append(addr, s.defaultDomain...)
	}
	return addr
}

// afterRoute returns what follows the colon of a source route.
func afterRoute(addr []rfc822.Token) []rfc822.Token {
	for i, t := range addr {
		if t.Kind == rfc822.Colon {
			return addr[i+1:]
		}
	}
	return nil
}

func dropLast(addr []rfc822.Token, k rfc822.Kind) []rfc822.Token {
	if n := len(addr); n > 0 && addr[n-1].Kind == k {
		return addr[:n-1]
	}
	return addr
}

// hostHasDot reports whether a dot or a literal stands behind the last @.
func hostHasDot(addr []rfc822.Token) bool {
	for i := len(addr) - 1; i >= 0 && addr[i].Kind != rfc822.At; i-- {
		if k := addr[i].Kind; k == rfc822.Dot || k == rfc822.Literal {
			return true
		}
	}
	return false
}

// address rewrites an address that comes from outside the header, as an argument does: its local part is
// what stands before the last @, quoted or not.
func (s *settings) address(a string) (string, error) {
	t, err := tokens(rfc822.Quote(a))
	if err != nil {
		return "", err
	}
	return rfc822.Text(s.rewrite(t)), nil
}
