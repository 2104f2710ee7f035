package pool

import (
	"os"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/worker"
)

// maxPacket is how much memory for its packets is kept with a worker.
const maxPacket = 16 << 10

// A Worker is a program that waits for jobs.
type Worker struct {
	pool    *Pool
	kind    *kind
	conn    *os.File
	proc    *os.Process
	program *executable // what was started
	near    string      // where its last job was
	since   time.Time   // when it became idle
	jobs    uint64      // that it was given; the number of the one it does
	receive func(f *os.File, b []byte, maxFiles int) (int, []*os.File, error)
	packet  []byte // the last job's, cleared
	buf     []byte // for what it says
	group   priv.Group
}

// Pid returns the worker's process id.
func (w *Worker) Pid() int { return w.proc.Pid }

// Signal sends the worker a signal, which one that has ended meanwhile does not get.
func (w *Worker) Signal(s os.Signal) { w.proc.Signal(s) }

// Send gives the worker its job without waiting. If there is no error, Wait follows; ErrNotTaken means that the job
// was never sent, and the worker is no longer the caller's. The caller closes its own copies of the job's files.
func (w *Worker) Send(j worker.Job) error {
	b, ok := j.Append(w.packet[:0], w.jobs+1)
	if w.packet = nil; cap(b) <= maxPacket {
		w.packet = b
	}
	defer clear(b)
	if !ok {
		w.pool.giveBack(w)
		return ErrNotTaken
	}
	switch sys.SendPacket(w.conn, b, j.Files...) {
	case nil:
		w.jobs++
		return nil
	case sys.ErrTooLong: // the worker has not seen it
		w.pool.giveBack(w)
	default:
		w.pool.lost(w)
	}
	return ErrNotTaken
}

// Within bounds how long the job that was sent may take, from now: then the worker is told to end, with all that it
// has started. It is for a worker with an ID of its own.
func (w *Worker) Within(limit time.Duration) { w.conn.SetReadDeadline(time.Now().Add(limit)) }

// A Result is how a job ended.
type Result struct {
	worker.Answer
	Late   bool // it took longer than it might, and was told to end
	Output []byte
	Cut    bool // there was more output than was to be kept
}

// Wait waits for the answer to the job that was sent, and gives the worker back to its pool; keep is the most bytes
// of output that are kept, and near says where the job was, for Take. An error means that the job may have been
// begun, as when a process crashes; with it comes the output until then.
func (w *Worker) Wait(near string, keep int) (r Result, err error) {
	if w.buf == nil {
		w.buf = make([]byte, worker.MaxAnswer)
	}
	for {
		n, _, err := w.receive(w.conn, w.buf, 0)
		if os.IsTimeout(err) && w.group.End() {
			w.Within(priv.Grace)
			continue
		}
		var p worker.Part
		if err == nil {
			p, err = worker.ParsePart(w.buf[:n], w.jobs)
		}
		if err != nil {
			r.Late = w.group.Late()
			w.group.Kill() // what the worker has started, and can no longer wait for
			w.pool.lost(w)
			return r, err
		}
		room := keep - len(r.Output)
		r.Cut = r.Cut || len(p.Output) > room
		r.Output = append(r.Output, p.Output[:min(len(p.Output), room)]...)
		if !p.Ended {
			continue
		}
		r.Answer = p.Answer
		r.Note = append([]byte(nil), p.Note...)
		if r.Late = w.group.Late(); r.Last || r.Late {
			w.pool.lost(w)
			return r, nil
		}
		w.conn.SetReadDeadline(time.Time{})
		w.near = near
		w.pool.giveBack(w)
		return r, nil
	}
}

func (p *Pool) giveBack(w *Worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(w)
}

// lost parts with a worker that was not idle.
func (p *Pool) lost(w *Worker) {
	p.mu.Lock()
	p.all--
	w.kind.busy--
	p.mu.Unlock()
	go w.end()
}

// end closes the worker's socket, upon which it ends by itself, and waits for that; one that does not is killed.
func (w *Worker) end() {
	w.conn.Close()
	kill := time.AfterFunc(dieWithin, func() { w.proc.Kill() })
	w.proc.Wait()
	kill.Stop()
}
