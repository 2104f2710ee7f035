// Package send is qmail-send: it finds new messages in todo, has them delivered by the spawners until all recipients
// are done or time is up, bounces what failed, and has qmail-clean remove what is finished; see qmail-send(8).
//
// One goroutine, the owner, holds all state and decides everything. It never waits for the disk: what touches
// the disk is a task, a function that is given values and returns what the owner shall do with its result.
package send

import (
	"io"
	"time"

	"qmail/internal/queue"
	"qmail/internal/site/control"
)

// A Pipe is a pair of pipes to a helper.
type Pipe struct {
	To   io.Writer
	From io.Reader
}

// An Injector hands a message to qmail-queue; see package submit.
type Injector interface {
	// Inject queues the message that write writes, and returns the process id of the qmail-queue that took it.
	Inject(sender, recipient string, write func(io.Writer) error) (qp int, err error)
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
}

// A daemon is the state of qmail-send. Only the owner touches it.
type daemon struct {
	Config
	log     []byte // lines not yet written
	sec     int64  // the time, in seconds, at the beginning of this turn
	tasks   tasks  // those that touch the disk
	endings tasks  // of those, the ones that end messages
	ch      [2]channel
	clean   cleaner
	todo    todo
	active  map[queue.ID]*message // those that something is being done about
	held    [2]map[queue.ID]struct{}
	deliv   uint64 // number of the last delivery
	later   []later
	cleanup cleanup
	scan    scan
	paces   chan chan<- pace // questions of walks over the queue
	bounces bounces
	gone    gone
	exiting bool
	clock   clock
}

// A later is something to do again after trouble.
type later struct {
	at int64
	fn func()
}

// after has fn done after the pause that follows trouble with the system.
func (d *daemon) after(fn func()) {
	d.later = append(d.later, later{d.sec + sleepFailure, fn})
}
