package bounce

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestABounceReadsAsTheGoldenFileShows(t *testing.T) {
	names := Names{From: "MAILER-DAEMON", Host: "mail.test", DoubleTo: "postmaster", DoubleHost: "double.test"}
	var par []byte
	par = Paragraph(par, "nosuch@mail.test", []byte("No such address. (#5.1.1)\n"))
	par = Paragraph(par, "evil\n\n<x@y", []byte("one\n\n\ntwo"))
	par = Paragraph(par, "quiet@mail.test", nil)
	date := time.Date(2001, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for _, c := range []struct{ file, sender string }{
		{"single", "joe smith@mail.test"},
		{"list", "list-@mail.test-@[]"},
		{"double", ""},
	} {
		b, ok := For(c.sender, names)
		if !ok {
			t.Fatalf("%s: thrown away", c.file)
		}
		var got bytes.Buffer
		got.WriteString("F" + b.Sender + "\nT" + b.Recipient + "\n\n")
		m := Message{Text: strings.NewReader("Subject: x\n\nbody without end")}
		if err := b.Write(&got, date, bytes.NewReader(par), m); err != nil {
			t.Fatal(err)
		}
		file := "testdata/" + c.file + ".golden"
		if *update {
			os.WriteFile(file, got.Bytes(), 0o644)
		}
		want, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(want, got.Bytes()) {
			t.Errorf("%s: %v, got\n%s", c.file, err, got.Bytes())
		}
	}
}

func TestNoLineOfABounceIsAStrangers(t *testing.T) {
	const evil = "\"a\r\nX-Injected: y\n\x1b\"@b"
	b, _ := For(evil, Names{From: "f", Host: "h"})
	var got bytes.Buffer
	par := Paragraph(nil, evil, []byte("x\r\ty\x1b[2J\x7f\n"))
	if err := b.Write(&got, time.Now(), bytes.NewReader(par), Message{Text: strings.NewReader("")}); err != nil {
		t.Fatal(err)
	}
	if s := got.String(); strings.Contains(s, "\nX-Injected") || strings.ContainsAny(s, "\r\x1b\x7f") ||
		!strings.Contains(s, "\nx_\ty_[2J_\n") {
		t.Errorf("%q", s)
	}
}

func TestTheBounceOfADoubleBounceIsThrownAway(t *testing.T) {
	if _, ok := For("#@[]", Names{}); ok {
		t.Error("a triple bounce would be sent")
	}
}

func TestAnEmptyDoublebouncetoLeavesTheHostAlone(t *testing.T) {
	if b, _ := For("", Names{DoubleHost: "h"}); b.Recipient != "@h" {
		t.Errorf("got %q", b.Recipient)
	}
}

func FuzzAParagraphHasOneEmptyLineAtItsEnd(f *testing.F) {
	f.Add("a@b", []byte("tab\there \001x\n\nsecond/line\n"))
	f.Add("\n\n", []byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, recipient string, text []byte) {
		p := Paragraph(nil, recipient, text)
		body := bytes.TrimRight(p, "\n")
		if !bytes.HasSuffix(p, []byte("\n\n")) || bytes.Contains(body, []byte("\n\n")) {
			t.Errorf("%q", p)
		}
	})
}
