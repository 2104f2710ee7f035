package rfc822

import (
	"bytes"
	"strings"
	"testing"
)

// rewriteField is what a program does with a field: all addresses rewritten, all noted in the order they come.
func rewriteField(body string, rewrite func([]Token) []Token) (field string, addresses []string, err error) {
	list, err := Tokenize(body)
	if err != nil {
		return "", nil, err
	}
	list, err = RewriteList(list, func(addr []Token) []Token {
		addresses = append(addresses, Text(addr))
		return rewrite(addr)
	})
	if err != nil {
		return "", nil, err
	}
	return string(AppendField(nil, "To", list)), addresses, nil
}

func same(addr []Token) []Token { return addr }

func TestAddressesAreFoundFromRightToLeftAndTheListIsWrittenCleanly(t *testing.T) {
	for _, c := range []struct{ in, out, addresses string }{
		{"", "To:\n", ""},
		{"a@b.test", "To: a@b.test\n", "a@b.test"},
		{"a, b ,c", "To: a, b, c\n", "c|b|a"},
		{",a,,b,", "To: , a, , b,\n", "b|a"},
		{"  a  @  b . c  ", "To: a@b.c\n", "a@b.c"},
		{"a b c@d", "To: a, b, c@d\n", "c@d|b|a"},
		{"Joe <a@b>", "To: Joe <a@b>\n", "a@b"},
		{"Joe <a@b>, \"K, L\" <k@l>", "To: Joe <a@b>, \"K, L\" <k@l>\n", "k@l|a@b"},
		{"J. R. Smith <a@b>", "To: J.R.Smith <a@b>\n", "a@b"},
		{"J [x] S <a@b>", "To: J, [x] S <a@b>\n", "a@b|[x]|J"},
		{"<a@b> c", "To: <a@b>, c\n", "c|a@b"},
		{"<>", "To: <>\n", ""},
		{"x <>", "To: x <>\n", ""},
		{"<@r,@s:a@b>", "To: <@r, @s: a@b>\n", "@r,@s:a@b"},
		{"<<a@b>>", "To: < <a@b>>\n", "a@b>|<"},
		{"joe <a@b", "To: joe <a@b\n", "joe<a@b"},
		{"g:;", "To: g: ;\n", ""},
		{"g: a, b;, c", "To: g: a, b;, c\n", "c|b|a"},
		{"x, g: a;", "To: x, g: a;\n", "a|x"},
		{"(c) a@b", "To: a@b (c)\n", "a@b"},
		{"a@b (c (d) e)", "To: a@b (c d e)\n", "a@b"},
		{"J (x) <a@b (y)>", "To: J (x) <a@b (y)>\n", "a@b"},
		{"<a@(y)b>", "To: <a@(y) b>\n", "a@b"},
		{"<pete(x)@h>", "To: <pete (x)@h>\n", "pete@h"},
		{"a(c)b", "To: a, b (c)\n", "b|a"},
		{`"a b".c@d`, "To: \"a b\".c@d\n", "a b.c@d"},
		{`"a\"b"@c`, "To: \"a\\\"b\"@c\n", `a"b@c`},
		{`a\ b@c`, "To: a b@c\n", "a b@c"},
		{`a\,b@c`, "To: \"a,b\"@c\n", "a,b@c"},
		{`a\@b@c`, "To: \"a@b\"@c\n", "a@b@c"},
		{"a@[1.2\\.3]", "To: a@[1.2.3]\n", "a@[1.2.3]"},
		{"j\xf6e@h\xf6", "To: \"j\xf6e\"@\"h\xf6\"\n", "j\xf6e@h\xf6"},
		{"a\x01b", "To: \"a\x01b\"\n", "a\x01b"},
		{"a\x00b", "To: \"a\x00b\"\n", "a\x00b"},
		{"a)b", "To: \"a\\)b\"\n", "a)b"},
		{"\n a,\n\tb\n", "To: a, b\n", "b|a"},
		{"\"a\nb\"", "To: \"a\\\nb\"\n", "a\nb"},
	} {
		out, addresses, err := rewriteField(c.in, same)
		if err != nil || out != c.out || strings.Join(addresses, "|") != c.addresses {
			t.Errorf("%q:\n got %q %q %v\nwant %q %q", c.in, out, addresses, err, c.out, c.addresses)
		}
	}
}

