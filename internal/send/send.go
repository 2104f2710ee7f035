// Package send is qmail-send: it finds new messages in todo, has them delivered by the spawners until all recipients
// are done or time is up, bounces what failed, and has qmail-clean remove what is finished; see qmail-send(8).
//
// One goroutine, the owner, holds all state and decides everything. It never waits for the disk: what touches
// the disk is a task, a function that is given values and returns what the owner shall do with its result.
//
// The state is in rooms, each of which knows those above it in this list: the desk (what all have at hand) and the
// messages, slots (who may be tried now), ending (what became of recipients), intake (new mail), passes (deliveries),
// survey (the queue as a whole), asked (the queue tools). The daemon is their wiring and the loop.
package send

import (
	"io"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/reasons"
	"qmail/internal/site/control"
	"qmail/internal/sys/counters"
)

// A Pipe is a pair of pipes to a helper.
type Pipe struct {
	To   io.Writer
	From io.Reader
}

// An Injector hands a message to qmail-queue; see package submit.
type Injector interface {
	// Inject queues the message that write writes, and returns its number, the "qp" of the logs.
	Inject(sender, recipient string, write func(io.Writer) error) (qp uint64, err error)
}

// A Signal is what the outside asks for.
type Signal uint8

const (
	Stop   Signal = iota // SIGTERM: finish what is running, then end
	RunAll               // SIGALRM: try everything now
	Reread               // SIGHUP: read locals and virtualdomains again
)

// A Config is what a qmail-send is made of.
type Config struct {
	Dir      control.Dir // to read some of the controls again
	Controls Controls
	Queue    *queue.Queue
	Log      io.Writer
	Spawner  [2]Pipe // by channel
	Clean    Pipe
	Trigger  <-chan struct{}
	Signals  <-chan Signal
	Injector Injector
	Now      func() time.Time
	// Requests are those of the queue tools; nil: nobody asks.
	Requests <-chan Request
	// Walking is told whether a walk over the queue is under way, whenever one has begun or ended. It may be nil.
	Walking func(bool)
	// Reasons is where it is left why recipients were deferred; it may be nil.
	Reasons *reasons.Table
	// Counters is where what happens is counted; nil: it is not.
	Counters *counters.File
}

// A daemon is qmail-send: its rooms, each of which only the owner touches.
type daemon struct {
	Config
	desk     desk
	messages messages
	slots    [2]*slots
	spawners [2]*spawner
	clean    *cleaner
	ending   ending
	intake   intake
	passes   passes
	survey   survey
	asked    asked
	clock    clock
}

// newDaemon builds the rooms; the spawners and qmail-clean are connected later.
func newDaemon(cfg Config) *daemon {
	d := &daemon{Config: cfg}
	d.desk = desk{queue: cfg.Queue, now: cfg.Now, disk: newTasks(maxTasks), why: why{table: cfg.Reasons},
		count: newCounting(cfg.Counters)}
	d.messages = messages{active: map[queue.ID]*message{}, advance: d.advance}
	for _, c := range queue.Channels() {
		d.slots[c], d.spawners[c] = newSlots(c, d.Controls.shares[c]), &spawner{}
	}
	d.clean = &cleaner{}
	d.ending = ending{
		desk: &d.desk, messages: &d.messages, slots: d.slots, clean: d.clean, bouncing: newTasks(injectors),
		order: bounceOrder{release: d.arrive}, injector: cfg.Injector, controls: &d.Controls,
	}
	d.ending.gone.begin()
	d.intake = intake{
		desk: &d.desk, messages: &d.messages, slots: d.slots, ending: &d.ending, controls: &d.Controls,
		claim: d.survey.loans.claim, scanning: func() bool { return d.survey.running || d.survey.failed },
		due: true, entries: map[queue.ID]entry{}, odd: map[string]struct{}{},
	}
	d.passes = passes{
		desk: &d.desk, messages: &d.messages, slots: d.slots, spawners: d.spawners, intake: &d.intake,
		controls: &d.Controls, lost: d.stop,
	}
	d.survey = survey{
		desk: &d.desk, messages: &d.messages, slots: d.slots, intake: &d.intake, ending: &d.ending,
		over: d.asked.scanned, told: cfg.Walking, paces: make(chan chan<- pace),
	}
	d.asked = asked{
		desk: &d.desk, messages: &d.messages, slots: d.slots, intake: &d.intake, ending: &d.ending,
		survey: &d.survey, controls: &d.Controls, runAll: func() { d.signal(RunAll) },
	}
	return d
}

// connect begins the conversations with the helpers.
func (d *daemon) connect() error {
	for _, c := range queue.Channels() {
		limit, err := d.spawners[c].begin(d.Spawner[c])
		if err != nil {
			return err
		}
		d.slots[c].open(min(limit, d.Controls.concurrency[c]))
	}
	d.spawners[queue.Remote].ask()
	d.clean.begin(d.Clean)
	return nil
}

// advance does the next thing that a message needs, one at a time.
func (d *daemon) advance(m *message) {
	switch {
	case m.busy:
	case m.direct != nil:
		d.intake.workDirect(m)
	case len(m.bounce) > 0:
		d.ending.appendBounce(m)
	case m.wish != nil:
		d.asked.work(m)
	default:
		d.ending.work(m)
	}
}

// arrive has a new message go on that was kept back.
func (d *daemon) arrive(x early) {
	if !d.desk.stopping {
		d.intake.announce(x.f, x.table)
	}
}
