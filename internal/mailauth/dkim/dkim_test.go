package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// testKeys makes the keys of all tests, once.
var testKeys = sync.OnceValue(func() (k struct {
	rsa     *rsa.PrivateKey
	ed      ed25519.PrivateKey
	records records
}) {
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	der, _ := x509.MarshalPKIXPublicKey(k.rsa.Public())
	k.records = records{
		"r._domainkey.a.test": {"v=DKIM1; p=" + base64.StdEncoding.EncodeToString(der)},
		"e._domainkey.a.test": {"v=DKIM1; k=ed25519; p=" +
			base64.StdEncoding.EncodeToString(k.ed.Public().(ed25519.PublicKey))},
	}
	return k
})

// signBy is what qmail-key does.
func signBy(a Algorithm, block []byte) []byte {
	sum := sha256.Sum256(block)
	if a == Ed25519 {
		return ed25519.Sign(testKeys().ed, sum[:])
	}
	b, err := rsa.SignPKCS1v15(nil, testKeys().rsa, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return b
}

// template is one for a.test.
func template(a Algorithm, header, body Canon) Template {
	t := Template{Signature: Signature{Algorithm: a, Domain: "a.test", Selector: "r", Header: header, Body: body}}
	if a == Ed25519 {
		t.Selector = "e"
	}
	t.Time = 1528637909
	return t
}

// signAll signs a message in each of some ways, and returns it with the signatures on top.
func signAll(t testing.TB, message string, ways ...Template) string {
	t.Helper()
	s := NewSigner(Usual(), func([]Field) []Canon { return []Canon{Simple, Relaxed} })
	s.Write([]byte(message))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, w := range ways {
		line, err := s.Sign(w, func(block []byte) ([]byte, error) { return signBy(w.Algorithm, block), nil })
		if err != nil {
			t.Fatal(err)
		}
		message = string(line) + message
	}
	return message
}

// allWays are the ways to sign.
func allWays() (list []Template) {
	for _, a := range []Algorithm{RSA, Ed25519} {
		for _, h := range []Canon{Simple, Relaxed} {
			for _, b := range []Canon{Simple, Relaxed} {
				list = append(list, template(a, h, b))
			}
		}
	}
	return list
}

// oddMessages are such as people and programs do send.
func oddMessages() []string {
	return []string{
		wire(dinner),
		"From: a@a.test\r\n\r\n",
		"From: a@a.test\r\n",
		"From: a@a.test",
		"From: a@a.test\r\n\r\nno line end",
		"From: a@a.test\r\n\r\n\r\n\r\n",
		"From: a@a.test\r\n\r\n \t \r\n\t\r\n",
		"From: a@a.test\r\n\r\n\xff\xfe 8 bits \t \r\n",
		"From: a@a.test\r\n\r\n" + strings.Repeat("long ", 50000) + "\r\n",
		"From: a@a.test\r\n\r\na\rb\r\r\n\rc\r",
		"from : a@a.test\r\nSubject:\r\nSUBJECT: \r\n \t\r\nTo: \r\n b@b.test,\r\n\tc@c.test \r\nX:1\r\nx:2\r\n\r\nx\r\n",
		"From: a@a.test\r\nSubject: caf\xc3\xa9 \xe9\r\nReferences:" + strings.Repeat(" <x@y>\r\n", 300) + "\r\n\r\nx\r\n",
		"From: a@a.test\r\n" + strings.Repeat("To: x@y\r\n", 30) + "\r\nx\r\n",
	}
}

func TestWhatIsSignedVerifiesInEveryForm(t *testing.T) {
	for _, m := range oddMessages() {
		signedMessage := signAll(t, m, allWays()...)
		results := verify(signedMessage, testKeys().records.lookup)
		if len(results) != len(allWays()) {
			t.Fatalf("%q: %d results", m, len(results))
		}
		for _, r := range results {
			if r.Status != Pass {
				t.Errorf("%.100q, %s %s/%s: %s (%s)", m, r.Algorithm, r.Header, r.Body, r.Status, r.Reason)
			}
		}
		for line := range strings.SplitSeq(signedMessage[:len(signedMessage)-len(m)], "\r\n") {
			if len(line) > 78 {
				t.Errorf("a line of %d bytes: %s", len(line), line)
			}
		}
	}
}

func TestNobodyAddsAFieldThatIsSealed(t *testing.T) {
	m := signAll(t, wire(dinner), template(RSA, Relaxed, Relaxed))
	for _, f := range []string{"From: b@b.test", "Subject: x", "To: x", "Date: x", "List-Unsubscribe: <x>",
		"list-unsubscribe-post: x"} {
		for _, changed := range []string{f + "\r\n" + m, strings.Replace(m, "\r\n\r\n", "\r\n"+f+"\r\n\r\n", 1)} {
			if r := verify(changed, testKeys().records.lookup); len(r) != 1 || r[0].Status != Fail {
				t.Errorf("%s: %+v", f, r)
			}
		}
	}
	if r := verify("X-New: x\r\nReceived: from x\r\n"+m, testKeys().records.lookup); r[0].Status != Pass {
		t.Errorf("%+v", r)
	}
}

func TestTheBodyIsWrittenAsRFC6376Says(t *testing.T) {
	for _, c := range []struct{ in, simple, relaxed string }{
		{"", "\r\n", ""}, {"\r\n", "\r\n", ""}, {"\r\n\r\n\r\n", "\r\n", ""}, {" ", " \r\n", ""},
		{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, // section 3.4.5
		{"a", "a\r\n", "a\r\n"}, {"a\r\n\r\nb", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
		{"a \r\n \r\n", "a \r\n \r\n", "a\r\n"}, {"a\r", "a\r\r\n", "a\r\r\n"}, {"a\nb \r c", "a\nb \r c\r\n",
			"a\nb \r c\r\n"},
		{strings.Repeat("\r\n", 5000) + "x", strings.Repeat("\r\n", 5000) + "x\r\n", strings.Repeat("\r\n",
			5000) + "x\r\n"},
	} {
		for canon, want := range []string{c.simple, c.relaxed} {
			for _, size := range []int{1, 2, 3, 1 << 20} {
				if got := bodyIn(Canon(canon), []byte(c.in), size); got != want {
					t.Errorf("%.50q %s: %.50q, not %.50q", c.in, Canon(canon), got, want)
				}
			}
		}
	}
}

// bodyIn returns the canonical form of a body that comes in pieces.
func bodyIn(c Canon, in []byte, size int) string {
	var out bytes.Buffer
	b := newBody(c, &out)
	for p := range slices.Chunk(in, size) {
		b.Write(p)
	}
	b.Close()
	return out.String()
}

func TestAFieldIsWrittenAsRFC6376Says(t *testing.T) {
	for in, want := range map[string]string{
		"A: X\r\n": "a:X\r\n", "B : Y\t\r\n\tZ  \r\n": "b:Y Z\r\n", // section 3.4.5
		"Subject:\r\n": "subject:\r\n", "x:\r\n \r\n\ty\r\n": "x:y\r\n", "X \t:a:B": "x:a:B",
	} {
		if got := string(Relaxed.appendField(nil, []byte(in))); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
		if got := string(Simple.appendField(nil, []byte(in))); got != in {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// forge makes a signature whose field is written by hand: b= is filled in where it is empty.
func forge(t *testing.T, tags, message string) string {
	t.Helper()
	v := NewVerifier(Limits{Header: 1 << 20, Signatures: 1, Names: 1e6, Field: 1 << 20, MinBits: 1, MaxBits: 1e6})
	raw := "DKIM-Signature: " + tags + "\r\n"
	// A value, so that it can be parsed; it does not count in what is signed.
	i := strings.LastIndex(raw, "b=;")
	filled := raw[:i] + "b=eA==;" + raw[i+3:]
	v.Write([]byte(filled + message))
	v.Results(testKeys().records.lookup, time.Unix(0, 0))
	if len(v.found) != 1 || v.found[0].err != nil {
		t.Fatalf("%s: %v", tags, v.found)
	}
	f := v.found[0]
	value := ""
	block := v.headerSum(f, newIndex(v.split.fields))
	if f.Algorithm == Ed25519 {
		value = base64.StdEncoding.EncodeToString(ed25519.Sign(testKeys().ed, block))
	} else {
		b, err := rsa.SignPKCS1v15(nil, testKeys().rsa, crypto.SHA256, block)
		if err != nil {
			t.Fatal(err)
		}
		value = base64.StdEncoding.EncodeToString(b)
	}
	return raw[:i] + "b=" + value + ";" + raw[i+3:] + message
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestEachTrapOfASignatureIsKnown(t *testing.T) {
	const message = "From: a@a.test\r\nSubject: x\r\n\r\nbody\r\n"
	whole, part := hashOf("body\r\n"), hashOf("bo")
	const filled = "; b=eA==;"
	const ed = "v=1; a=ed25519-sha256; d=a.test; s=e; "
	for name, c := range map[string]struct {
		tags   string
		status Status
	}{
		"plain":                            {ed + "h=from; bh=" + whole + "; b=;", Pass},
		"b= in the middle of another word": {ed + "z=Subject:Bob=20is|Web =; h=from; bh=" + whole + "; b=;", Pass},
		"bh= behind b=":                    {"b=; " + ed + "h=from; bh=" + whole, Pass},
		"unknown tags":                     {ed + "zz=1; q=dns/txt; h=from; bh=" + whole + "; b=; r=y", Pass},
		"another query":                    {ed + "q=x : dns/txt; h=from; bh=" + whole + "; b=;", Pass},
		"i= below d=":                      {ed + "i=x@b.a.test; h=from; bh=" + whole + "; b=;", Pass},
		"l= of all":                        {ed + "l=6; h=from; bh=" + whole + "; b=;", Pass},
		"l= of a part":                     {ed + "l=2; h=from; bh=" + part + "; b=;", Policy},
		"l= of nothing":                    {ed + "l=0; h=from; bh=" + hashOf("") + "; b=;", Policy},
		"l= of more than there is":         {ed + "l=7; h=from; bh=" + whole + "; b=;", Fail},
		"another body":                     {ed + "h=from; bh=" + hashOf("x") + "; b=;", Fail},
		"expired":                          {ed + "x=1528637000; h=from; bh=" + whole + "; b=;", Policy},
		"not yet expired":                  {ed + "t=1528637900; x=1528638000; h=from; bh=" + whole + "; b=;", Pass},
		"SHA-1":                            {"v=1; a=rsa-sha1; d=a.test; s=r; h=from; bh=" + whole + filled, Policy},
		"another's key":                    {"v=1; a=rsa-sha256; d=a.test; s=e; h=from; bh=" + whole + "; b=;", PermError},
		"no key":                           {"v=1; a=rsa-sha256; d=a.test; s=x; h=from; bh=" + whole + "; b=;", PermError},
		"expires before it was made":       {ed + "t=9; x=9; h=from; bh=" + whole + filled, Neutral},
		"version 2":                        {"v=2; a=ed25519-sha256; d=a.test; s=e; h=from; bh=" + whole + filled, Neutral},
		"no version":                       {"a=ed25519-sha256; d=a.test; s=e; h=from; bh=" + whole + filled, Neutral},
		"a tag twice":                      {ed + "d=a.test; h=from; bh=" + whole + filled, Neutral},
		"no From":                          {ed + "h=subject; bh=" + whole + filled, PermError},
		"i= elsewhere":                     {ed + "i=x@evil-a.test; h=from; bh=" + whole + filled, Neutral},
		"i= without a domain":              {ed + "i=x; h=from; bh=" + whole + filled, Neutral},
		"an empty name":                    {ed + "h=from::to; bh=" + whole + filled, Neutral},
		"d= of no name":                    {"v=1; a=ed25519-sha256; d=a..test; s=e; h=from; bh=" + whole + filled, Neutral},
		"s= out of its tree":               {"v=1; a=ed25519-sha256; d=a.test; s=e/x; h=from; bh=" + whole + filled, Neutral},
		"c= unknown":                       {ed + "c=nofws; h=from; bh=" + whole + filled, Neutral},
		"no base64":                        {ed + "h=from; bh=" + whole + "; b=e!==;", Neutral},
		"no tags":                          {"hello", Neutral},
		"nothing":                          {"", Neutral},
		"a NUL":                            {ed + "h=from; bh=" + whole + "; b=eA==; n=\x00", Neutral},
		"many names": {ed + "h=from" + strings.Repeat(":x",
			300) + "; bh=" + whole + filled, Policy},
		"a long field": {ed + "h=from; bh=" + whole + "; b=eA==; n=" + strings.Repeat("x", 20000),
			Policy},
	} {
		m := "DKIM-Signature: " + c.tags + "\r\n" + message
		if strings.Contains(c.tags, "b=;") {
			m = forge(t, c.tags, message)
		}
		r := verify(m, testKeys().records.lookup)
		if len(r) != 1 || r[0].Status != c.status || (r[0].Reason == "") != (c.status == Pass) {
			t.Errorf("%s: %+v, not %s", name, r, c.status)
		}
	}
}

func TestARecordSaysWhatAKeyIsFor(t *testing.T) {
	const message = "From: a@a.test\r\n\r\nbody\r\n"
	const tags = "v=1; a=ed25519-sha256; d=a.test; s=e; i=x@sub.a.test; h=from; bh="
	m := forge(t, tags+hashOf("body\r\n")+"; b=;", message)
	record := testKeys().records["e._domainkey.a.test"][0]
	_, p, _ := strings.Cut(record, "p=")

	for _, c := range []struct {
		status  Status
		records []string
	}{
		{Pass, []string{record}},
		{Pass, []string{"p=" + p + ";k=ed25519;n=a note"}},
		{Pass, []string{"v=DKIM1;h=sha1 : sha256;s=email;t=y;k=ed25519;p=" + p[:9] + " " + p[9:]}},
		{Pass, []string{"v=DKIM1;s=x:*;k=ed25519;p=" + p}},
		{Pass, []string{"v=spf1 -all", record}},
		{PermError, []string{record, record}},
		{PermError, nil},
		{PermError, []string{""}},
		{PermError, []string{"k=ed25519;p=" + p + ";v=DKIM1"}},
		{PermError, []string{"v=DKIM2;k=ed25519;p=" + p}},
		{PermError, []string{"v=DKIM1;k=ed25519;p="}},
		{PermError, []string{"v=DKIM1;k=ed25519"}},
		{PermError, []string{"v=DKIM1;k=ed25519;p=AAAA"}},
		{PermError, []string{"v=DKIM1;k=x;p=" + p}},
		{PermError, []string{"v=DKIM1;p=" + p}},
		{PermError, []string{"v=DKIM1;h=sha1;k=ed25519;p=" + p}},
		{PermError, []string{"v=DKIM1;s=tlsrpt;k=ed25519;p=" + p}},
		{PermError, []string{"v=DKIM1;t=s;k=ed25519;p=" + p}},
		{PermError, []string{testKeys().records["r._domainkey.a.test"][0]}},
		{PermError, []string{record + strings.Repeat(" ", maxRecord)}},
	} {
		r := verify(m, records{"e._domainkey.a.test": c.records}.lookup)
		if len(r) != 1 || r[0].Status != c.status {
			t.Errorf("%.100q: %+v", c.records, r)
		}
		if len(c.records) > 0 && strings.Contains(c.records[0], "t=y") && !r[0].Testing {
			t.Error("a test is taken for more")
		}
	}
	if r := verify(m, func(string) ([]string, error) {
		return nil,
			errors.New("no answer\n")
	}); r[0].Status != TempError ||
		strings.Contains(r[0].Reason, "\n") {
		t.Errorf("%+v", r)
	}
}

func TestAKeyOfTheWrongSizeDoesNotCount(t *testing.T) {
	m := signAll(t, wire(dinner), template(RSA, Relaxed, Relaxed))
	for bits, want := range map[int]Status{2047: Policy, 2048: Pass, 2049: Pass} {
		l := Usual()
		l.MaxBits = bits
		v := NewVerifier(l)
		v.Write([]byte(m))
		if r := v.Results(testKeys().records.lookup, time.Unix(0, 0)); r[0].Status != want {
			t.Errorf("at most %d bits: %+v", bits, r)
		}
		l = Usual()
		l.MinBits = 4096 - bits
		v = NewVerifier(l)
		v.Write([]byte(m))
		if r := v.Results(testKeys().records.lookup, time.Unix(0, 0)); (r[0].Status == Pass) != (l.MinBits <= 2048) {
			t.Errorf("at least %d bits: %+v", l.MinBits, r)
		}
	}
}

func TestAHeaderThatIsNoneIsNotVerified(t *testing.T) {
	m := signAll(t, wire(dinner), template(RSA, Relaxed, Relaxed))
	for name, changed := range map[string]string{
		"no field": "hello\r\n" + m, "a continuation of nothing": " x\r\n" + m, "an LF": strings.Replace(m, "Is",
			"\nIs", 1),
		"a CR": strings.Replace(m, "Is", "\rIs", 1), "a NUL": strings.Replace(m, "Is", "\x00", 1),
		"too long": "X: " + strings.Repeat("x", Usual().Header) + "\r\n" + m, "a name with a blank": "X Y: z\r\n" + m,
	} {
		if r := verify(changed, testKeys().records.lookup); len(r) != 1 || r[0].Status != Neutral {
			t.Errorf("%s: %+v", name, r)
		}
		s := NewSigner(Usual(), func([]Field) []Canon { return []Canon{Relaxed} })
		s.Write([]byte(changed))
		if s.Close() == nil {
			t.Errorf("%s is signed", name)
		}
	}
}

func TestOnlyAMessageWithOneFromIsSigned(t *testing.T) {
	for _, m := range []string{"Subject: x\r\n\r\n", "From: a@a.test\r\nfrom: b@a.test\r\n\r\n"} {
		s := NewSigner(Usual(), func([]Field) []Canon { return []Canon{Relaxed} })
		s.Write([]byte(m))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sign(template(RSA, Relaxed, Relaxed), nil); err != ErrFrom {
			t.Errorf("%q: %v", m, err)
		}
	}
}

func TestWhatHasNoRoomIsLeftOutButNeverFrom(t *testing.T) {
	const room = 4096
	long := strings.TrimSuffix(strings.Repeat(" x@y.test,\r\n", 1000), "\r\n")
	for _, c := range []struct {
		message, names string
		err            error
	}{
		{"From: a@a.test\r\nTo:" + long + "\r\n\r\n", "from from subject date date list-unsubscribe", nil},
		{"From: a@a.test\r\nReferences:" + long + "\r\nTo: x\r\n\r\n", "from from subject date date to to", nil},
		{"From:" + long + "\r\n\r\n", "", ErrRoom},
	} {
		s := NewSigner(Usual(), func([]Field) []Canon { return []Canon{Relaxed} })
		s.Write([]byte("Date: x\r\n" + c.message))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		w := template(RSA, Relaxed, Relaxed)
		w.Room = room
		line, err := s.Sign(w, func(block []byte) ([]byte, error) {
			if len(block) > room {
				t.Errorf("%d bytes to sign", len(block))
			}
			return signBy(RSA, block), nil
		})
		if err != c.err {
			t.Error(err)
		}
		if err != nil {
			continue
		}
		r := verify(string(line)+"Date: x\r\n"+c.message, testKeys().records.lookup)
		if r[0].Status != Pass || !strings.HasPrefix(strings.Join(r[0].Names, " "), c.names) {
			t.Errorf("%+v, not %s", r, c.names)
		}
	}
}

func TestWhatSignsMayFail(t *testing.T) {
	s := NewSigner(Usual(), func([]Field) []Canon { return []Canon{Relaxed} })
	s.Write([]byte("From: x\r\n\r\n"))
	s.Close()
	trouble := errors.New("no key")
	if _, err := s.Sign(template(RSA, Relaxed, Relaxed), func([]byte) ([]byte, error) {
		return nil,
			trouble
	}); err != trouble {
		t.Error(err)
	}
}
