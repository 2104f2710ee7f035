package send

import (
	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/text/qlog"
)

// A direct is what is held of a message whose only record is in todo.
type direct struct {
	table   *route.Table // by which it was routed, so that a reread in between changes nothing
	rcpts   [2][]recipient
	done    []bool // by number: delivered
	late    []late // delivered while the files were being written
	begun   bool   // its first delivery has started,
	since   int64  // then
	counted bool   // among those that are delivered straight from todo
}

type late struct {
	j *job
	r recipient
}

// announce logs a new message and lines it up for its first delivery: straight from todo when it has few recipients and
// not too many wait there, else from its own files.
func (d *daemon) announce(f fresh, table *route.Table) {
	id := queue.ID(f.info.ID)
	d.log = qlog.NewMsg(d.log, f.info.ID)
	d.log = qlog.InfoMsg(d.log, f.info)
	d.todo.known[id] = read
	m := d.message(id)
	m.sender, m.birth = f.info.Sender, d.sec
	m.direct = &direct{table: table, rcpts: f.rcpts, done: make([]bool, f.count)}
	if f.many || d.todo.direct >= maxDirect || !d.canStart(f) {
		d.write(m)
		return
	}
	d.todo.direct++
	m.direct.counted = true
	for _, c := range queue.Channels() {
		if len(f.rcpts[c]) == 0 {
			continue
		}
		j := &job{
			m: m, first: true, next: f.rcpts[c], left: len(f.rcpts[c]), eof: true,
		}
		m.jobs[c] = j
		d.ch[c].line(j)
	}
	d.progress(m)
}

// begun takes note that a delivery of a job starts now. With its first delivery the time of a message in todo begins.
func (d *daemon) begun(c queue.Channel, j *job) {
	m := j.m
	if j.retry == 0 {
		j.retry, j.dying = nextRetry(m.birth, d.sec, c), d.sec > m.birth+d.Controls.lifetime
	}
	if x := m.direct; x != nil && !x.begun {
		x.begun, x.since = true, d.sec
		d.todo.directs = append(d.todo.directs, m)
	}
}

// progressDirect ends a message that all recipients have got, or has its files written when one of them has not.
func (d *daemon) progressDirect(m *message) {
	if m.writing {
		return
	}
	if len(m.bounce) > 0 {
		d.write(m)
		return
	}
	for _, j := range m.jobs {
		if j != nil && !j.over() {
			return
		}
	}
	for _, j := range m.jobs {
		if j != nil && j.left > 0 {
			d.write(m)
			return
		}
	}
	d.undirect(m)
	m.jobs = [2]*job{}
	d.forget(m)
	d.untodo(m.id, func() {})
	d.foop(m.id)
}

// undirect takes note that a message is not in todo any more.
func (d *daemon) undirect(m *message) {
	if m.direct.counted {
		d.todo.direct--
	}
	m.direct = nil
}

// canStart reports whether a message's channels deliver at all.
func (d *daemon) canStart(f fresh) bool {
	for c := range d.ch {
		if len(f.rcpts[c]) > 0 && d.ch[c].limit == 0 {
			return false
		}
	}
	return true
}
