package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"qmail/internal/tls/keyproto"
)

func point(curve, size byte) string {
	first := "\x04"
	if curve == 29 {
		first = "p"
	}
	return "\x03\x00" + string([]byte{curve, size}) + first + strings.Repeat("p", int(size)-1)
}

// forms are messages of each kind that are signed.
func forms() map[keyproto.Kind][]string {
	randoms, spaces := strings.Repeat("\xa5", randoms), strings.Repeat(" ", padding)
	message := func(kind byte, size int) string {
		return string([]byte{kind, 0, byte(size >> 8), byte(size)}) + strings.Repeat("m", size)
	}
	before := message(1, 200) + message(2, 70) + message(11, 900)
	after := message(12, 100) + message(13, 30) + message(14, 0) + message(11, 800) + message(16, 33)
	return map[keyproto.Kind][]string{
		keyproto.Server: {
			spaces + serverContext + strings.Repeat("h", 32), spaces + serverContext + strings.Repeat("h", 48),
			randoms + point(23, 65), randoms + point(24, 97), randoms + point(25, 133), randoms + point(29, 32),
		},
		keyproto.Client: {
			spaces + clientContext + strings.Repeat("h", 32), spaces + clientContext + strings.Repeat("h", 48),
			before + after, before + message(22, 20) + after,
		},
		keyproto.DKIM: {
			"from:a@b.test\r\ndkim-signature:v=1; a=rsa-sha256; d=b.test; s=s1; h=from; bh=x=; b=",
			"subject:x\r\nfrom:a\r\nDKIM-Signature: v=1; a=rsa-sha256;\r\n\tD=x; d=B.test; s=s1; b=;\r\n bh=YQ==;" +
				" i=x@sub.b.test; h=to : From",
		},
	}
}

type testKey struct {
	key  crypto.Signer
	hash crypto.Hash
	pss  bool
}

func testKeys(t testing.TB) (ec, rsaKey, ed testKey) {
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return testKey{e, crypto.SHA256, false}, testKey{r, crypto.SHA256, true}, testKey{d, 0, false}
}

func (k testKey) check(kind keyproto.Kind, message string) error {
	return checkForm(keyproto.Request{
		Op: keyproto.Sign, Kind: kind, Name: "b.test/s1", Hash: k.hash, PSS: k.pss, Message: []byte(message),
	}, k.key)
}

func TestEachFormIsSignedForItsKindAndNoOther(t *testing.T) {
	_, key, _ := testKeys(t)
	for kind, messages := range forms() {
		for _, m := range messages {
			for _, asked := range []keyproto.Kind{keyproto.Server, keyproto.Client, keyproto.DKIM, 0, 'x'} {
				if err := key.check(asked, m); (err == nil) != (asked == kind) {
					t.Errorf("%.100q of kind %c, asked for as %c: %v", m, kind, asked, err)
				}
			}
		}
	}
}

