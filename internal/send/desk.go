package send

import (
	"time"

	"qmail/internal/queue"
	"qmail/internal/sys"
	"qmail/internal/text/qlog"
)

// A desk is what every room has at hand: the queue, the log, the time, what is to be done later, and those who wait for
// the disk.
type desk struct {
	queue    *queue.Queue
	now      func() time.Time
	log      []byte // lines not yet written
	sec      int64  // the time, in seconds, at the beginning of this turn
	disk     tasks
	why      why
	count    counting
	later    []later
	stopping bool // nothing new is started
}

// A later is something to do again after trouble.
type later struct {
	at int64
	fn func()
}

// after has fn done after the pause that follows trouble with the system.
func (d *desk) after(fn func()) { d.later = append(d.later, later{d.sec + sleepFailure, fn}) }

// doLater does what is due of that. The next qmail-send will see to what is left at the end.
func (d *desk) doLater() {
	if d.stopping {
		d.later = nil
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

func (d *desk) alert(text string)   { d.log = qlog.Alert(d.log, text) }
func (d *desk) warning(text string) { d.log = qlog.Warning(d.log, text) }

// trouble logs a warning with the reason of an error behind it.
func (d *desk) trouble(text string, err error) { d.warning(because(text, err)) }

func because(text string, err error) string { return text + ": " + sys.Reason(err) }

// maxTasks bounds the goroutines that wait for the disk, and the files they have open.
const maxTasks = 24

// A task touches the disk. It sees only the values it was made with, and returns what the owner does with its result.
type task func() (settle func())

// tasks are those that run, and those that wait until they may.
type tasks struct {
	settled chan func()
	limit   int
	running int
	waiting []task
}

func newTasks(limit int) tasks { return tasks{settled: make(chan func(), limit), limit: limit} }

// start runs the task beside the owner, now or when others have ended.
func (t *tasks) start(fn task) {
	if t.running >= t.limit {
		t.waiting = append(t.waiting, fn)
		return
	}
	t.running++
	go func() { t.settled <- fn() }()
}

// settle does what a task has returned, which has come back with it.
func (t *tasks) settle(fn func()) {
	t.running--
	if len(t.waiting) > 0 {
		next := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.start(next)
	}
	if fn != nil {
		fn()
	}
}

// idle reports whether nothing runs or waits.
func (t *tasks) idle() bool { return t.running == 0 && len(t.waiting) == 0 }
