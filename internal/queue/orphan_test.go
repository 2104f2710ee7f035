package queue

import (
	"io/fs"
	"testing"
	"time"

	"qmail/conf"
)

// orphansAt lists what passes for an orphan at a time.
func orphansAt(q *Queue, now time.Time) (ids []ID) {
	for part := range conf.Split() {
		q.EachOrphan(part, now, nil, func(id ID) { ids = append(ids, id) })
	}
	return ids
}

func TestAMessageInTheMakingIsNoOrphanHoweverLateItSeems(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir)
	q := Open(dir, nil)
	in, err := q.Begin(1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(20 * 365 * 24 * time.Hour) // somebody has set the clock
	if ids := orphansAt(q, later); len(ids) > 0 {
		t.Errorf("in S2: %v", ids)
	}
	if err := in.Envelope(1, 1); err != nil {
		t.Fatal(err)
	}
	if ids := orphansAt(q, later); len(ids) > 0 {
		t.Errorf("in S3: %v", ids)
	}
	in.Leave(nil) // as when its process dies
	if ids := orphansAt(q, time.Now().Add(35*time.Hour)); len(ids) > 0 {
		t.Errorf("after 35 hours: %v", ids)
	}
	if ids := orphansAt(q, later); len(ids) != 1 || ids[0] != in.ID() {
		t.Errorf("%v instead of %v", ids, in.ID())
	}
}

// moving has a message go on, from todo to info, between two looks.
type moving struct {
	FS
	look func()
}

func (m moving) Held(name string) (bool, error) {
	m.look()
	return m.FS.Held(name)
}

func (m moving) Lstat(name string) (fs.FileInfo, error) {
	m.look()
	return m.FS.Lstat(name)
}

func TestAMessageThatIsPreprocessedMeanwhileIsNoOrphan(t *testing.T) {
	for at := 0; at < 4; at++ {
		m := newModel(laws[0])
		w := &world{m: m, q: Open("", m)}
		l := newLetter("a@b", "x@here")
		w.enqueue(t, l)
		n := 0
		step := func() {
			if n == at {
				n++
				w.preprocess(t, nil, l)
			}
			n++
		}
		q := Open("", moving{m, step})
		if ids := orphansAt(q, time.Now()); len(ids) > 0 {
			t.Errorf("preprocessed before look %d: %v", at, ids)
		}
		if n == 0 {
			t.Fatal("nothing was looked at")
		}
	}
}
