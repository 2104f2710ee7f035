package send

import (
	"qmail/internal/queue"
)

// over reports whether nothing more will happen in this pass.
func (j *job) over() bool {
	return j.eof && len(j.next) == 0 && len(j.aside) == 0 && j.running == 0 && j.parked == 0 && !j.reading
}

// progress does the next thing on disk that a message needs, one at a time: the paragraphs of its failures, the
// letters of those who are done, the end of a channel.
func (d *daemon) progress(m *message) {
	switch {
	case m.busy:
	case m.direct != nil:
		d.progressDirect(m)
	case len(m.bounce) > 0:
		d.appendBounce(m)
	case m.wish != nil:
		d.progressWish(m)
	default:
		for i, j := range m.jobs {
			if d.progressPass(m, queue.Channel(i), j) {
				return
			}
		}
		d.forget(m)
	}
}

// progressPass does the next thing that a pass needs, and reports whether that is a task.
func (d *daemon) progressPass(m *message, c queue.Channel, j *job) bool {
	switch {
	case j == nil:
	case j.over() && j.left == 0:
		d.endChannel(m, c)
		return true
	case len(j.letters) > 0:
		d.mark(m, c, j)
		return true
	case j.over():
		m.jobs[c] = nil
		d.ch[c].retry.add(due{j.retry, m.id})
	}
	return false
}

// forget drops a message that nothing is done about any more.
func (d *daemon) forget(m *message) {
	if !m.busy && m.direct == nil && m.jobs[0] == nil && m.jobs[1] == nil && d.active[m.id] == m {
		delete(d.active, m.id)
	}
}

// onDisk runs a task about a message; done runs when it is over, before the next one.
func (d *daemon) onDisk(m *message, work func() error, done func(error)) {
	m.busy = true
	d.tasks.start(func() func() {
		err := work()
		return func() {
			m.busy = false
			done(err)
			d.progress(m)
		}
	})
}

// mark turns letters into D. It is not synced: at worst a recipient gets a second copy after a crash.
func (d *daemon) mark(m *message, c queue.Channel, j *job) {
	q, id, at := d.Queue, m.id, j.letters
	j.letters = nil
	d.onDisk(m, func() error { return q.Mark(c, id, at...) }, func(err error) {
		if err != nil {
			d.warning("trouble marking " + c.File(id) + "; message will be delivered twice!")
		}
	})
}

// appendBounce makes the paragraphs about failures durable. Only then do the letters of these recipients change,
// which wait in letters; if it fails they are tried again with the next pass.
func (d *daemon) appendBounce(m *message) {
	q, id, text, failures := d.Queue, m.id, m.bounce, m.failures
	m.bounce, m.failures = nil, nil
	d.onDisk(m, func() error { return q.AppendBounce(id, text) }, func(err error) {
		if err != nil {
			d.warning("unable to append to " + queue.Bounce(id) + "; will try again later")
		}
		for _, f := range failures {
			if err == nil {
				f.j.left--
				f.j.letters = append(f.j.letters, f.j.pos(f.r))
			} else {
				f.j.retry = d.sec + sleepFailure
			}
			f.j.running--
		}
	})
}
