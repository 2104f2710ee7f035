package pool

import "time"

// Take returns an idle worker, one whose last job was near the same if there is one; or nil: then the caller runs
// the job as a process of its own. A job waits for a worker that starts for it, and a moment for a busy one before
// another is started: both cost less than a process. Nothing is started before there is a job for it.
func (p *Pool) Take(s Spec, near string) *Worker {
	now := time.Now()
	p.mu.Lock()
	program := p.look(s.Name, now)
	if p.closed || program == nil {
		p.mu.Unlock()
		return nil
	}
	k := p.kind(s)
	if w := p.pick(k, program, near, now); w != nil {
		p.mu.Unlock()
		return w
	}
	p.sweepLater()
	ch := make(chan *Worker, 1)
	k.waiting = append(k.waiting, ch)
	for more := k.busy+k.starting == 0; time.Since(now) < patience; more = true {
		if more && !p.promised(s, k, program) {
			break
		}
		p.mu.Unlock()
		if w, ok := k.within(ch, moment); ok {
			return w
		}
		p.mu.Lock()
	}
	p.mu.Unlock()
	return p.giveUp(k, ch)
}

// promised sees to it that a worker of a kind is starting, and reports whether that can be. They start one at a
// time, so a short rush is served by those that become free. The caller holds the lock.
func (p *Pool) promised(s Spec, k *kind, program *executable) bool {
	if k.starting == 0 && !p.closed && k.foreign != program && p.room() {
		p.all++
		k.starting++
		go p.start(s, k, program)
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
