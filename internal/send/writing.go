package send

import (
	"time"

	"qmail/internal/queue"
)

// write has the files of a message written that so far is only in todo.
func (t *intake) write(m *message) {
	if !m.writing {
		m.writing = true
		t.writes = append(t.writes, m)
	}
}

// writeAll writes the files of all messages that wait for it, with one wait for the disk.
func (t *intake) writeAll() {
	if t.writing || len(t.writes) == 0 {
		return
	}
	n := min(len(t.writes), todoBatch)
	batch := t.writes[:n:n]
	t.writes = t.writes[n:]
	t.writing = true
	plans := make([]queue.Plan, n)
	for i, m := range batch {
		plans[i] = plan(m)
	}
	q := t.queue
	t.disk.start(func() func() {
		made, errs := prepare(q, plans)
		return func() {
			t.writing = false
			for i, m := range batch {
				t.written(m, made[i], errs[i], plans[i].Done)
			}
		}
	})
}

// plan says how the message gets its files. Who is done now gets no record.
func plan(m *message) queue.Plan {
	table := m.direct.table
	done := append([]bool(nil), m.direct.done...)
	return queue.Plan{
		ID: m.id, Birth: time.Unix(m.birth, 0),
		Route: table.Rewrite,
		Done:  func(n int) bool { return n < len(done) && done[n] },
	}
}

func prepare(q *queue.Queue, plans []queue.Plan) ([]*queue.Prepared, []error) {
	made, errs := make([]*queue.Prepared, len(plans)), make([]error, len(plans))
	var good []*queue.Prepared
	var at []int
	for i, p := range plans {
		if made[i], errs[i] = q.Prepare(p); errs[i] == nil {
			good, at = append(good, made[i]), append(at, i)
		}
	}
	for i, err := range q.Settle(good) {
		errs[at[i]] = err
	}
	return made, errs
}

// written has todo give way to the files, once they are on disk.
func (t *intake) written(m *message, made *queue.Prepared, err error, done func(int) bool) {
	if err != nil {
		t.trouble("unable to preprocess "+queue.Todo(m.id)+"; will try again later", err)
		t.after(func() {
			m.writing = false
			t.catchUp(m)
			t.write(m)
		})
		return
	}
	t.untodo(m.id, func() {
		t.converted(m, made.Has, done)
	})
}

// catchUp takes note of those that were delivered while nothing could be written.
func (t *intake) catchUp(m *message) {
	for _, l := range m.direct.late {
		m.direct.done[l.r.n] = true
	}
	m.direct.late = nil
}

// converted goes on with a message that has its files now.
func (t *intake) converted(m *message, has [2]bool, done func(int) bool) {
	x := m.direct
	t.undirect(m)
	m.writing = false
	for _, c := range queue.Channels() {
		j := m.jobs[c]
		if j == nil {
			continue
		}
		j.moved = map[int]int64{}
		var at int64
		for _, r := range x.rcpts[c] {
			if !done(r.n) {
				j.moved[r.n] = at
				at += int64(len(r.addr)) + 2
			}
		}
	}
	for _, l := range x.late {
		l.j.letters = append(l.j.letters, l.j.pos(l.r))
	}
	if m.jobs[0] != nil || m.jobs[1] != nil {
		t.advance(m)
		return
	}
	t.forget(m)
	for _, c := range queue.Channels() {
		if has[c] {
			t.slots[c].first = append(t.slots[c].first, m.id)
		}
	}
	if !has[0] && !has[1] {
		t.ending.finish(m.id)
	}
}
