package send

import (
	"qmail/internal/qlog"
	"qmail/internal/queue"
	"qmail/internal/route"
)

// A direct is what is held of a message whose only record is in todo.
type direct struct {
	table   *route.Table // by which it was routed, so that a reread in between changes nothing
	rcpts   [2][]recipient
	done    []bool // by number: delivered
	late    []late // delivered while the files were being written
	since   int64
	counted bool // among those that are delivered straight from todo
}

type late struct {
	j *job
	r recipient
}

// announce logs a new message and begins its first delivery: straight from todo when it has few recipients and
// can be begun at once, else from its own files.
func (d *daemon) announce(f fresh, table *route.Table) {
	id := queue.ID(f.info.ID)
	d.log = qlog.NewMsg(d.log, f.info.ID)
	d.log = qlog.InfoMsg(d.log, f.info)
	d.todo.known[id] = read
	m := d.message(id)
	m.sender, m.birth = f.info.Sender, d.sec
	m.direct = &direct{table: table, rcpts: f.rcpts, done: make([]bool, f.count), since: d.sec}
	if f.many || d.todo.direct >= maxDirect || !d.canStart(f) || d.isOld(id) {
		d.write(m)
		return
	}
	d.todo.direct++
	m.direct.counted = true
	d.todo.directs = append(d.todo.directs, m)
	for _, c := range queue.Channels() {
		if len(f.rcpts[c]) == 0 {
			continue
		}
		j := &job{
			m: m, first: true, next: f.rcpts[c], left: len(f.rcpts[c]), eof: true,
			retry: nextRetry(m.birth, d.sec, c), dying: d.sec > m.birth+d.Controls.lifetime,
		}
		m.jobs[c] = j
		d.ch[c].line(j)
	}
	d.progress(m)
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

// isOld reports whether an entry may be from before our start. An earlier qmail-send may then have left it files, which a delivery
// straight from todo would not remove.
func (d *daemon) isOld(id queue.ID) bool {
	_, old := d.todo.old[id]
	delete(d.todo.old, id)
	return old || !d.todo.begun
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
