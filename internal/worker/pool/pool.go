// Package pool is the parent's half of package worker: it starts programs as workers, gives
// them jobs, and keeps idle ones for a moment.
package pool

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"qmail/conf"
	"qmail/internal/sys/priv"
)

const (
	// MaxIdle is how long a worker without a job is kept.
	MaxIdle = 5 * time.Second
	// maxIdleWorkers is how many workers without a job are kept.
	maxIdleWorkers = 100
	// moment is how long a job waits for a busy worker before another is started, which takes much of a processor for
	// such a time and memory for long: jobs that are short want no more processes than processors.
	moment = 25 * time.Millisecond
	// patience is how long a job waits before it is a process of its own. It is far more than a start takes.
	patience = time.Second
	// greetWithin is how long a program may take to greet; one that takes longer is not ours.
	greetWithin = 5 * time.Second
	// lookAge is how long a look at a program's file is good for: so long after it was replaced the old one may get jobs.
	lookAge = 250 * time.Millisecond
	// dieWithin is how long a worker may take to end after its socket is closed.
	dieWithin = 2 * time.Second
)

// ErrNotTaken says that a worker did not get the job: it can be run another way.
var ErrNotTaken = errors.New("worker: the job was not taken")

// A Spec says which program to start, and as whom. Jobs of Specs with the same Name and As may meet in one
// worker, never others.
type Spec struct {
	Name string   // the program in HOME/bin
	As   *priv.ID // nil: as we do
	Env  []string
	Dir  string
	// Alone says that the parent has nothing else to do while a job is done: it waits for the answer in the kernel.
	Alone bool
	// Expendable is as for a priv.Child.
	Expendable bool
	// Log is descriptor 2 of the worker; nil: nothing is.
	Log *os.File
	// Extra makes descriptor 4 of each worker that is started, which is closed here then; nil, or a nil File: there is
	// none. Where it fails no worker is started.
	Extra func() (*os.File, error)
}

type key struct {
	name     string
	as       priv.ID
	asParent bool
}

func (s Spec) key() key {
	if s.As == nil {
		return key{name: s.Name, asParent: true}
	}
	return key{name: s.Name, as: *s.As}
}

// A Pool holds the workers of one parent.
type Pool struct {
	dir   string // of the programs
	limit int

	mu       sync.Mutex
	kinds    map[key]*kind
	programs map[string]*executable // by name
	all      int                    // workers that run or start
	idle     int
	closed   bool
	sweep    *time.Timer
}

// A kind is what the pool knows of one program run as one user.
type kind struct {
	idle     []*Worker // the last one was busy last
	waiting  []chan *Worker
	busy     int
	starting int
	foreign  *executable // the one that went away without a greeting
}

// New returns a pool of at most limit workers of the programs in HOME/bin.
func New(limit int) *Pool { return NewIn(filepath.Join(conf.Home(), "bin"), limit) }

// NewIn is New for the programs of another folder.
func NewIn(dir string, limit int) *Pool {
	return &Pool{
		dir:      dir,
		limit:    limit,
		kinds:    make(map[key]*kind),
		programs: make(map[string]*executable),
	}
}

// kind returns what is known of the jobs of a Spec. The caller holds the lock.
func (p *Pool) kind(s Spec) *kind {
	k := p.kinds[s.key()]
	if k == nil {
		k = new(kind)
		p.kinds[s.key()] = k
	}
	return k
}

// pick takes an idle worker that is not stale.
func (p *Pool) pick(k *kind, program *executable, near string, now time.Time) *Worker {
	best := -1
	for i := len(k.idle) - 1; i >= 0; i-- {
		if w := k.idle[i]; w.program != program || now.Sub(w.since) > MaxIdle {
			p.drop(k, i)
			if best > i {
				best--
			}
		} else if best < 0 || near != "" && w.near == near && k.idle[best].near != near {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	w := k.idle[best]
	p.remove(k, best)
	k.busy++
	return w
}

// room reports whether another worker may be started; for that an idle one of another kind may have to go.
func (p *Pool) room() bool {
	if p.all < p.limit {
		return true
	}
	var oldest *kind
	for _, k := range p.kinds {
		if len(k.idle) > 0 && (oldest == nil || k.idle[0].since.Before(oldest.idle[0].since)) {
			oldest = k
		}
	}
	if oldest == nil {
		return false
	}
	p.drop(oldest, 0)
	return p.all < p.limit
}

// release gives a busy worker to a job that waits, or makes it idle. The caller holds the lock.
func (p *Pool) release(w *Worker) {
	if p.programs[w.program.name] == w.program && w.kind.hand(w) {
		return
	}
	w.kind.busy--
	if p.closed || p.idle >= maxIdleWorkers {
		p.all--
		go w.end()
		return
	}
	w.since = time.Now()
	w.kind.idle = append(w.kind.idle, w)
	p.idle++
	p.sweepLater()
}

// remove takes worker i of k out of the idle ones.
func (p *Pool) remove(k *kind, i int) {
	k.idle = append(k.idle[:i], k.idle[i+1:]...)
	p.idle--
}

// drop ends an idle worker.
func (p *Pool) drop(k *kind, i int) {
	w := k.idle[i]
	p.remove(k, i)
	p.all--
	go w.end()
}

// sweepLater has idle workers end in time.
func (p *Pool) sweepLater() {
	if p.sweep == nil {
		p.sweep = time.AfterFunc(MaxIdle, p.sweepNow)
	}
}

func (p *Pool) sweepNow() {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	next := time.Duration(0)
	for id, k := range p.kinds {
		for len(k.idle) > 0 && now.Sub(k.idle[0].since) >= MaxIdle {
			p.drop(k, 0)
		}
		if len(k.idle) > 0 {
			if left := MaxIdle - now.Sub(k.idle[0].since); next == 0 || left < next {
				next = left
			}
		} else if k.starting == 0 && k.busy == 0 && len(k.waiting) == 0 && k.foreign == nil {
			delete(p.kinds, id)
		}
	}
	if next > 0 {
		p.sweep = time.AfterFunc(next, p.sweepNow)
	} else if len(p.kinds) > 0 {
		p.sweep = time.AfterFunc(MaxIdle, p.sweepNow)
	}
}

// Close ends the idle workers now and the others after their job.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, k := range p.kinds {
		for len(k.idle) > 0 {
			p.drop(k, 0)
		}
	}
}
