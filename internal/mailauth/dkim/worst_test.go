package dkim

import (
	"strings"
	"testing"
	"time"
)

// worst is the longest message that is tried.
const worst = 16 << 20

// deadline is for each of the worst messages. What is quadratic takes minutes on any machine.
const deadline = 40 * time.Second

func TestTheWorstMessageCostsTheTimeOfItsLength(t *testing.T) {
	sign := func(body string, w Template) string { return signAll(t, "From: a@a.test\r\n\r\n"+body, w) }
	simple, relaxed := template(Ed25519, Simple, Simple), template(Ed25519, Relaxed, Relaxed)
	header := func(text string) string {
		m := sign("x\r\n", relaxed)
		return strings.Repeat(text, worst/len(text)) + m
	}
	for name, message := range map[string]string{
		"blank lines, simple":       sign(strings.Repeat("\r\n", worst/2)+"x", simple),
		"blank lines, relaxed":      sign(strings.Repeat(" \r\n", worst/3)+"x", relaxed),
		"blank lines to the end":    sign(strings.Repeat("\r\n", worst/2), simple),
		"one blank":                 sign(strings.Repeat(" ", worst)+"x", relaxed),
		"blanks and letters":        sign(strings.Repeat(" x", worst/2), relaxed),
		"CRs":                       sign(strings.Repeat("\r", worst), relaxed),
		"one line":                  sign(strings.Repeat("x", worst), simple),
		"one field, folded":         header("X:" + strings.Repeat(" \r\n", 80000) + " x\r\n"),
		"fields":                    header("X:\r\n"),
		"no field":                  header("x"),
		"CRs in the header":         header("\r"),
		"line ends but one":         header("\r\n\r"),
		"signatures":                header("DKIM-Signature: v=1\r\n"),
		"tags":                      header("DKIM-Signature: " + strings.Repeat("a=;", 5000) + "\r\n"),
		"names":                     header("DKIM-Signature: v=1; h=" + strings.Repeat("a:", 8000) + "\r\n"),
		"a header just short of it": strings.Repeat("Subject:\r\n", 25000) + sign("x\r\n", relaxed),
		"many signatures": strings.Repeat("Subject:\r\n", 20000) + strings.Repeat("DKIM-Signature: v=1; a=ed25519-sha256; "+
			"c=relaxed; d=a.test; s=e; h=from"+strings.Repeat(":subject", 150)+"; bh="+hashOf("\r\n")+"; b=eA==\r\n",
			10) + "From: a\r\n\r\n",
	} {
		begun := time.Now()
		v := NewVerifier(Usual())
		for i := 0; i < len(message); i += 4096 {
			v.Write([]byte(message[i:min(i+4096, len(message))]))
			if len(v.split.buf) > Usual().Header+8 {
				t.Fatalf("%s: %d bytes are held", name, len(v.split.buf))
			}
		}
		results := v.Results(testKeys().records.lookup, time.Unix(0, 0))
		if len(results) > Usual().Signatures+1 {
			t.Errorf("%s: %d results", name, len(results))
		}
		if took := time.Since(begun); took > deadline {
			t.Errorf("%s: %s", name, took)
		}
	}
}
