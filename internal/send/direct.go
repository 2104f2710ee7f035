package send

import (
	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/send/schedule"
	"qmail/internal/sys/counters"
	"qmail/internal/text/qlog"
)

// A direct is what is held of a message whose only record is in todo.
type direct struct {
	table   *route.Table // by which it was routed, so that a reread in between changes nothing
	rcpts   [2][]recipient
	done    []bool    // by number: delivered
	late    []failure // no failures: delivered while the files were being written
	started bool      // its first delivery has,
	since   int64     // then
	counted bool      // among those that are delivered straight from todo
}

// announce logs a new message and lines it up for its first delivery: straight from todo when it has few recipients and
// not too many wait there, else from its own files.
func (t *intake) announce(f arrival, table *route.Table) {
	id := queue.ID(f.info.ID)
	t.log = qlog.NewMsg(t.log, f.info.ID)
	t.log = qlog.InfoMsg(t.log, f.info)
	t.count.add(counters.MessagesNew, 1)
	t.entries[id] = known
	m := t.get(id)
	m.sender, m.birth = f.info.Sender, t.sec
	m.direct = &direct{table: table, rcpts: f.rcpts, done: make([]bool, f.count)}
	if f.many || t.direct >= maxDirect || !t.canStart(f) {
		t.write(m)
		return
	}
	t.direct++
	m.direct.counted = true
	for _, c := range queue.Channels() {
		if len(f.rcpts[c]) == 0 {
			continue
		}
		j := &job{
			m: m, first: true, left: len(f.rcpts[c]), eof: true,
		}
		m.jobs[c] = j
		t.slots[c].add(j, f.rcpts[c])
	}
	t.advance(m)
}

// started takes note that a delivery of a job starts now. With its first delivery the time of a message in todo begins.
func (t *intake) started(c queue.Channel, j *job) {
	m := j.m
	if j.retry == 0 {
		j.retry, j.dying = schedule.Next(m.birth, t.sec, c), t.sec > m.birth+t.controls.lifetime
	}
	if x := m.direct; x != nil && !x.started {
		x.started, x.since = true, t.sec
		t.directs = append(t.directs, m)
	}
}

// workDirect ends a message that all recipients have got, or has its files written when one of them has not.
func (t *intake) workDirect(m *message) {
	if m.writing {
		return
	}
	if len(m.bounce) > 0 {
		t.write(m)
		return
	}
	for _, j := range m.jobs {
		if j != nil && !j.over() {
			return
		}
	}
	for _, j := range m.jobs {
		if j != nil && j.left > 0 {
			t.write(m)
			return
		}
	}
	t.undirect(m)
	m.jobs = [2]*job{}
	t.forget(m)
	t.untodo(m.id, func() {})
	t.ending.foop(m.id, func() {})
}

// undirect takes note that a message is not in todo any more.
func (t *intake) undirect(m *message) {
	if m.direct.counted {
		t.direct--
	}
	m.direct = nil
}

// canStart reports whether a message's channels deliver at all.
func (t *intake) canStart(f arrival) bool {
	for c, s := range t.slots {
		if len(f.rcpts[c]) > 0 && s.limit == 0 {
			return false
		}
	}
	return true
}
