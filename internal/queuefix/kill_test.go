package queuefix

import (
	"errors"
	"os"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/testkill"
)

// mortalVariable names the queue to a process of this test that repairs it and may be killed.
const mortalVariable = "QUEUEFIX_TEST_QUEUE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(mortalVariable); dir != "" {
		uids, gids := owners()
		if _, err := Run(Site{Dir: dir, UIDs: uids, GIDs: gids, Now: time.Now()}, true, silence{}); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(111)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKilledAtAnyStepItLeavesEveryMessage(t *testing.T) {
	for _, d := range []damage{
		{what: "a cycle", do: func(r *rig) { r.swap(r.sent...) }},
		{what: "a chain with a damaged end", gone: []int{0}, do: func(r *rig) {
			r.must(os.Truncate(r.at(queue.Info(r.sent[0].id)), 3))
			r.swap(r.sent[0], r.sent[1], r.sent[2])
		}},
		{what: "another split", do: func(r *rig) { r.split(7) }},
	} {
		t.Run(d.what, func(t *testing.T) {
			step := 1
			if testing.Short() {
				step = 7
			}
			for n := 1; killAt(t, d, n); n += step {
			}
		})
	}
}

// killAt repairs a queue with a damage and is killed before call n, then starts as qmail-send does, then repairs it again. It
// reports whether it came to call n.
func killAt(t *testing.T, d damage, n int) bool {
	dir, err := os.MkdirTemp("/dev/shm", "queuefix") // no disk to wait for
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	r := newRigIn(t, dir+"/queue")
	r.fill()
	d.do(r)
	out, err := testkill.Before(testkill.Run{
		Path: "/proc/self/exe", Args: []string{"queue-fix"}, Env: []string{mortalVariable + "=" + r.dir},
		Files: []*os.File{nil, nil, os.Stderr},
	}, n)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || !out.Killed && out.Code != 0 {
		t.Fatalf("call %d: %+v %v", n, out, err)
	}
	if d.what != "another split" { // qmail-send must not be started on one
		q := queue.Open(r.dir, nil)
		r.must(q.Recover(queue.Recovery{Ask: func(c queue.Chore, id queue.ID) { q.CleanTodo(id) }}))
	}
	said, _ := r.run(true)
	for i, m := range r.sent {
		if gone := len(d.gone) > 0 && d.gone[0] == i; (r.find(m) != nil) != gone {
			t.Errorf("killed before call %d: message %d: %v\n%s", n, i, r.find(m), said)
		}
	}
	if len(d.gone) > 0 && len(r.aside()) == 0 {
		t.Errorf("killed before call %d: nothing is set aside", n)
	}
	return out.Killed
}
