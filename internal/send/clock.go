package send

import (
	"time"

	"qmail/internal/queue"
)

// clock notices when somebody sets the clock.
type clock struct{ last time.Time }

func (c *clock) begin(now time.Time) { c.last = now }

// jump returns by how many seconds the clock was set since the last call.
func (c *clock) jump(now time.Time) int64 {
	steady := now.Sub(c.last) // by the monotonic clock, where there is one
	wall := now.Round(0).Sub(c.last.Round(0))
	c.last = now
	return int64((wall - steady) / time.Second)
}

// tick takes note of the time. When the clock was set back, what is due is moved along, or nothing would be until
// it is again as late as it was. When it was set ahead, things are due early, and no harm is done.
func (d *daemon) tick() {
	now := d.Now()
	d.desk.sec = now.Unix()
	if jump := d.clock.jump(now); jump < -1 {
		d.moved(jump)
	}
}

// moved takes note that the clock was set back, by so many seconds: jump is negative.
func (d *daemon) moved(jump int64) {
	sec := d.desk.sec
	along := func(at int64) int64 { return min(at, max(at+jump, sec)) }
	for _, s := range d.slots {
		s.retry.each(func(w due) int64 { return along(w.at) })
	}
	for i := range d.desk.later {
		d.desk.later[i].at += jump
	}
	for _, m := range d.messages.active {
		m.birth = min(m.birth, sec)
		if m.direct != nil {
			m.direct.since += jump
		}
		for _, j := range m.jobs {
			if j != nil {
				j.retry = along(j.retry)
			}
		}
	}
	d.intake.at += jump
	d.passes.moved += jump
	d.survey.orphans.at += jump
}

// age returns the birth of a message. One in the future is a clock's fault: the message is born now, on disk as
// well, or it would not get old for as long as that clock was wrong.
func age(q *queue.Queue, id queue.ID, birth, now int64) int64 {
	if birth <= now {
		return birth
	}
	q.SetBirth(id, time.Unix(now, 0))
	return now
}
