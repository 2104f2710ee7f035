package pool

import (
	"os"
	"path/filepath"
	"time"
)

// Take returns an idle worker, one whose last job was near the same if there is one; or nil: then the caller runs
// the job as a process of its own. No job waits for a greeting before the program, that very file, has greeted
// once, unless the Spec is Sure; later ones wait a moment for a busy worker or for one that starts for them, which
// costs less than a process and a worker.
func (p *Pool) Take(s Spec, near string) *Worker {
	now := time.Now()
	p.mu.Lock()
	program := p.look(s.Name, now)
	if p.closed || program == nil {
		p.mu.Unlock()
		return nil
	}
	k := p.kind(s)
	recently := now.Sub(k.asked) < recent
	k.asked = now
	if w := p.pick(k, program, near, now); w != nil {
		p.mu.Unlock()
		return w
	}
	p.sweepLater()
	if !s.Sure && !same(p.ours[s.Name], program) {
		if recently && k.starting < maxUnknown {
			p.more(s, k, program)
		}
		p.mu.Unlock()
		return nil
	}
	ch := make(chan *Worker, 1)
	k.waiting = append(k.waiting, ch)
	stuck := time.Duration(0) // how long it has waited with no busy worker becoming free
	for (!k.worthwhile(s.Eager, stuck) || p.promised(s, k, program)) && stuck <= patience {
		p.mu.Unlock()
		if w, ok := k.within(ch, moment); ok {
			return w
		}
		p.mu.Lock()
		if stuck = time.Since(now); !s.Eager {
			stuck = min(stuck, time.Since(k.freed))
		}
	}
	p.mu.Unlock()
	return p.giveUp(k, ch)
}

// worthwhile reports whether another worker is worth its start for the jobs that wait, one of which is stuck for d.
// The caller holds the lock.
func (k *kind) worthwhile(eager bool, d time.Duration) bool {
	there := time.Duration(k.busy + k.starting)
	bearable := min(longMoment+there*longMoment/4, patience/2)
	if eager {
		bearable = moment
	}
	return k.busy == 0 || d >= bearable || time.Duration(len(k.waiting))*k.each/there >= bearable
}

// look returns what is known of a program's file, and nil where there is none. The caller holds the lock.
func (p *Pool) look(name string, now time.Time) os.FileInfo {
	if l := p.looks[name]; l.program != nil && now.Sub(l.at) < lookAge {
		return l.program
	}
	program, err := os.Stat(filepath.Join(p.dir, name))
	if err != nil {
		program = nil
	}
	p.looks[name] = look{program, now}
	return program
}

// promised sees to it that a worker of a kind is starting, or more where many are busy, but no more than jobs wait
// for one; and reports whether that can be. So a short rush is served by those that become free, and a long one
// soon has as many as it needs. The caller holds the lock.
func (p *Pool) promised(s Spec, k *kind, program os.FileInfo) bool {
	if k.starting < min(len(k.waiting), 1+k.busy/2) {
		p.more(s, k, program)
	}
	return k.starting > 0
}

// within waits for the worker of a job that waits.
func (k *kind) within(ch chan *Worker, d time.Duration) (w *Worker, ok bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case w = <-ch:
		return w, true
	case <-t.C:
		return nil, false
	}
}

// giveUp ends the waiting of a job; a worker that comes at this very moment is taken.
func (p *Pool) giveUp(k *kind, ch chan *Worker) *Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range k.waiting {
		if c == ch {
			k.waiting = append(k.waiting[:i], k.waiting[i+1:]...)
			return nil
		}
	}
	return <-ch
}

// hand gives a busy worker, or nil, to the job that has waited longest, and reports whether there was one.
func (k *kind) hand(w *Worker) bool {
	if len(k.waiting) == 0 {
		return false
	}
	k.waiting[0] <- w
	k.waiting = append(k.waiting[:0], k.waiting[1:]...)
	return true
}