func TestWhatIsNearlyAFormIsNotSigned(t *testing.T) {
	_, key, _ := testKeys(t)
	for kind, messages := range forms() {
		for _, m := range messages {
			list := []string{m[:len(m)/2], "\x00" + m, strings.Replace(m, ":", "", 1), m + "\r\n", m + "\x00"}
			if kind != keyproto.DKIM {
				list = append(list, m[1:]) // there another field name is as good
			}
			for _, changed := range list {
				if err := key.check(kind, changed); err == nil && changed != m {
					t.Errorf("%c: %.300q is signed", kind, changed)
				}
			}
		}
	}
	const before, after = "from:a\r\ndkim-signature:v=1; a=rsa-sha256; d=b.test; s=s1; h=from; bh=x; ", "b="
	if err := key.check(keyproto.DKIM, before+after); err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]string{
		"a finished signature":    before + "b=x",
		"no b=":                   before,
		"a part of the body":      before + "l=10; " + after,
		"two of a tag":            before + "d=b.test; " + after,
		"another's domain":        strings.Replace(before, "b.test", "c.test", 1) + after,
		"another selector":        strings.Replace(before, "s=s1", "s=s2", 1) + after,
		"another algorithm":       strings.Replace(before, "rsa-sha256", "rsa-sha1", 1) + after,
		"the algorithm of others": strings.Replace(before, "rsa-", "ed25519-", 1) + after,
		"no From":                 strings.Replace(before, "h=from", "h=to", 1) + after,
		"no body":                 strings.Replace(before, "bh=x", "bh=", 1) + after,
		"another's address":       before + "i=x@evilb.test; " + after,
		"an address of nobody":    before + "i=b.test; " + after,
		"another version":         strings.Replace(before, "v=1", "v=2", 1) + after,
		"a field behind it":       before + after + "\r\nto:x",
		"a line end behind it":    before + after + "\r\n",
		"nothing before it":       before[strings.Index(before, "dkim"):] + after,
		"a bare LF":               strings.Replace(before, "from:a", "from:\na", 1) + after,
		"a bare CR":               strings.Replace(before, "from:a", "from:\ra", 1) + after,
		"a NUL":                   strings.Replace(before, "from:a", "from:\x00", 1) + after,
		"no field at all":         "hello\r\n" + before + after,
		"a signature inside":      "from:a\r\n dkim-signature:v=1; a=rsa-sha256; d=b.test; s=s1; h=from; bh=x; b=",
	} {
		if key.check(keyproto.DKIM, m) == nil {
			t.Errorf("%s is signed: %q", what, m)
		}
	}
}

func TestAKeySignsInItsOwnWayOnly(t *testing.T) {
	ec, rsaKey, ed := testKeys(t)
	tls13, tls12 := forms()[keyproto.Server][0], forms()[keyproto.Server][2]
	for _, c := range []struct {
		key      testKey
		message  string
		hash     crypto.Hash
		pss, may bool
	}{
		{ec, tls13, crypto.SHA256, false, true}, {ec, tls13, crypto.SHA384, false, true},
		{ec, tls12, crypto.SHA512, false, true},
		{ec, tls13, crypto.SHA256, true, false}, {ec, tls13, crypto.SHA1, false, false}, {ec, tls13, 0, false, false},
		{ec, tls13, crypto.MD5, false, false}, {ec, tls13, 200, false, false},
		{rsaKey, tls13, crypto.SHA256, true, true}, {rsaKey, tls13, crypto.SHA256, false, false},
		{rsaKey, tls12, crypto.SHA256, false, true}, {rsaKey, tls12, crypto.SHA256, true, true},
		{rsaKey, tls12, crypto.SHA1, false, false}, {rsaKey, tls12, 0, false, false},
		{ed, tls13, 0, false, true}, {ed, tls12, 0, false, true}, {ed, tls12, crypto.SHA256, false, false},
		{ed, tls12, crypto.SHA512, false, false}, {ed, tls12, 0, true, false},
	} {
		c.key.hash, c.key.pss = c.hash, c.pss
		if err := c.key.check(keyproto.Server, c.message); (err == nil) != c.may {
			t.Errorf("%T, hash %d, PSS %v: %v", c.key.key, c.hash, c.pss, err)
		}
	}
	if ec.check(keyproto.DKIM, strings.Replace(forms()[keyproto.DKIM][0], "rsa", "ecdsa", 1)) == nil {
		t.Error("ECDSA signs mail")
	}
	if err := ed.check(keyproto.DKIM, strings.Replace(forms()[keyproto.DKIM][0], "rsa", "ed25519", 1)); err != nil {
		t.Error(err)
	}
}

// A message never has two forms, whatever it is: a key that serves more than one purpose signs it for one.
func FuzzForm(f *testing.F) {
	for _, messages := range forms() {
		for _, m := range messages {
			f.Add([]byte(m))
		}
	}
	_, key, _ := testKeys(f)
	f.Fuzz(func(t *testing.T, m []byte) {
		as := ""
		for _, kind := range []keyproto.Kind{keyproto.Server, keyproto.Client, keyproto.DKIM} {
			if key.check(kind, string(m)) == nil {
				as += string(kind)
			}
		}
		if len(as) > 1 {
			t.Errorf("%q is signed as %s", m, as)
		}
	})
}
