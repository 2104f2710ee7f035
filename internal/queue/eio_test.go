package queue

import (
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// ailing is a disk one of whose operations fails. It may have been done all the same.
type ailing struct {
	FS
	left  *atomic.Int64 // operations until the one that fails; some are side by side
	doing bool          // that one is done, and fails
}

// op is one operation.
func (a ailing) op(do func() error) error {
	if a.left.Add(-1) != 0 {
		return do()
	}
	if a.doing {
		do()
	}
	return syscall.EIO
}

func (a ailing) file(f File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return ailingFile{f, a}, nil
}

func (a ailing) CreateUnnamed(folder string, mode fs.FileMode) (f File, err error) {
	if err = a.op(func() error { f, err = a.FS.CreateUnnamed(folder, mode); return err }); err != nil {
		return nil, err
	}
	return a.file(f, nil)
}

func (a ailing) Create(name string, mode fs.FileMode) (f File, err error) {
	if err = a.op(func() error { f, err = a.FS.Create(name, mode); return err }); err != nil {
		return nil, err
	}
	return a.file(f, nil)
}

func (a ailing) LinkUnnamed(f File, name string) error {
	return a.op(func() error { return a.FS.LinkUnnamed(f.(ailingFile).File, name) })
}

func (a ailing) StartOut(f File) error {
	return a.op(func() error { return a.FS.StartOut(f.(ailingFile).File) })
}

func (a ailing) WriteOut(f File) error {
	return a.op(func() error { return a.FS.WriteOut(f.(ailingFile).File) })
}

func (a ailing) Link(old, new string) error { return a.op(func() error { return a.FS.Link(old, new) }) }
func (a ailing) Remove(name string) error   { return a.op(func() error { return a.FS.Remove(name) }) }
func (a ailing) SyncFolder(d string) error  { return a.op(func() error { return a.FS.SyncFolder(d) }) }

func (a ailing) Lstat(name string) (fi fs.FileInfo, err error) {
	err = a.op(func() error { fi, err = a.FS.Lstat(name); return err })
	return fi, err
}

type ailingFile struct {
	File
	a ailing
}

func (f ailingFile) Sync() error { return f.a.op(f.File.Sync) }

func (f ailingFile) Write(b []byte) (n int, err error) {
	err = f.a.op(func() error { n, err = f.File.Write(b); return err })
	return n, err
}

func (f ailingFile) Stat() (fi fs.FileInfo, err error) {
	err = f.a.op(func() error { fi, err = f.File.Stat(); return err })
	return fi, err
}

// intakeOn takes one message in as qmail-queue does, and gives it up as qmail-queue does.
func intakeOn(q *Queue) error {
	in, err := q.Begin(1, time.Unix(1e9, 0))
	if err == nil {
		err = in.Text(nil, strings.NewReader("text\n"))
	}
	if err == nil {
		err = in.Envelope(1000, 1)
	}
	for _, r := range []string{"Fa@b", "Tx@here"} {
		if err == nil {
			err = in.Record([]byte(r + "\x00"))
		}
	}
	if err == nil {
		err = in.Commit()
	}
	if err != nil && in != nil {
		in.Abandon()
	}
	return err
}

func TestAnErrorOfTheDiskAtAnyStepLeavesTheWholeMessageOrNone(t *testing.T) {
	for _, l := range laws {
		for _, doing := range []bool{false, true} {
			after := 0 // failures that come when todo has its entry already
			for n := 1; ; n++ {
				m := newModel(l)
				var left atomic.Int64
				left.Store(int64(n))
				err := intakeOn(Open("", ailing{FS: m, left: &left, doing: doing}))
				if left.Load() > 0 {
					if err != nil {
						t.Fatalf("%s: %v without a failure", l.name, err)
					}
					break
				}
				if err != nil && n > 1 && m.todos() > 0 {
					after++
				}
				checkIntake(t, m, l.name, n, doing, err)
			}
			if after == 0 {
				t.Errorf("%s, doing %v: no failure came after the entry in todo", l.name, doing)
			}
		}
	}
}

// todos counts the entries of todo.
func (m *model) todos() (n int) {
	for name := range m.names {
		if folderOf(name) == "todo" {
			n++
		}
	}
	return n
}

func checkIntake(t *testing.T, m *model, law string, n int, doing bool, err error) {
	t.Helper()
	q := Open("", m)
	todos := 0
	q.EachTodo(nil, func(id ID) bool {
		todos++
		will, e := owed(q, &letter{id: id, sender: "a@b", rcpts: []string{"x@here"}})
		if e != nil || will["x@here"] != "send" {
			t.Errorf("%s, failure at %d (done: %v): todo owes %v, %v", law, n, doing, will, e)
		}
		if o := m.names[Mess(id)]; o == nil || string(o.now()) != "text\n" || m.names[Intd(id)] == nil {
			t.Errorf("%s, failure at %d (done: %v): todo without its whole message: %v", law, n, doing, m.names)
		}
		return true
	})
	if err == nil && todos != 1 {
		t.Errorf("%s, failure at %d (done: %v): accepted and not there", law, n, doing)
	}
	for _, known := range []error{nil, ErrPid, ErrMess, ErrIntd, ErrTodo, ErrWrite} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Errorf("%s, failure at %d: %v", law, n, err)
}
