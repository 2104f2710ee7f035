package rspawn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/site/control"
)

func TestWhatIsPassedOnHasBeenDeliveredHere(t *testing.T) {
	const queued, server, delivered = "Received: (qmail 1 invoked by uid 5); now\n",
		"Received: from x\n  by m.test with SMTP; now\n", "Delivered-To: joe@m.test\n"
	long := "Authentication-Results: " + strings.Repeat("x", 3000) + "\n"
	for text, want := range map[string]bool{
		queued + delivered + server + "\nbody":              true,
		queued + long + long + delivered + server:           true,
		queued + "delivered-to:x\n\n":                       true,
		queued + "X: y\n" + delivered:                       true,
		queued + server + delivered + "\n":                  false,
		queued + server + long + long + delivered + "\n":    false,
		queued + "\n" + delivered:                           false,
		queued + "X: y\n Delivered-To: joe\n\n" + delivered: false,
		"":               false,
		queued:           false,
		"no line":        false,
		"Delivered-To: ": false,
		queued + strings.Repeat("X: y\n", 20_000) + delivered: false,
		queued + "X: " + strings.Repeat("y", 200_000):         false,
	} {
		if got, err := isPassedOn(strings.NewReader(text)); got != want || err != nil {
			t.Errorf("%.80q: %v, %v", text, got, err)
		}
	}
}

func TestOnlyWhatIsPassedOnHasAnotherSender(t *testing.T) {
	r := site(t, `printf 'r\0K%s\n\0' "$2"`)
	r.choice.control = control.Dir(t.TempDir())
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(string(r.choice.control), name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	const plain, passed = "Received: q\nReceived: s\n\n", "Received: q\nDelivered-To: j@m.test\n\n"
	tell := func(message string) string {
		if err := os.WriteFile("7/7", []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
		return deliver(t, r, 1, "a@far.test")[0]
	}
	old := tell(passed)
	if !strings.Contains(old, "@") || strings.Contains(old, "SRS") {
		t.Fatalf("off: %q", old)
	}
	put("srs_domain", "fwd.test\n", 0o644)
	if got := tell(plain); got != old {
		t.Errorf("a message of a server: %q", got)
	}
	if got := tell(passed); !strings.HasPrefix(got, "Z") || !strings.Contains(got, "srs_secrets") ||
		!strings.Contains(got, "#4.3.5") {
		t.Errorf("without secrets: %q", got)
	}
	put("srs_secrets", "s\n", 0o440)
	if got := tell(passed); !strings.HasPrefix(got, "KSRS0=") || !strings.HasSuffix(got, "@fwd.test\n") {
		t.Errorf("passed on: %q", got)
	}
}
