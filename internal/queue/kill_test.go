package queue

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/conf"
)

// mortal is the real disk for a process that dies before its step number left.
type mortal struct {
	FS
	left *int
}

const died = 77

func (m mortal) step() {
	if *m.left--; *m.left < 0 {
		os.Exit(died)
	}
}

func (m mortal) NamesFollow() bool { return false }
func (m mortal) Ordered() bool     { return false }
func (m mortal) CreateUnnamed(d string, mode fs.FileMode) (File, error) {
	m.step()
	return m.file(m.FS.CreateUnnamed(d, mode))
}
func (m mortal) LinkUnnamed(f File, name string) error {
	m.step()
	return m.FS.LinkUnnamed(f.(mortalFile).File, name)
}
func (m mortal) Create(name string, mode fs.FileMode) (File, error) {
	m.step()
	return m.file(m.FS.Create(name, mode))
}
func (m mortal) Update(name string) (File, error) { m.step(); return m.file(m.FS.Update(name)) }
func (m mortal) Append(name string, mode fs.FileMode) (File, error) {
	m.step()
	return m.file(m.FS.Append(name, mode))
}
func (m mortal) Link(old, new string) error { m.step(); return m.FS.Link(old, new) }
func (m mortal) Remove(name string) error   { m.step(); return m.FS.Remove(name) }
func (m mortal) file(f File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return mortalFile{f, m}, nil
}

type mortalFile struct {
	File
	m mortal
}

func (f mortalFile) Write(b []byte) (int, error) {
	f.m.step()
	if *f.m.left == 0 && len(b) > 1 { // a step of its own: half a write
		f.File.Write(b[:len(b)/2])
		os.Exit(died)
	}
	return f.File.Write(b)
}

func (f mortalFile) WriteAt(b []byte, pos int64) (int, error) {
	f.m.step()
	return f.File.WriteAt(b, pos)
}

// makeTree makes the folders of a queue.
func makeTree(t testing.TB, dir string) {
	for _, d := range []string{"pid", "intd", "todo", "bounce", "lock"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range conf.Split() {
		for _, d := range []string{"mess", "info", "local", "remote"} {
			if err := os.MkdirAll(filepath.Join(dir, d, strconv.FormatUint(i, 10)), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var killed = map[string]*letter{
	"preprocessed":                  newLetter("a@b", "x@here", "y@far", "bad@here"),
	"straight from todo":            newLetter("a@b", "x@here", "y@far"),
	"straight, but one is deferred": newLetter("a@b", "x@here", "bad@far", "y@here"),
}

// leadLife leads the life of one message in this process, until it dies.
func leadLife(t *testing.T, name, dir string, steps int) {
	journal, err := os.OpenFile(filepath.Join(dir, "facts"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{q: Open("", mortal{Disk(dir), &steps}), note: func(kind string, _ *letter, rcpt string) {
		fmt.Fprintln(journal, kind, rcpt)
	}}
	l := killed[name]
	w.enqueue(t, l)
	switch name {
	case "straight from todo":
		w.straight(l)
		return
	case "straight, but one is deferred":
		w.fact("delivered", l, "x@here")
		w.preprocess(t, map[string]bool{"x@here": true}, l)
	default:
		w.preprocess(t, nil, l)
	}
	w.deliver(t, l)
	w.finish(t, l)
}

func TestDeathAtAnyStepLeavesAKnownState(t *testing.T) {
	if at := os.Getenv("QUEUE_TEST_STEPS"); at != "" {
		steps, _ := strconv.Atoi(at)
		leadLife(t, os.Getenv("QUEUE_TEST_LIFE"), os.Getenv("QUEUE_TEST_DIR"), steps)
		return
	}
	for name, l := range killed {
		t.Run(name, func(t *testing.T) {
			for step := 0; ; step++ {
				dir := t.TempDir()
				makeTree(t, dir)
				child := exec.Command(os.Args[0], "-test.run=^TestDeathAtAnyStepLeavesAKnownState$")
				child.Env = append(os.Environ(), "QUEUE_TEST_STEPS="+strconv.Itoa(step),
					"QUEUE_TEST_LIFE="+name, "QUEUE_TEST_DIR="+dir)
				out, err := child.CombinedOutput()
				if err == nil {
					t.Logf("%d steps", step)
					return
				}
				if child.ProcessState.ExitCode() != died {
					t.Fatalf("step %d: %v\n%s", step, err, out)
				}
				if err := afterDeath(dir, l); err != nil {
					t.Fatalf("died at step %d: %v", step, err)
				}
			}
		})
	}
}

// afterDeath restarts on what a dead process left, and checks it against the facts that it had written.
func afterDeath(dir string, l *letter) error {
	q := Open(dir, nil)
	had := map[string]bool{}
	facts, _ := os.ReadFile(filepath.Join(dir, "facts"))
	accepted := false
	for _, line := range strings.Split(string(facts), "\n") {
		kind, what, _ := strings.Cut(line, " ")
		switch kind {
		case "number":
			n, _ := strconv.ParseUint(what, 10, 64)
			l.id = ID(n)
		case "accepted":
			accepted = true
		case "delivered", "bounced":
			had[what] = true
		}
	}
	if err := restart(q); err != nil {
		return err
	}
	will, err := owed(q, l)
	if err != nil {
		return err
	}
	if len(will) > 0 {
		b, err := os.ReadFile(filepath.Join(dir, Mess(l.id)))
		if err != nil || string(b) != "Received: x\n"+l.text {
			return fmt.Errorf("queued without its whole message: %q, %v", b, err)
		}
	}
	for _, r := range l.rcpts {
		if accepted && !had[r] && will[r] == "" {
			return fmt.Errorf("nothing is owed to %s", r)
		}
	}
	return orphans(q, dir)
}

// orphans checks that after 36 hours the cleaning leaves nothing of a message that is in neither S4 nor S5.
func orphans(q *Queue, dir string) error {
	later := time.Now().Add(ossified + time.Hour)
	q.CleanPid(later)
	for part := range conf.Split() {
		q.EachOrphan(part, later, nil, func(id ID) { q.CleanFoop(id) })
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "facts" {
			return err
		}
		id, ok := ParseID(d.Name())
		if !ok {
			return fmt.Errorf("%s is left over", path)
		}
		for _, n := range []string{Todo(id), Info(id)} {
			if there, _ := q.there(n); there {
				return nil
			}
		}
		return fmt.Errorf("%s is left over", path)
	})
}
