package inject

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// complete gives a message in pieces of a size, as joe, and returns what came of it.
func complete(text string, size int) (out, refusal string) {
	var b bytes.Buffer
	c := &Completion{Out: &b, Now: noon, ID: "7.1", IDHost: "m.test", Sender: "joe@m.test",
		May: func(a string) (bool, error) { return strings.HasPrefix(a, "joe"), nil }}
	for len(text) > 0 {
		n := min(size, len(text))
		c.Write([]byte(text[:n]))
		text = text[n:]
	}
	return "", c.Close()
}

func TestAHeaderIsCompletedAndTheRestIsLeftAsItIs(t *testing.T) {
	const date, id, from = "Date: 27 Nov 2026 12:00:00 -0000\n", "Message-ID: <20261127120000.7.1.qmail@m.test>\n",
		"From: joe@m.test\n"
	for text, want := range map[string]string{
		"":     date + id + from,
		"\nx":  date + id + from + "\nx",
		"x\ny": date + id + from + "\nx\ny",
		"Subject: a\n b\nBcc: eve@x.test,\n\tmal@x.test\nFrom: Joe <joe-x@m.test>\nreturn-path: <x>\nTo:you\n\n" +
			"Bcc: x\n": date + id +
			"Subject: a\n b\nFrom: Joe <joe-x@m.test>\nTo:you\n\nBcc: x\n",
		"date: 1\nMESSAGE-ID: 2\nfrom: joe\nResent-Bcc: x\nX: y": "date: 1\nMESSAGE-ID: 2\nfrom: joe\nX: y\n",
	} {
		for _, size := range []int{1, 3, 1000} {
			var b bytes.Buffer
			c := &Completion{Out: &b, Now: noon, ID: "7.1", IDHost: "m.test", Sender: "joe@m.test",
				May: func(a string) (bool, error) { return strings.HasPrefix(a, "joe"), nil }}
			for rest := text; len(rest) > 0; {
				n := min(size, len(rest))
				c.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if refusal := c.Close(); refusal != "" || b.String() != want {
				t.Errorf("%q by %d: %q %q", text, size, refusal, b.String())
			}
		}
	}
}

func TestNobodyWritesAsSomebodyElse(t *testing.T) {
	for text, want := range map[string]string{
		"From: eve@x.test\n\n":                             "550",
		"From: joe@m.test, eve@x.test\n\n":                 "550",
		"From: joe@m.test\nFrom: eve@x.test\n\n":           "550",
		"From : eve@x.test\n\n":                            "550",
		"FROM: \"joe@m.test\" <eve@x.test>\n\n":            "550",
		"From: joe\n <eve@x.test>\n\n":                     "550",
		"From: a: joe, eve@x.test;\n\n":                    "550",
		"From: eve@x.test":                                 "550",
		"From: \n\n":                                       "554",
		"From: (joe)\n\n":                                  "554",
		"From: \"joe\n\n":                                  "554",
		"X: " + strings.Repeat("x", maxCompleted) + "\n\n": "552",
		strings.Repeat("X: x\n", maxCompleted/4):           "552",
	} {
		for _, size := range []int{7, 1 << 16} {
			if _, refusal := complete(text, size); !strings.HasPrefix(refusal, want) {
				t.Errorf("%.50q: %q", text, refusal)
			}
		}
	}
}

func TestANoticeWithoutAuthorIsRefused(t *testing.T) {
	c := &Completion{Out: new(bytes.Buffer), Now: noon, May: func(string) (bool, error) { return true, nil }}
	c.Write([]byte("\nx\n"))
	if refusal := c.Close(); !strings.HasPrefix(refusal, "554") {
		t.Error(refusal)
	}
}

func FuzzCompletion(f *testing.F) {
	f.Add("From: joe\nBcc: x\n y\n\nz", 3)
	f.Add("From: a@b\n\tFrom: joe", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		var outs [2]string
		var refusals [2]string
		for i, n := range [2]int{1 << 20, min(max(size, 1), 100)} {
			var b bytes.Buffer
			c := &Completion{Out: &b, Now: noon, Sender: "joe", May: func(a string) (bool, error) { return a == "joe", nil }}
			for rest := text; len(rest) > 0; {
				k := min(n, len(rest))
				c.Write([]byte(rest[:k]))
				rest = rest[k:]
			}
			refusals[i], outs[i] = c.Close(), b.String()
		}
		if outs[0] != outs[1] || refusals[0] != refusals[1] {
			t.Errorf("%q %q, %q %q", refusals[0], outs[0], refusals[1], outs[1])
		}
	})
}
