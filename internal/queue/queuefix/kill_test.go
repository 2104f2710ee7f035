package queuefix

import (
	"errors"
	"os"
	"testing"

	"qmail/internal/queue"
	"qmail/internal/sys"
)

var errDied = errors.New("died")

func TestWhereverItIsCutShortEveryMessageIsLeft(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 3
	}
	for _, d := range []damage{
		{what: "a cycle", do: func(r *rig) { r.swap(r.sent...) }},
		{what: "a chain with a damaged end", gone: []int{0}, do: func(r *rig) {
			r.must(os.Truncate(r.at(queue.Info(r.sent[0].id)), 3))
			r.swap(r.sent[0], r.sent[1], r.sent[2])
		}},
		{what: "another split", do: func(r *rig) { r.split(7) }},
	} {
		t.Run(d.what, func(t *testing.T) {
			n := 0
			for dieAt(t, d, n, true) && dieAt(t, d, n, false) {
				n += step
			}
			if n < 10 {
				t.Errorf("only %d steps", n)
			}
		})
	}
}

// dieAt repairs a queue with a damage and ends before change number n; then qmail-send starts, where that is asked
// for; then the queue is repaired again. It reports whether it came to that change.
func dieAt(t *testing.T, d damage, n int, sends bool) bool {
	dir, err := os.MkdirTemp("/dev/shm", "queuefix") // no disk to wait for
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	r := newRigIn(t, dir+"/queue")
	r.fill()
	d.do(r)
	top, err := sys.OpenFolder(r.dir)
	r.must(err)
	defer top.Close()
	left, died := n, false
	f := &fixer{Site: r.site, out: silence{}, mend: true, disk: &disk{top: top, step: func() error {
		if left--; left < 0 {
			died = true
			return errDied
		}
		return nil
	}}}
	if _, err := f.run(); err != nil && !died {
		t.Fatal(err)
	}
	if sends && d.what != "another split" { // qmail-send must not be started on one
		q := queue.Open(r.dir, nil)
		r.must(q.Recover(queue.Recovery{Ask: func(c queue.Chore, id queue.ID) { q.CleanTodo(id) }}))
	}
	said, _ := r.run(true)
	for i, m := range r.sent {
		if gone := len(d.gone) > 0 && d.gone[0] == i; (r.find(m) != nil) != gone {
			t.Errorf("ended before change %d: message %d: %v\n%s", n, i, r.find(m), said)
		}
	}
	if len(d.gone) > 0 && len(r.aside()) == 0 {
		t.Errorf("ended before change %d: nothing is set aside", n)
	}
	return died
}
