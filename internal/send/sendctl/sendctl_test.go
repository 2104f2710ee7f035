package sendctl

import (
	"os"
	"path/filepath"
	"testing"
)

func TestARequestIsAnsweredInOrder(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "sendctl"), 0o700)
	if _, err := Dial(dir); err != ErrNotRunning {
		t.Fatalf("without a socket: %v", err)
	}
	got := make(chan Request, 10)
	err := Listen(dir, func(q Request) Answer {
		got <- q
		if q.ID == 7 {
			return Unknown
		}
		return Done
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for id, want := range map[uint64]Answer{7: Unknown, 1 << 63: Done} {
		if a, err := c.Ask(Request{Hold, id}); a != want || err != nil {
			t.Errorf("%d: %c, %v", id, a, err)
		}
	}
	if a, err := c.Ask(Request{'?', 1}); a != Malformed || err != nil {
		t.Errorf("nonsense: %c, %v", a, err)
	}
	if len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestASocketWithoutItsProcessIsNobody(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "sendctl"), 0o700)
	os.WriteFile(filepath.Join(dir, "sendctl", "socket"), nil, 0o600)
	if _, err := Dial(dir); err != ErrNotRunning {
		t.Errorf("got %v", err)
	}
}

func FuzzARequestSurvivesTheSocket(f *testing.F) {
	f.Add([]byte("r123"))
	f.Add([]byte("a0"))
	f.Add([]byte("h+1"))
	f.Add([]byte("b99999999999999999999"))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, ok := Parse(b)
		if !ok {
			return
		}
		if again, ok := Parse(q.Append(nil)); !ok || again != q {
			t.Errorf("%q: %v became %v", b, q, again)
		}
	})
}
