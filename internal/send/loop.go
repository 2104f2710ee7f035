package send

import (
	"slices"
	"time"

	"qmail/internal/queue"
	"qmail/internal/text/exit"
	"qmail/internal/text/qlog"
)

// moreEvents bounds how many events are taken in one turn before work is looked for again.
const moreEvents = 256

// Run is qmail-send from its first look at the spawners to its last line of log.
func Run(cfg Config) exit.Code {
	d := newDaemon(cfg)
	d.clock.begin(cfg.Now())
	d.tick()
	if err := d.connect(); err != nil {
		cfg.Log.Write(qlog.Alert(nil, "cannot start: "+err.Error()))
		return exit.Temp
	}
	d.run()
	return exit.OK
}

// run is the life of the daemon.
func (d *daemon) run() {
	d.passes.status()
	d.survey.start()
	timer := time.NewTimer(0)
	for {
		d.work()
		d.send()
		if d.desk.stopping && d.finished() {
			break
		}
		timer.Reset(d.idle())
		d.wait(timer.C)
		for n := 0; n < moreEvents && d.poll(); n++ {
		}
		d.tick()
	}
	d.saveTimes()
	d.desk.count.end(d.desk.sec)
	d.desk.log = qlog.Exiting(d.desk.log)
	d.send()
}

// work does everything that is due.
func (d *daemon) work() {
	d.desk.doLater()
	d.intake.work()
	d.survey.work()
	d.passes.work()
}

// send passes on what this turn has made: first the log, then the orders and requests.
func (d *daemon) send() {
	if len(d.desk.log) > 0 {
		d.Log.Write(d.desk.log)
		d.desk.log = d.desk.log[:0]
	}
	d.spawners[queue.Local].out.send()
	d.spawners[queue.Remote].out.send()
	d.clean.out.send()
	d.desk.why.write(&d.desk.disk)
	d.desk.count.write(&d.desk.disk, d.desk.sec)
}

// wait waits for one event, or until the timer says that something is due.
func (d *daemon) wait(timer <-chan time.Time) {
	local, remote := d.spawners[queue.Local], d.spawners[queue.Remote]
	select {
	case fn := <-d.desk.disk.settled:
		d.desk.disk.settle(fn)
	case fn := <-d.ending.bouncing.settled:
		d.ending.bouncing.settle(fn)
	case r, ok := <-local.replies:
		d.passes.reply(queue.Local, r, ok)
	case r, ok := <-remote.replies:
		d.passes.reply(queue.Remote, r, ok)
	case b, ok := <-d.clean.answers:
		d.answer(b, ok)
	case <-local.out.back:
		local.out.free = true
	case <-remote.out.back:
		remote.out.free = true
	case <-d.clean.out.back:
		d.clean.out.free = true
	case s := <-d.Signals:
		d.signal(s)
	case q := <-d.Requests:
		d.asked.request(q)
	case f := <-d.survey.found:
		d.survey.scanned(f)
	case id := <-d.survey.asked:
		d.intake.untodo(id, func() {})
	case l := <-d.survey.loans.asked:
		d.survey.loans.lend(l)
	case <-d.survey.loans.back:
		d.intake.due = d.survey.loans.end() || d.intake.due
	case a := <-d.survey.paces:
		a <- d.survey.pace()
	case o := <-d.survey.odd:
		d.survey.oddScanned(o)
	case <-d.Trigger:
		d.intake.due = true
	case <-timer:
	}
}

// poll takes one event if there is one, so that many that come together share a turn.
func (d *daemon) poll() bool {
	select {
	case fn := <-d.desk.disk.settled:
		d.desk.disk.settle(fn)
	case fn := <-d.ending.bouncing.settled:
		d.ending.bouncing.settle(fn)
	case r, ok := <-d.spawners[queue.Local].replies:
		d.passes.reply(queue.Local, r, ok)
	case r, ok := <-d.spawners[queue.Remote].replies:
		d.passes.reply(queue.Remote, r, ok)
	case b, ok := <-d.clean.answers:
		d.answer(b, ok)
	default:
		return false
	}
	return true
}

// answer hands the answers of qmail-clean to those who asked.
func (d *daemon) answer(b []byte, ok bool) {
	if !ok {
		d.clean.answers, d.clean.lost = nil, true
		d.desk.alert("oh no! lost qmail-clean connection! dying...")
		d.stop()
		return
	}
	d.clean.answer(b)
}

func (d *daemon) signal(s Signal) {
	switch s {
	case Stop:
		switch again := d.desk.stopping; {
		case again:
			d.passes.giveUp = d.desk.sec
		case d.Controls.stopTime > 0:
			d.passes.giveUp = d.desk.sec + d.Controls.stopTime
		}
		d.stop()
	case RunAll:
		d.survey.all = d.survey.running
		for _, x := range d.slots {
			x.retry.each(func(due) int64 { return d.desk.sec })
		}
		for _, m := range d.messages.active {
			m.retryNow(d.desk.sec)
		}
	case Reread:
		t, err := d.Controls.table.Reread(d.Dir)
		if err != nil {
			d.desk.alert(because("unable to reread controls", err))
			return
		}
		d.Controls.table = t
	}
}

// stop begins the end: nothing new is started. What todo still says in full needs no files.
func (d *daemon) stop() {
	d.desk.stopping = true
	untouched := func(m *message) bool { return !m.direct.started && m.wish == nil }
	for _, m := range d.messages.active {
		if m.direct != nil && !untouched(m) {
			d.intake.write(m)
		}
	}
	d.intake.writes = slices.DeleteFunc(d.intake.writes, untouched)
}

// finished reports whether nothing is under way any more.
func (d *daemon) finished() bool {
	return !d.passes.running() && d.desk.disk.idle() && d.ending.bouncing.idle() && len(d.intake.writes) == 0 &&
		d.clean.idle()
}

// saveTimes leaves the next attempts where the next qmail-send finds them: as the times of the files. A pass that
// was cut short goes on at once.
func (d *daemon) saveTimes() {
	for id, m := range d.messages.active {
		for c, j := range m.jobs {
			if j != nil && m.direct == nil {
				d.Queue.NextTry(queue.Channel(c), id, time.Unix(d.desk.sec, 0))
			}
		}
	}
	for _, s := range d.slots {
		for _, w := range s.retry {
			d.Queue.NextTry(s.channel, w.id, time.Unix(w.at, 0))
		}
	}
}

// idle returns how long nothing is due.
func (d *daemon) idle() time.Duration {
	next := min(d.intake.next(), d.survey.orphans.at, d.desk.count.due())
	for _, s := range d.slots {
		if !d.desk.stopping && len(s.retry) > 0 && s.limit > 0 && len(s.stale) == 0 {
			next = min(next, s.retry[0].at)
		}
	}
	for _, l := range d.desk.later {
		next = min(next, l.at)
	}
	if d.desk.stopping && d.passes.giveUp != 0 && !d.spawners[queue.Remote].lost {
		next = min(next, d.passes.giveUp)
	}
	if d.passes.starving() && !d.desk.stopping {
		next = min(next, d.desk.sec+1)
	}
	// Whatever is due and was not begun waits for an event, or for the clock to move on.
	pause := time.Second
	if next > d.desk.sec {
		pause = time.Until(time.Unix(next, 0)) + time.Millisecond
	}
	if r := d.intake.resting(); r > 0 && d.intake.due {
		pause = min(pause, r)
	}
	return pause
}
