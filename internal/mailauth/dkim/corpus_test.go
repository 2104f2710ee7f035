package dkim

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// letter returns a message of a kind that is on the net, in the form of the wire.
func letter(r *rand.Rand, n int) string {
	pick := func(list ...string) string { return list[r.Intn(len(list))] }
	raw := func(n int) []byte {
		b := make([]byte, n)
		r.Read(b)
		return b
	}
	header := []string{
		"From: " + pick("Ann <ann@a.test>", "\"Ann, of a\" <ann@a.test>", "ann@a.test (Ann\r\n\tWho)",
			"=?utf-8?q?=C3=84?=\r\n <ann@a.test>"),
		"To: " + pick("bob@b.test", "Bob <bob@b.test>,\r\n\tc@c.test,\r\n  d@d.test", "undisclosed-recipients:;"),
		"Subject: " + pick("hello", "", "  two  blanks  ", "caf\xe9", "caf\xc3\xa9",
			"folded\r\n \r\n twice", strings.Repeat("long ", 150)),
		fmt.Sprintf("Date: Sat, 28 Nov 2026 03:%02d:%02d +0000", n/60%60, n%60),
		fmt.Sprintf("Message-ID: <%d@a.test>", n),
	}
	body := pick("hello\r\n", "a \t b \r\n\r\n  c\t\r\n", ".\r\n..\r\n")
	switch n % 8 {
	case 0: // 8 bits
		b := raw(1 + r.Intn(2000))
		for i := range b {
			if b[i] == '\r' || b[i] == '\n' || b[i] == 0 {
				b[i] = 0xe9
			}
		}
		body = string(b) + "\r\n"
	case 1: // long lines
		body = strings.Repeat(strings.Repeat(pick("x", "x ", "\t"), 1+r.Intn(9000))+"\r\n", 1+r.Intn(3))
	case 2: // odd headers
		header = append(header, "X-Empty:", "X-Blank: \t ", "x-Case:a:b;c=d", "SUBJECT: another", "Cc:\r\n c@c.test",
			"X-\x7e: "+string(rune(1+r.Intn(8))), "Reply-To: "+pick("ann@a.test", ",,", "<>"), "DKIM-Signature: v=1; x")
	case 3: // no body
		body = pick("", "\r\n", "\r\n\r\n\r\n", " \r\n", "\t\r\n\r\n")
	case 4: // attachments
		header = append(header, "MIME-Version: 1.0", "Content-Type: multipart/mixed;\r\n\tboundary=\"=_b\"")
		body = "preamble\r\n--=_b\r\n\r\ntext\r\n--=_b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		b := []byte(base64.StdEncoding.EncodeToString(raw(3 + r.Intn(9000))))
		for ; len(b) > 76; b = b[76:] {
			body += string(b[:76]) + "\r\n"
		}
		body += string(b) + "\r\n--=_b--\r\n" + pick("", "\r\n", "epilogue\r\n\r\n\r\n")
	case 5: // forwarded
		header = append([]string{"Received: from b.test by c.test;\r\n\tSat, 28 Nov 2026 02:00:00 +0000",
			"Resent-From: c@c.test", "Resent-Date: Sat, 28 Nov 2026 02:00:00 +0000", "Delivered-To: c@c.test"}, header...)
		body = "-- forwarded --\r\n> " + body
	case 6: // listed
		header = append(header, "Sender: owner@l.test", "List-Id: A list <a.l.test>", "Precedence: list",
			"List-Unsubscribe: <https://l.test/u?"+strconv.Itoa(n)+">,\r\n <mailto:u@l.test>",
			"List-Unsubscribe-Post: List-Unsubscribe=One-Click")
		body += pick("", "\r\n") + "_____\r\nfooter\r\n"
	}
	r.Shuffle(len(header), func(i, k int) { header[i], header[k] = header[k], header[i] })
	return strings.Join(header, "\r\n") + "\r\n\r\n" + body
}

// relayed is what another host makes of a message.
func relayed(message string, n int) string {
	if n%2 == 0 {
		return message
	}
	return "Received: from a.test (a.test [192.0.2.1])\r\n\tby mx.b.test with ESMTP id " + strconv.Itoa(n) +
		"\r\n\tfor <bob@b.test>; Sat, 28 Nov 2026 03:30:00 +0000 (UTC)\r\nX-Spam-Status: No\r\n" + message
}

// ask gives another's program messages, and returns its answers.
func ask(t *testing.T, verb string, messages []string, argv ...string) []string {
	t.Helper()
	var in bytes.Buffer
	for name, texts := range testKeys().records {
		fmt.Fprintf(&in, "%s=%s\n", name, strings.Join(texts, ""))
	}
	in.WriteByte('\n')
	for _, m := range messages {
		fmt.Fprintf(&in, "%s %d\n%s", verb, len(m), m)
	}
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin, c.Stderr = &in, os.Stderr
	b, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v", argv, err)
	}
	out := bufio.NewReader(bytes.NewReader(b))
	var answers []string
	for range messages {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, n)
		if _, err := io.ReadFull(out, answer); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, string(answer))
	}
	return answers
}

func TestEachOfAThousandMessagesVerifiesAtTheOthersAndTheirsWithUs(t *testing.T) {
	testqmail.Need(t, "/usr/bin/python3", "/usr/bin/perl")
	der, err := x509.MarshalPKCS8PrivateKey(testKeys().rsa)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	python := []string{"/usr/bin/python3", "testdata/theirs.py", base64.StdEncoding.EncodeToString(testKeys().ed.Seed())}
	perl := []string{"/usr/bin/perl", "testdata/theirs.pl", file}
	r := rand.New(rand.NewSource(13))
	const count = 1000
	var plain, signed, byRSA []string
	for n := range count {
		m := letter(r, n)
		plain = append(plain, m)
		ways := allWays()
		w := ways[n%len(ways)]
		s := relayed(signAll(t, m, w), n)
		if signed = append(signed, s); w.Algorithm == RSA {
			byRSA = append(byRSA, s)
		}
	}
	for _, c := range []struct {
		argv     []string
		messages []string
	}{{python, signed}, {perl, byRSA}} { // Mail::DKIM knows no Ed25519
		touched := strings.Replace(c.messages[0], "Message-ID: <", "Message-ID: <x", 1)
		for i, wrong := range ask(t, "verify", append(c.messages, touched), c.argv...) {
			if i == len(c.messages) {
				if wrong == "" {
					t.Errorf("%s: what was changed is good", c.argv[1])
				}
			} else if wrong != "" {
				t.Errorf("%s: %s: %.2000q", c.argv[1], wrong, c.messages[i])
			}
		}
	}
	for _, argv := range [][]string{python, perl} {
		for i, field := range ask(t, "sign", plain, argv...) {
			m := relayed(field+plain[i], i)
			if v := verify(m, testKeys().records.lookup); len(v) == 0 || v[0].Status != Pass {
				t.Errorf("%s: %+v: %.2000q", argv[1], v, m)
			}
		}
	}
}