func TestAFieldThatIsNoListIsASyntaxError(t *testing.T) {
	for _, in := range []string{
		`"a`, "a (b", "a (b(c)", "[a", ")", "]", `a\`, `"a\`, `(a\`, `[a\`,
		"a: b", "g: a;;", "a; b;", "a@b>", "g: a; : b",
	} {
		if out, _, err := rewriteField(in, same); err != ErrSyntax {
			t.Errorf("%q: got %q, %v", in, out, err)
		}
	}
}

func TestLinesAreBrokenAfterACommaBeforeTheyReach79Bytes(t *testing.T) {
	var in []string
	for range 200 {
		in = append(in, "someone@host.test")
	}
	out, _, _ := rewriteField(strings.Join(in, ","), same)
	lines := strings.Split(out, "\n")
	for _, l := range lines[:len(lines)-2] {
		if len(l) > 78 || len(l) < 60 {
			t.Errorf("%d bytes: %q", len(l), l)
		}
	}
	x := strings.Repeat("x", 70)
	for _, c := range [][2]string{
		{"aa," + x, "To: aa, " + x + "\n"},
		{"aaa," + x, "To: aaa,\n  " + x + "\n"},
		{"a," + x + ",", "To: a, " + x + ",\n"},
		{"aa," + x + ",", "To: aa,\n  " + x + ",\n"},
		{x + x + "," + x, "To: " + x + x + ",\n  " + x + "\n"},
		{x + x + ",", "To: " + x + x + ",\n"},
	} {
		if out, _, _ := rewriteField(c[0], same); out != c[1] {
			t.Errorf("%q:\n got %q\nwant %q", c[0], out, c[1])
		}
	}
}

func TestALineOfAHeaderIsKnownByItsNameAndColon(t *testing.T) {
	for _, c := range []struct {
		line string
		name int
		body int
		ok   bool
	}{
		{"To: x\n", 2, 3, true}, {"To \t: x\n", 2, 5, true}, {"a:", 1, 2, true}, {"From :x", 4, 6, true},
		{": x\n", 0, 0, false}, {"hello world: x\n", 0, 0, false}, {" To: x", 0, 0, false}, {"To", 0, 0, false},
		{"T\xf6: x", 0, 0, false}, {"T\x00: x", 0, 0, false}, {"", 0, 0, false}, {"\n", 0, 0, false},
		{"To \r: x", 0, 0, false},
	} {
		if n, b, ok := FieldName([]byte(c.line)); n != c.name || b != c.body || ok != c.ok {
			t.Errorf("%q: %d %d %v", c.line, n, b, ok)
		}
	}
	if FieldOf([]byte("rEsEnT-cC")) != ResentCc || FieldOf([]byte("X-Foo")) != Other || FieldOf([]byte("")) != Other {
		t.Error("FieldOf")
	}
	for f := range Fields {
		if f.Recipients() && !f.Addresses() {
			t.Errorf("field %d names recipients and no addresses", f)
		}
	}
}

// FuzzAddressList holds that a written list reads as the same list, and is then written in the same way.
func FuzzAddressList(f *testing.F) {
	for _, s := range []string{
		"a@b, \"c d\"@e (x) <f@g>", "g: a, b;, <@r:c@d>", "(a (b) c) \\(", "[1.2\\]3]", "J [x] S <a@b>", "\x00\xff",
		"a\\ b", "<<a>>", "a: b",
		strings.Repeat("user@host.test,", 40),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, addresses, err := rewriteField(in, same)
		if err != nil {
			return
		}
		if strings.Contains(in, "\\") {
			return // a backslash may bring a space into an atom
		}
		again, addresses2, err := rewriteField(out[len("To:"):], same)
		if err != nil || again != out || strings.Join(addresses, "\n") != strings.Join(addresses2, "\n") {
			t.Errorf("%q\n-> %q\n-> %q (%v)\n%q %q", in, out, again, err, addresses, addresses2)
		}
	})
}

// FuzzTokens holds that text in tokens survives writing and reading, whatever its bytes.
func FuzzTokens(f *testing.F) {
	f.Add("a b\\\"()[]\r\n\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range []Kind{Quoted, Literal, Comment} {
			b := AppendField(nil, "X", []Token{{Kind: k, Text: text}})
			b = bytes.TrimPrefix(b, []byte("X:"))
			tokens, err := Tokenize(string(b))
			if err != nil || len(tokens) != 1 || tokens[0] != (Token{k, text}) {
				t.Errorf("kind %d %q: %q: %q %v", k, text, b, tokens, err)
			}
		}
		q, err := Tokenize(Quote(text + "@host"))
		if err != nil || Text(q) != text+"@host" {
			t.Errorf("%q: %q %v", text, Text(q), err)
		}
	})
}
