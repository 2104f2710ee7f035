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
	// recent is how long ago a job must have come for a worker to be worth its start at the next one.
	recent = 10 * time.Second
	// maxUnknown is how many workers of one kind start at a time while it is not known whether the program greets.
	maxUnknown = 1
	// longMoment is how long jobs are to wait for a busy worker before another is started, which takes much of a
	// processor for such a time and memory for long: where those that wait are expected to take that long, or where
	// none has become free for that long. With four workers it is twice that, and so on: jobs that are short want no
	// more processes than processors. It is looked at after each moment.
	moment, longMoment = 25 * time.Millisecond, 50 * time.Millisecond
	// patience is how long a job waits, for one that starts or while no busy one becomes free, before it is a process
	// of its own. It is far more than a start takes.
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
	// Sure says that the program is known to be one that greets, or ends at once: a job waits for its first greeting, too.
	Sure bool
	// Alone says that the parent has nothing else to do while a job is done: it waits for the answer in the kernel.
	Alone bool
	// Eager says that a job takes as long as somebody else likes: none waits longer than a moment before another
	// worker is started.
	Eager bool
	// Log is descriptor 2 of the worker; nil: nothing is.
	Log *os.File
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

	mu     sync.Mutex
	kinds  map[key]*kind
	ours   map[string]os.FileInfo // the files that have greeted, by name
	looks  map[string]look        // at the programs' files, by name
	all    int                    // workers that run or start
	idle   int
	closed bool
	sweep  *time.Timer
}

// A look is what was seen of a file.
type look struct {
	program os.FileInfo // nil: nothing
	at      time.Time
}

// A kind is what the pool knows of one program run as one user.
type kind struct {
	name     string
	idle     []*Worker // the last one was busy last
	waiting  []chan *Worker
	busy     int
	starting int
	each     time.Duration // what a job takes, of late
	freed    time.Time     // when a worker was last free for another job
	asked    time.Time     // when the last job came
	foreign  os.FileInfo   // the file that went away without a greeting
}

// New returns a pool of at most limit workers of the programs in HOME/bin.
func New(limit int) *Pool { return NewIn(filepath.Join(conf.Home(), "bin"), limit) }

// NewIn is New for the programs of another folder.
func NewIn(dir string, limit int) *Pool {
	return &Pool{
		dir:   dir,
		limit: limit,
		kinds: make(map[key]*kind),
		ours:  make(map[string]os.FileInfo),
		looks: make(map[string]look),
	}
}

// Warm starts a worker for jobs that are to come, where none is there.
func (p *Pool) Warm(s Spec) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	program := p.look(s.Name, now)
	if program == nil {
		return
	}
	k := p.kind(s)
	k.asked = now
	if len(k.idle)+k.busy+k.starting == 0 {
		p.more(s, k, program)
	}
}

// kind returns what is known of the jobs of a Spec. The caller holds the lock.
func (p *Pool) kind(s Spec) *kind {
	k := p.kinds[s.key()]
	if k == nil {
		k = &kind{name: s.Name}
		p.kinds[s.key()] = k
	}
	return k
}

// more starts a worker unless there are enough. The caller holds the lock.
func (p *Pool) more(s Spec, k *kind, program os.FileInfo) {
	if !p.closed && !same(k.foreign, program) && p.room() {
		p.all++
		k.starting++
		go p.start(s, k, program)
		p.sweepLater()
	}
}

// pick takes an idle worker that is not stale.
func (p *Pool) pick(k *kind, program os.FileInfo, near string, now time.Time) *Worker {
	best := -1
	for i := len(k.idle) - 1; i >= 0; i-- {
		if w := k.idle[i]; !same(w.program, program) || now.Sub(w.since) > MaxIdle {
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
	w.since = now
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
	now := time.Now()
	if !w.since.IsZero() {
		w.kind.took(now.Sub(w.since))
	}
	w.since, w.kind.freed = now, now
	if same(w.program, p.ours[w.kind.name]) && w.kind.hand(w) {
		return
	}
	w.kind.busy--
	if p.closed || p.idle >= maxIdleWorkers {
		p.all--
		go w.end()
		return
	}
	w.kind.idle = append(w.kind.idle, w)
	p.idle++
	p.sweepLater()
}

// took takes note of how long a job took.
func (k *kind) took(d time.Duration) {
	const weight = 8
	if k.each == 0 {
		k.each = d
	}
	k.each += (d - k.each) / weight
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
		} else if k.starting == 0 && k.busy == 0 && k.foreign == nil && now.Sub(k.asked) > recent {
			delete(p.kinds, id)
		}
	}
	if next > 0 {
		p.sweep = time.AfterFunc(next, p.sweepNow)
	} else if len(p.kinds) > 0 {
		p.sweep = time.AfterFunc(recent, p.sweepNow)
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

// same reports whether two looks at a file saw the same one.
func same(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
