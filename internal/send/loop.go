package send

import (
	"errors"
	"slices"
	"time"

	"qmail/internal/queue"
	"qmail/internal/text/exit"
	"qmail/internal/text/qlog"
)

// moreEvents bounds how many events are taken in one turn before work is looked for again.
const moreEvents = 256

// Run is qmail-send from its first look at the control files to its last line of log.
func Run(cfg Config) exit.Code {
	d, err := newDaemon(cfg)
	if err != nil {
		cfg.Log.Write(qlog.Alert(nil, "cannot start: "+err.Error()))
		return exit.Temp
	}
	d.run()
	return exit.OK
}

var errSpawn = errors.New("hath the daemon spawn no fire?")

func newDaemon(cfg Config) (*daemon, error) {
	d := &daemon{
		Config: cfg, tasks: newTasks(maxTasks), endings: newTasks(maxEndings), active: map[queue.ID]*message{},
		paces: make(chan chan<- pace),
	}
	for _, c := range queue.Channels() {
		d.held[c] = map[queue.ID]struct{}{}
		if err := d.ch[c].begin(cfg.Spawner[c], d.Controls.concurrency[c]); err != nil {
			return nil, errSpawn
		}
	}
	d.ch[queue.Remote].ask()
	d.clean.begin(cfg.Clean)
	d.todo.begin()
	d.gone.begin()
	d.clock.begin(cfg.Now())
	d.tick()
	return d, nil
}

// run is the life of the daemon.
func (d *daemon) run() {
	d.status()
	d.startScan()
	timer := time.NewTimer(0)
	for {
		d.work()
		d.send()
		if d.exiting && d.finished() {
			break
		}
		timer.Reset(d.idle())
		d.wait(timer.C)
		for n := 0; n < moreEvents && d.poll(); n++ {
		}
		d.tick()
	}
	d.saveTimes()
	d.log = qlog.Exiting(d.log)
	d.send()
}

// work does everything that is due.
func (d *daemon) work() {
	d.doLater()
	d.doTodo()
	d.doWrites()
	d.doCleanup()
	if !d.exiting {
		for i := range d.ch {
			d.fill(queue.Channel(i))
			d.deliver(queue.Channel(i))
		}
	}
}

// send passes on what this turn has made: first the log, then the orders and requests.
func (d *daemon) send() {
	if len(d.log) > 0 {
		d.Log.Write(d.log)
		d.log = d.log[:0]
	}
	d.ch[queue.Local].out.send()
	d.ch[queue.Remote].out.send()
	d.clean.out.send()
}

// wait waits for one event, or until the timer says that something is due.
func (d *daemon) wait(timer <-chan time.Time) {
	local, remote := &d.ch[queue.Local], &d.ch[queue.Remote]
	select {
	case fn := <-d.tasks.settled:
		d.settle(&d.tasks, fn)
	case fn := <-d.endings.settled:
		d.settle(&d.endings, fn)
	case p, ok := <-local.replies:
		d.reply(queue.Local, p, ok)
	case p, ok := <-remote.replies:
		d.reply(queue.Remote, p, ok)
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
		d.request(q)
	case f := <-d.scan.found:
		d.scanned(f)
	case id := <-d.scan.asked:
		d.untodo(id, func() {})
	case l := <-d.scan.lend:
		d.lend(l)
	case <-d.scan.back:
		d.giveBack()
	case a := <-d.paces:
		a <- d.pace()
	case o := <-d.scan.odd:
		d.oddScanned(o)
	case <-d.Trigger:
		d.todo.due = true
	case <-timer:
	}
}

// poll takes one event if there is one, so that many that come together share a turn.
func (d *daemon) poll() bool {
	select {
	case fn := <-d.tasks.settled:
		d.settle(&d.tasks, fn)
	case fn := <-d.endings.settled:
		d.settle(&d.endings, fn)
	case p, ok := <-d.ch[queue.Local].replies:
		d.reply(queue.Local, p, ok)
	case p, ok := <-d.ch[queue.Remote].replies:
		d.reply(queue.Remote, p, ok)
	case b, ok := <-d.clean.answers:
		d.answer(b, ok)
	default:
		return false
	}
	return true
}

func (d *daemon) settle(t *tasks, fn func()) {
	t.ended()
	if fn != nil {
		fn()
	}
}

func (d *daemon) signal(s Signal) {
	switch s {
	case Stop:
		d.stop()
	case RunAll:
		d.scan.all = d.scan.running
		for i := range d.ch {
			d.ch[i].retry.each(func(due) int64 { return d.sec })
		}
		for _, m := range d.active {
			m.again(d.sec)
		}
	case Reread:
		t, err := d.Controls.table.Reread(d.Dir)
		if err != nil {
			d.alert("unable to reread controls")
			return
		}
		d.Controls.table = t
	}
}

// stop begins the end: nothing new is started. What todo still says in full needs no files.
func (d *daemon) stop() {
	d.exiting = true
	untouched := func(m *message) bool { return !m.direct.begun && m.wish == nil }
	for _, m := range d.active {
		if m.direct != nil && !untouched(m) {
			d.write(m)
		}
	}
	d.todo.writes = slices.DeleteFunc(d.todo.writes, untouched)
}

// finished reports whether nothing is under way any more.
func (d *daemon) finished() bool {
	for i := range d.ch {
		if !d.ch[i].lost && d.ch[i].running > 0 {
			return false
		}
	}
	return d.tasks.idle() && d.endings.idle() && len(d.todo.writes) == 0 && (d.clean.lost || len(d.clean.asked) == 0)
}

// saveTimes leaves the next attempts where the next qmail-send finds them: as the times of the files. A pass that
// was cut short goes on at once.
func (d *daemon) saveTimes() {
	for id, m := range d.active {
		for c, j := range m.jobs {
			if j != nil && m.direct == nil {
				d.Queue.NextTry(queue.Channel(c), id, time.Unix(d.sec, 0))
			}
		}
	}
	for i := range d.ch {
		for _, w := range d.ch[i].retry {
			d.Queue.NextTry(queue.Channel(i), w.id, time.Unix(w.at, 0))
		}
	}
}

// idle returns how long nothing is due.
func (d *daemon) idle() time.Duration {
	next := d.todo.next(d.sec)
	next = min(next, d.cleanup.at)
	for i := range d.ch {
		if c := &d.ch[i]; !d.exiting && len(c.retry) > 0 && c.limit > 0 && len(c.stale) == 0 {
			next = min(next, c.retry[0].at)
		}
	}
	for _, l := range d.later {
		next = min(next, l.at)
	}
	if d.ch[queue.Remote].wide.timed && !d.exiting {
		return probePace * time.Millisecond
	}
	// Whatever is due and was not begun waits for an event, or for the clock to move on.
	pause := time.Second
	if next > d.sec {
		pause = time.Until(time.Unix(next, 0)) + time.Millisecond
	}
	if r := d.todo.resting(); r > 0 && d.todo.due {
		pause = min(pause, r)
	}
	return pause
}

func (d *daemon) doLater() {
	if d.exiting {
		d.later = nil // the next qmail-send will see to it
	}
	keep := d.later[:0]
	var now []func()
	for _, l := range d.later {
		if l.at <= d.sec {
			now = append(now, l.fn)
		} else {
			keep = append(keep, l)
		}
	}
	clear(d.later[len(keep):])
	d.later = keep
	for _, fn := range now {
		fn()
	}
}

func (d *daemon) alert(text string)   { d.log = qlog.Alert(d.log, text) }
func (d *daemon) warning(text string) { d.log = qlog.Warning(d.log, text) }
