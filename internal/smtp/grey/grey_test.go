package grey

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys"
)

const delay = 300 * time.Second

var start = time.Unix(1_800_000_000, 0)

func store(t *testing.T) Store { return Store(filepath.Join(t.TempDir(), "list")) }

// asks has a triplet ask, so long after the start.
func (s Store) asks(t *testing.T, network, sender string, after time.Duration) bool {
	t.Helper()
	ok, err := s.Passes(network, sender, "joe@m.test", delay, start.Add(after))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestATripletPassesOnceItHasComeAgainInTime(t *testing.T) {
	s := store(t)
	const day = 24 * time.Hour
	for _, c := range []struct {
		sender string
		after  time.Duration
		want   bool
	}{
		{"a", 0, false}, {"a", delay - time.Second, false}, {"a", delay, true}, {"b", delay, false},
		{"a", delay + 1, true}, {"a", 30 * day, true}, {"a", 60 * day, true}, {"a", 100 * day, false},
		{"late", 100 * day, false}, {"late", 103 * day, false}, {"late", 103*day + delay, true},
		{"a", -day, false}, // the clock was wrong
	} {
		if got := s.asks(t, "n", c.sender, c.after); got != c.want {
			t.Errorf("%s after %v: %v", c.sender, c.after, got)
		}
	}
	if s.asks(t, "other", "late", 104*day) {
		t.Error("another network passes by the triplet of one")
	}
}

// introduce makes a network known.
func (s Store) introduce(t *testing.T, network string) {
	t.Helper()
	for i := range known {
		s.asks(t, network, strconv.Itoa(i), 0)
		if !s.asks(t, network, strconv.Itoa(i), delay) {
			t.Fatal("a triplet does not pass")
		}
	}
}

func TestANetworkThatHasComeAgainOftenIsKnown(t *testing.T) {
	s := store(t)
	for i := range known {
		if s.asks(t, "n", strconv.Itoa(i), 0) || s.asks(t, "n", "new", 0) {
			t.Fatalf("all of a network passes after %d triplets", i)
		}
		s.asks(t, "n", strconv.Itoa(i), delay)
	}
	if !s.asks(t, "n", "yet another", delay) {
		t.Error("a network is not known")
	}
	if s.asks(t, "m", "yet another", delay) {
		t.Error("another one is")
	}
	c, err := s.Count(start.Add(delay))
	if want := (Counts{Waiting: 2, Passed: known, Networks: 1, Known: 1}); err != nil || c != want {
		t.Errorf("%+v %v", c, err)
	}
	if err := s.Clear(); err != nil || s.asks(t, "n", "0", 2*delay) {
		t.Error("a cleared store remembers", err)
	}
}

func TestAFloodNeitherGrowsTheFileNorDrivesOutWhoIsKnown(t *testing.T) {
	s := store(t)
	s.introduce(t, "n")
	s.asks(t, "waits", "a", delay)
	flood := 100_000
	if testing.Short() {
		flood = 10_000
	}
	for i := range flood {
		network := "bots" // half of all from one network
		if i%2 == 0 {
			network = strconv.Itoa(i)
		}
		if s.asks(t, network, strconv.Itoa(i), delay+time.Second) {
			t.Fatal("a first try passes")
		}
	}
	fi, err := os.Stat(string(s))
	if err != nil || fi.Size() != fileSize || fileSize != 4<<20 {
		t.Errorf("%v bytes, %v", fi.Size(), err)
	}
	if !s.asks(t, "n", "new", 2*delay) {
		t.Error("a known network is forgotten")
	}
}

func TestANetworkThatFloodsTakesOnlyItsShareFromWhoWaits(t *testing.T) {
	s := store(t)
	s.asks(t, "bots", "first", 0)
	f, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	// A network that shares its bucket.
	of := func(n string) uint64 { return f.key.sum(1, []byte(n)) % buckets }
	beside := ""
	for i := 0; beside == ""; i++ {
		if n := strconv.Itoa(i); of(n) == of("bots") {
			beside = n
		}
	}
	f.Close()
	s.asks(t, beside, "a", 0)
	for i := range 10 * inBucket {
		s.asks(t, "bots", strconv.Itoa(i), time.Second)
	}
	if !s.asks(t, beside, "a", delay) {
		t.Error("who waits in the same bucket is forgotten")
	}
}

// A process that is killed, or a machine without power, leaves a record written in part.
func TestAWriteThatIsCutAnywhereLeavesAFileOfUse(t *testing.T) {
	s := store(t)
	s.introduce(t, "n")
	before, _ := os.ReadFile(string(s))
	s.asks(t, "m", "a", 0)
	after, _ := os.ReadFile(string(s))
	first := 0
	for before[first] == after[first] {
		first++
	}
	first -= first % recordSize
	if string(before[first+recordSize:]) != string(after[first+recordSize:]) {
		t.Fatal("more than one record is written")
	}
	for n := range recordSize + 1 {
		if err := os.WriteFile(string(s), before, 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, s, after[first:first+n], int64(first))
		got := s.asks(t, "m", "a", delay)
		// Bytes that the torn end would have left as they were are none that is missing.
		if whole := string(before[first+n:first+recordSize]) == string(after[first+n:first+recordSize]); got != whole {
			t.Errorf("after %d bytes: %v", n, got)
		}
		if !s.asks(t, "n", "new", delay) {
			t.Errorf("after %d bytes: a known network is forgotten", n)
		}
	}
}

func put(t *testing.T, s Store, b []byte, at int64) {
	t.Helper()
	f, err := os.OpenFile(string(s), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedFileIsMadeAnew(t *testing.T) {
	for name, damage := range map[string]func(s Store) error{
		"empty":  func(s Store) error { return os.Truncate(string(s), 0) },
		"header": func(s Store) error { return os.Truncate(string(s), int64(headerSize-1)) },
		"short":  func(s Store) error { return os.Truncate(string(s), fileSize-1) },
		"long":   func(s Store) error { return os.Truncate(string(s), 2*fileSize) },
		"rubbish": func(s Store) error {
			return os.WriteFile(string(s), []byte(strings.Repeat("x", fileSize)), 0o600)
		},
	} {
		s := store(t)
		s.introduce(t, "n")
		if err := damage(s); err != nil {
			t.Fatal(err)
		}
		if s.asks(t, "n", "new", delay) || !s.asks(t, "n", "new", 2*delay) {
			t.Errorf("%s: the file does not work", name)
		}
		if fi, _ := os.Stat(string(s)); fi.Size() != fileSize {
			t.Errorf("%s: %d bytes", name, fi.Size())
		}
	}
}

func door(t *testing.T, text string) *Door {
	t.Helper()
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "grey"), 0o700)
	os.WriteFile(filepath.Join(dir, "greylist"), []byte(text), 0o644)
	d, err := Open(control.Dir(dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnlyStrangersAreAskedToComeAgain(t *testing.T) {
	d := door(t, "300\n")
	for ip, want := range map[string]bool{"192.0.2.1": true, "2001:db8::1": true, "127.0.0.1": false, "::1": false,
		"10.0.0.1": false, "fe80::1%lo": false, "": false, "nonsense": false} {
		got := d.Admit(smtpd.AtRcpt, &smtpd.Visit{IP: ip, Recipient: "x@m.test"})
		if want != (got == "451 greylisted, please come again in 300 seconds (#4.7.1)") || !want && got != "" {
			t.Errorf("%q: %q", ip, got)
		}
	}
	v := smtpd.Visit{IP: "192.0.2.1", Relays: true} // as who has logged in does
	if got := d.Admit(smtpd.AtRcpt, &v); got != "" {
		t.Errorf("%+v: %s", v, got)
	}
	if door(t, "0\n") != nil {
		t.Error("a door without a time")
	}
}

func TestTheNextHostOfASenderAndTheNextNumberOfAListPass(t *testing.T) {
	d := door(t, "300\n")
	at := start
	d.now = func() time.Time { return at }
	first := smtpd.Visit{IP: "192.0.2.1", Sender: "List-12-x@A.test", Recipient: "Joe@m.test"}
	if d.Admit(smtpd.AtRcpt, &first) == "" {
		t.Fatal("a first try passes")
	}
	at = at.Add(delay)
	again := smtpd.Visit{IP: "::ffff:192.0.2.200", Sender: "list-345-x@a.test", Recipient: "joe@m.test"}
	if got := d.Admit(smtpd.AtRcpt, &again); got != "" {
		t.Error(got)
	}
}

func TestInAnyTroubleEverybodyPasses(t *testing.T) {
	v := smtpd.Visit{IP: "192.0.2.1", Recipient: "x@m.test"}
	for name, spoil := range map[string]func(path string) error{
		"no folder": func(path string) error { return os.Remove(filepath.Dir(path)) },
		"a folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a FIFO":    func(path string) error { return sys.Mkfifo(path, 0o600) },
	} {
		d := door(t, "300\n")
		if err := spoil(string(d.store)); err != nil {
			t.Fatal(err)
		}
		if got := d.Admit(smtpd.AtRcpt, &v); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	d := door(t, "300\n")
	d.Admit(smtpd.AtRcpt, &v)
	f, err := os.Open(string(d.store))
	if err != nil || sys.TryLock(f) != nil {
		t.Fatal("no lock", err)
	}
	defer f.Close()
	if got := d.Admit(smtpd.AtRcpt, &v); got != "" {
		t.Errorf("a file that somebody holds: %s", got)
	}
}

// The vector of the paper on SipHash: bytes 0 to 14 under the key of bytes 0 to 15.
func TestTheHashIsSipHash(t *testing.T) {
	var b [16]byte
	for i := range b {
		b[i] = byte(i)
	}
	k := key{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
	if got := k.sum(binary.LittleEndian.Uint64(b[:]), b[8:15]); got != 0xa129ca6149be45e5 {
		t.Errorf("%x", got)
	}
}

func FuzzRecord(f *testing.F) {
	k := key{1, 2}
	f.Add(record{id: 1, first: 2, last: 3, network: 4, kind: ofTriplet, passed: 1}.append(nil, k, 4096))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, ok := parse(b, k, 4096); ok {
			if b[22] == 0 && b[23] == 0 && string(r.append(nil, k, 4096)) != string(b[:recordSize]) {
				t.Errorf("%+v is not %x", r, b)
			}
			if _, moved := parse(b, k, 4096+recordSize); moved {
				t.Error("a record counts at another place")
			}
		}
		if k, ok := parseHeader(b); ok && string(header(k)) != string(b) {
			t.Errorf("%x is a header", b)
		}
	})
}
