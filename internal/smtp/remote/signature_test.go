package remote

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSignaturesGoOnTopOfAShortAndALongMessageEachTimeItIsSent(t *testing.T) {
	const top = "DKIM-Signature: v=1;\r\n\tb=x\r\n"
	var m Remote
	m.Take([]string{"X=y", "DKIMSIGNATURE=" + top})
	for _, text := range []string{"", ".\n", "From: x\n\nx\n", strings.Repeat("a line\r\n", 3*pieceSize)} {
		name := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		l, err := openLetter(m.top, f)
		if err != nil {
			t.Fatal(err)
		}
		sent := strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
		if err := l.survey(); err != nil || l.size != int64(len(top)+len(sent)) {
			t.Errorf("%.10q: %d bytes, %v", text, l.size, err)
		}
		for range 2 {
			var out bytes.Buffer
			if err := l.send(&out); err != nil {
				t.Fatal(err)
			}
			want := top + strings.ReplaceAll("\r\n"+sent, "\r\n.", "\r\n..")[2:] + ".\r\n"
			if out.String() != want {
				t.Errorf("%.10q: %.100q", text, out.String())
			}
		}
	}
}

func TestWhatIsNoSignatureGoesOnTopOfNothing(t *testing.T) {
	for _, bad := range []string{
		"From: x\n", "DKIM-Signature: x", "DKIM-Signature: x\n\nx\n", "DKIM-Signature: x\nX: y\n", "\n", " x\n",
		"DKIM-Signature: x\n \t\r\n", "DKIM-Signature: x\n \n",
	} {
		var m Remote
		m.Take([]string{"DKIMSIGNATURE=" + bad})
		if m.top != "" {
			t.Errorf("%q", m.top)
		}
	}
	m := Remote{top: "x"}
	if m.Take(nil); m.top != "" {
		t.Error("the next message gets the signature of the one before")
	}
}
