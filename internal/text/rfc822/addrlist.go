package rfc822

import "slices"

// RewriteList calls rewrite for each address in a list of addresses and returns the list with the answers in the
// places of the addresses; see RFC 822, 6.1. Addresses are found from right to left, since that needs no
// looking ahead: the last one is rewritten first. What rewrite gets is one address, in reading order, without the
// angle brackets, and without comments but for those that stand between such brackets; it may be empty, as in <>, and
// is valid until rewrite returns. A missing
// comma is put in. Colons and semicolons that do not match as those of a group, and an angle bracket that was not
// opened, are ErrSyntax.
func RewriteList(list []Token, rewrite func(addr []Token) []Token) ([]Token, error) {
	p := parser{in: list, rewrite: rewrite, out: make([]Token, 0, len(list)+len(list)/4+8)}
	for len(p.in) > 0 {
		if !p.step(p.in[len(p.in)-1].Kind) {
			return nil, ErrSyntax
		}
	}
	p.flush()
	slices.Reverse(p.out)
	return p.out, nil
}

// Addresses returns the addresses of a list, in reading order, as Text writes them: without brackets, and some may be
// empty. An error is that of Tokenize or RewriteList.
func Addresses(list string) ([]string, error) {
	tokens, err := Tokenize(list)
	if err != nil {
		return nil, err
	}
	var found []string
	if _, err = RewriteList(tokens, func(addr []Token) []Token {
		found = append(found, Text(addr))
		return addr
	}); err != nil {
		return nil, err
	}
	slices.Reverse(found)
	return found, nil
}

// A parser reads a list of addresses from its end.
type parser struct {
	in      []Token // what is still to be read
	out     []Token // the new list, last token first
	addr    []Token // the address being collected, last token first
	rewrite func([]Token) []Token
	inGroup bool // a ; was seen, its : was not
	word    bool // the address has just got a word: one more word begins another address
}

// step handles the last token of p.in, of kind k, and what belongs to it.
func (p *parser) step(k Kind) bool {
	switch k {
	case Comment:
		p.pass()
	case Comma:
		p.flush()
		p.pass()
		p.word = false
	case Semi:
		p.flushComma()
		p.pass()
		p.word = false
		if p.inGroup {
			return false
		}
		p.inGroup = true
	case Colon:
		return p.groupName()
	case Right:
		return p.angle()
	case Atom, Quoted, Literal:
		if p.word {
			p.flushComma()
		}
		p.collect()
		p.word = true
	default:
		p.collect()
		p.word = false
	}
	return true
}

// groupName passes the colon of a group and the phrase before it.
func (p *parser) groupName() bool {
	p.flush()
	if !p.inGroup {
		return false
	}
	p.inGroup = false
	for len(p.in) > 0 {
		comma := p.last() == Comma
		p.pass()
		if comma {
			break
		}
	}
	p.word = false
	return true
}

// angle reads from > back to < and passes the phrase before it.
func (p *parser) angle() bool {
	p.flushComma()
	p.pass()
	for len(p.in) > 0 && p.last() != Left {
		p.collect()
	}
	if len(p.in) == 0 {
		return false
	}
	p.end()
	p.pass()
	for len(p.in) > 0 && inPhrase(p.last()) {
		p.pass()
	}
	p.word = true
	return true
}

func inPhrase(k Kind) bool {
	return k == Comment || k == Atom || k == Quoted || k == At || k == Dot
}

func (p *parser) last() Kind { return p.in[len(p.in)-1].Kind }

func (p *parser) take() Token {
	t := p.in[len(p.in)-1]
	p.in = p.in[:len(p.in)-1]
	return t
}

// pass moves a token to the new list as it is.
func (p *parser) pass() { p.out = append(p.out, p.take()) }

// collect moves a token to the address.
func (p *parser) collect() { p.addr = append(p.addr, p.take()) }

// flush ends the address, if there is one.
func (p *parser) flush() {
	if len(p.addr) > 0 {
		p.end()
	}
}

// flushComma is flush with a comma between this address and the one before it.
func (p *parser) flushComma() {
	if len(p.addr) > 0 {
		p.end()
		p.out = append(p.out, Token{Kind: Comma})
	}
}

// end has the address rewritten, even if it is empty.
func (p *parser) end() {
	slices.Reverse(p.addr)
	r := p.rewrite(p.addr)
	for i := len(r) - 1; i >= 0; i-- {
		p.out = append(p.out, r[i])
	}
	p.addr = p.addr[:0]
}
