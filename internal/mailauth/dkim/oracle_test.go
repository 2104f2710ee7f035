package dkim

import (
	"math/rand"
	"strings"
	"testing"
	"time"

	other "github.com/emersion/go-msgauth/dkim"
)

// theirs says whether another program finds the topmost signature good.
func theirs(message string) bool {
	list, err := other.VerifyWithOptions(strings.NewReader(message), &other.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) { return testKeys().records.lookup(name) },
	})
	return err == nil && len(list) > 0 && list[0].Err == nil
}

// mixed returns a message of pieces that matter.
func mixed(r *rand.Rand) string {
	piece := func(list []string, most int) string {
		var b strings.Builder
		for range r.Intn(most) {
			b.WriteString(list[r.Intn(len(list))])
		}
		return b.String()
	}
	words := []string{"a", "b=", " ", "\t", ";", "\r\n ", "\r\n\t", "=20", ":", "\xe9", "word", "  ", "<x@y>"}
	names := []string{"Subject", "TO", "cc", "Received", "X-A", "Date", "references", "Reply-To", "List-ID"}
	var b strings.Builder
	for range r.Intn(6) {
		b.WriteString(names[r.Intn(len(names))] + ": x" + piece(words, 6) + ".\r\n")
	}
	b.WriteString("From: a@a.test\r\n")
	for range r.Intn(3) {
		b.WriteString(names[r.Intn(len(names))] + ":" + piece(words, 6) + ".\r\n")
	}
	return b.String() + "\r\n" + piece([]string{"a", " ", "\t", "\r\n", "\r\n", "\xe9", "line", "  ", "."}, 20) + "\r\n"
}

func TestWeSignSoThatAnotherVerifiesAndTheOtherWayRound(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 400 {
		m, w := mixed(r), allWays()[r.Intn(len(allWays()))]
		ours := signAll(t, m, w)
		if !theirs(ours) {
			t.Errorf("%s %s/%s: %q", w.Algorithm, w.Header, w.Body, ours)
		}
		o := &other.SignOptions{
			Domain: "a.test", Selector: w.Selector, Signer: testKeys().rsa,
			HeaderCanonicalization: other.Canonicalization(w.Header.String()),
			BodyCanonicalization:   other.Canonicalization(w.Body.String()),
		}
		if w.Algorithm == Ed25519 {
			o.Signer = testKeys().ed
		}
		var b strings.Builder
		if err := other.Sign(&b, strings.NewReader(m), o); err != nil {
			t.Fatalf("%q: %v", m, err)
		}
		if v := verify(b.String(), testKeys().records.lookup); v[0].Status != Pass {
			t.Errorf("%s %s/%s: %q: %+v", w.Algorithm, w.Header, w.Body, b.String(), v[0])
		}
		// And of a message that somebody has touched both say the same, unless it has what is a line end only for them.
		touched := []byte(ours)
		for range 1 + r.Intn(2) {
			touched[r.Intn(len(touched))] = " \tx:;="[r.Intn(6)]
		}
		v := NewVerifier(Usual())
		v.Write(touched)
		list := v.Results(testKeys().records.lookup, time.Unix(1528637909, 0))
		mine := len(list) > 0 && list[0].Status == Pass
		strict := v.split.err != nil || strings.ContainsAny(strings.ReplaceAll(string(touched), "\r\n", ""), "\r\n")
		if mine != theirs(string(touched)) && !strict {
			t.Errorf("ours %v, theirs %v: %q %+v", mine, !mine, touched, list)
		}
	}
}
