package attack

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// post sends one message to recipients, all in one flight, and returns what the server said of each, and of all.
func (s *server) post(from string, to ...string) (replies []string) {
	s.t.Helper()
	c, err := s.dial(from)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	go func() {
		w := bufio.NewWriter(c)
		io.WriteString(w, "HELO x\r\nMAIL FROM:<x@far.test>\r\n")
		for _, a := range to {
			io.WriteString(w, "RCPT TO:<"+a+">\r\n")
		}
		io.WriteString(w, "DATA\r\nSubject: list\r\n\r\nx\r\n.\r\nQUIT\r\n")
		w.Flush()
	}()
	b, err := io.ReadAll(c)
	lines := strings.Split(string(b), "\r\n")
	if err != nil || len(lines) < 5+len(to) {
		s.t.Fatalf("%v after %.300q", err, b)
	}
	// Before them are the greeting, three lines for HELO and one for MAIL.
	return lines[5:]
}

// TestLongListsDelayOthersByNoMoreThanASlotTakes has a client name one user 50,000 times in a message, and send long
// lists of addresses of that user.
func TestLongListsDelayOthersByNoMoreThanASlotTakes(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	makeMaildir(t, "orcjoe", "orcsam")
	s := start(t)
	quiet, _ := s.honest("127.0.0.1", 20)

	same := make([]string, 50_000)
	for i := range same {
		same[i] = "orcsam@m.test"
	}
	took := map[string]int{}
	for _, r := range s.post("127.0.2.1", same...)[:len(same)] {
		took[r]++
	}
	if took["250 ok"] != 1000 || took["452 too many recipients (#4.5.3)"] != len(same)-1000 {
		t.Errorf("of one name: %v", took)
	}
	box := filepath.Join(testqmail.HomeOf("orcsam"), "Maildir/new/*")
	poll.Until(t, "a copy", func() bool { files, _ := filepath.Glob(box); return len(files) > 0 })

	for m := range 10 {
		var to []string
		for i := range 1100 {
			to = append(to, fmt.Sprintf("orcsam-%d-%d@m.test", m, i))
		}
		replies := s.post("127.0.2.1", to...)
		if replies[999] != "250 ok" || replies[1000] != "452 too many recipients (#4.5.3)" {
			t.Errorf("the thousandth: %q, and the next: %q", replies[999], replies[1000])
		}
	}
	p99, median := s.honest("127.0.0.1", 25)
	t.Logf("a message takes %v at the 99th percentile, %v at the median; without lists %v", p99, median, quiet)
	if p99 > bound(2*time.Second, quiet) {
		t.Errorf("an honest message takes %v", p99)
	}
	if files, _ := filepath.Glob(box); len(files) != 1 {
		t.Errorf("the user has %d copies", len(files))
	}
}
