package hier

import (
	"io/fs"
	"path"
	"testing"
	"testing/fstest"
)

var source = fstest.MapFS{
	"docs/man/forward.1": {}, "docs/man/mbox.5": {}, "docs/FAQ.md": {}, "INSTALL.md": {}, "README.md": {},
	"LICENSE": {}, "NOTICES": {},
}

func all(t *testing.T) map[string]Entry {
	t.Helper()
	entries, err := Tree(source)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]Entry{}
	for _, e := range entries {
		if _, twice := m[e.Path]; twice {
			t.Errorf("%s is in the tree twice", e.Path)
		}
		if p, ok := m[path.Dir(e.Path)]; e.Path != "." && (!ok || p.Kind != Dir) {
			t.Errorf("%s comes before its folder", e.Path)
		}
		m[e.Path] = e
	}
	return m
}

func TestEveryNameComesOnceAndAfterItsFolder(t *testing.T) { all(t) }

// The modes and owners on which the walls between the programs stand.
func TestWhoMayDoWhatInTheTree(t *testing.T) {
	m := all(t)
	for _, w := range []struct {
		path, owner string
		kind        Kind
		bits        uint32
	}{
		{".", "root", Dir, 0o755},
		{"alias", "alias", Dir, 0o2755},
		{"bin/qmail-queue", "qmailq", File, 0o4711},
		{"bin/qmail-key", "qmailk", File, 0o4711},
		{"keys", "qmailk", Dir, 0o700},
		{"keys/tls", "qmailk", Dir, 0o700},
		{"keys/dkim", "qmailk", Dir, 0o700},
		{"bin/qmail-start", "root", File, 0o700},
		{"bin/qmail-lspawn", "root", File, 0o700},
		{"bin/qmail-send", "root", File, 0o711},
		{"bin/qmail-inject", "root", File, 0o755},
		{"boot/home", "root", File, 0o755},
		{"control", "root", Dir, 0o755},
		{"users", "root", Dir, 0o755},
		{"man/man1/forward.1", "root", File, 0o644},
		{"doc/FAQ.md", "root", File, 0o644},
		{"doc/INSTALL.md", "root", File, 0o644},
		{"doc/LICENSE", "root", File, 0o644},
		{"doc/NOTICES", "root", File, 0o644},
		{"queue", "qmailq", Dir, 0o750},
		{"queue/mess/22", "qmailq", Dir, 0o750},
		{"queue/todo", "qmailq", Dir, 0o750},
		{"queue/intd", "qmailq", Dir, 0o700},
		{"queue/pid", "qmailq", Dir, 0o700},
		{"queue/info/0", "qmails", Dir, 0o700},
		{"queue/local/7", "qmails", Dir, 0o700},
		{"queue/remote/22", "qmails", Dir, 0o700},
		{"queue/bounce", "qmails", Dir, 0o700},
		{"queue/lock", "qmailq", Dir, 0o750},
		{"queue/lock/sendmutex", "qmails", Data, 0o600},
		{"queue/lock/tcpto", "qmailr", Data, 0o644},
		{"queue/lock/trigger", "qmails", Pipe, 0o622},
	} {
		e, ok := m[w.path]
		if !ok || e.Owner != w.owner || e.Group != "qmail" || e.Kind != w.kind || e.Bits() != w.bits {
			t.Errorf("%s: %v %s:%s %04o, want %v %s:qmail %04o", w.path, e.Kind, e.Owner, e.Group, e.Bits(), w.kind,
				w.owner, w.bits)
		}
	}
	if m["queue/lock/tcpto"].Size != 1024 {
		t.Error("tcpto does not have 64 records")
	}
}

func TestNothingIsMissingWithoutKeysButWhatNeedsThem(t *testing.T) {
	entries, err := Tree(source)
	if err != nil {
		t.Fatal(err)
	}
	left := WithoutKeys(entries)
	if len(entries)-len(left) != 4 {
		t.Errorf("%d entries are left out", len(entries)-len(left))
	}
	for _, e := range left {
		if e.Owner == "qmailk" {
			t.Errorf("%s is left", e.Path)
		}
	}
}

func TestOnlyQmailQueueAndQmailKeyAreSetUID(t *testing.T) {
	for p, e := range all(t) {
		if e.Mode&fs.ModeSetuid != 0 && p != "bin/qmail-queue" && p != "bin/qmail-key" {
			t.Errorf("%s is set-uid", p)
		}
	}
}
