package rcpthosts

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"qmail/internal/site/control"
	"qmail/internal/text/cdb"
)

// site makes a control folder. A "-" is a missing file.
func site(t testing.TB, list, more string) control.Dir {
	t.Helper()
	dir := t.TempDir()
	if list != "-" {
		if err := os.WriteFile(filepath.Join(dir, listFile), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if more != "-" {
		w, err := cdb.Create(filepath.Join(dir, "tmp"))
		if err != nil {
			t.Fatal(err)
		}
		if err := Build(strings.NewReader(more), w.Add); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(filepath.Join(dir, moreFile)); err != nil {
			t.Fatal(err)
		}
	}
	return control.Dir(dir)
}

func TestMailIsAcceptedForTheHostsOfBothFilesAndTheirDomains(t *testing.T) {
	h, err := Open(site(t, "a.test\r\n.wild.test\n# c.test\n", "B.Test \t\r\n\r\n#d.test\n.more.test"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for addr, want := range map[string]bool{
		"joe@a.test": true, "joe@A.TEST": true, "joe": true, "": true, "joe@x@a.test": true,
		"joe@x.wild.test": true, "joe@y.x.wild.test": true, "joe@.wild.test": true, "joe@wild.test": false,
		"joe@b.test": true, "joe@x.b.test": false, "joe@x.more.test": true, "joe@more.test": false,
		"joe@c.test": false, "joe@d.test": false, "joe@": false, "joe@xa.test": false, "joe@a.test.": false,
		"a.test@no.test": false,
	} {
		if ok, err := h.Accepts(addr); ok != want || err != nil {
			t.Errorf("%q: %v %v", addr, ok, err)
		}
	}
}

func TestWithoutRcpthostsEveryHostIsAccepted(t *testing.T) {
	h, err := Open(site(t, "-", "b.test\n"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Accepts("joe@anywhere"); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestAnEmptyRcpthostsAcceptsNoHost(t *testing.T) {
	h, err := Open(site(t, "", "-"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Accepts("joe@anywhere"); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestADamagedDatabaseIsAnErrorAndNeverARefusal(t *testing.T) {
	dir := site(t, "a.test\n", "b.test\n")
	if err := os.WriteFile(filepath.Join(string(dir), moreFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if ok, err := h.Accepts("joe@b.test"); ok || err == nil {
		t.Errorf("%v %v", ok, err)
	}
	if ok, err := h.Accepts("joe@a.test"); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestTroubleInReadingTheListIsAnError(t *testing.T) {
	err := Build(iotest.ErrReader(io.ErrClosedPipe), func(_, _ []byte) error { return nil })
	if _, ok := err.(*InputError); !ok {
		t.Errorf("%v", err)
	}
	long := strings.Repeat("x", maxLine+1)
	if err := Build(strings.NewReader(long), func(_, _ []byte) error { return nil }); err == nil {
		t.Error("a line over the limit is accepted")
	}
}

func FuzzBuildThenAccept(f *testing.F) {
	f.Add("a.test\n.b.test\n", "joe@x.b.test")
	f.Add("# c\n\n", "@")
	f.Fuzz(func(t *testing.T, more, addr string) {
		keys := map[string]bool{}
		err := Build(strings.NewReader(more), func(key, _ []byte) error {
			keys[string(key)] = true
			return nil
		})
		if err != nil {
			return
		}
		h, err := Open(site(t, "", more))
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ok, err := h.Accepts(addr)
		if err != nil {
			t.Fatal(err)
		}
		host := addr[strings.LastIndexByte(addr, '@')+1:]
		if ok && host != addr && len(keys) == 0 {
			t.Errorf("%q is accepted by an empty list", addr)
		}
	})
}
