package pool

import (
	"os"
	"time"

	"qmail/internal/sys"
	"qmail/internal/worker"
)

// A Worker is a program that waits for jobs.
type Worker struct {
	pool    *Pool
	kind    *kind
	conn    *os.File
	proc    *os.Process
	program os.FileInfo // what was started
	near    string      // where its last job was
	since   time.Time   // when it became idle
}

// Pid returns the worker's process id.
func (w *Worker) Pid() int { return w.proc.Pid }

// Do has the worker do a job and gives it back to its pool; near says where the job is, for Take. The caller
// closes its own copies of the job's files. ErrNotTaken means that the job was never sent; any other error that it may
// have been begun, as when a process crashes.
func (w *Worker) Do(j worker.Job, near string) (worker.Answer, error) {
	if err := w.Send(j); err != nil {
		return worker.Answer{}, err
	}
	return w.Wait(near)
}

// Send gives the worker its job without waiting; Wait follows, if there is no error.
func (w *Worker) Send(j worker.Job) error {
	b, ok := j.Encode()
	if !ok {
		w.pool.giveBack(w)
		return ErrNotTaken
	}
	// A worker that said something without being asked is dead or not to be believed.
	if said, err := sys.WaitReadable(w.conn, 0); said || err != nil || sys.SendPacket(w.conn, b, j.Files...) != nil {
		w.pool.lost(w)
		return ErrNotTaken
	}
	return nil
}

// Wait waits for the answer to the job that was sent.
func (w *Worker) Wait(near string) (worker.Answer, error) { return w.wait(near, sys.ReceivePacket) }

// WaitHere is Wait for a process that has nothing else to do meanwhile.
func (w *Worker) WaitHere(near string) (worker.Answer, error) {
	return w.wait(near, sys.ReceivePacketHere)
}

type receive func(f *os.File, b []byte, maxFiles int) (int, []*os.File, error)

func (w *Worker) wait(near string, receive receive) (worker.Answer, error) {
	var buf [worker.MaxAnswer]byte
	n, _, err := receive(w.conn, buf[:], 0)
	if err != nil {
		w.pool.lost(w)
		return worker.Answer{}, err
	}
	a, err := worker.ParseAnswer(buf[:n])
	if err != nil || a.Last {
		w.pool.lost(w)
		return a, err
	}
	w.near = near
	w.pool.giveBack(w)
	return a, nil
}

// Return gives back a worker that got no job.
func (w *Worker) Return() { w.pool.giveBack(w) }

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
