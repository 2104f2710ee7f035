package pool

import (
	"os"
	"path/filepath"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/worker"
)

// start runs the program and waits for its greeting.
func (p *Pool) start(s Spec, k *kind, program *executable) {
	w, greeted := p.greeted(s, program)
	p.mu.Lock()
	defer p.mu.Unlock()
	k.starting--
	if greeted {
		w.kind = k
		k.busy++
		p.release(w)
		return
	}
	p.all--
	k.hand(nil)
	if w != nil {
		k.foreign = program
		go w.end()
	}
}

// greeted returns the started program, and whether it greeted.
func (p *Pool) greeted(s Spec, program *executable) (*Worker, bool) {
	here, there, err := sys.PacketPair()
	if err != nil {
		return nil, false
	}
	defer there.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		here.Close()
		return nil, false
	}
	defer null.Close()
	log := s.Log
	if log == nil {
		log = null
	}
	files := []*os.File{null, null, log, there}
	if s.Extra != nil {
		extra, err := s.Extra()
		if err != nil {
			here.Close()
			return nil, false
		}
		if extra != nil {
			defer extra.Close()
			files = append(files, extra)
		}
	}
	proc, err := priv.Start(priv.Child{
		Path: filepath.Join(p.dir, s.Name), Args: []string{s.Name}, Env: worker.Environ(s.Env), Dir: s.Dir,
		Files: files, As: s.As, Slack: sys.WorkerSlack, Expendable: s.Expendable,
	})
	if err != nil {
		here.Close()
		return nil, false
	}
	there.Close()
	w := &Worker{
		pool: p, conn: here, proc: proc, group: priv.Group{Pid: proc.Pid}, program: program, receive: sys.ReceivePacket,
	}
	var b [len(worker.Greeting) + 1]byte
	here.SetReadDeadline(time.Now().Add(greetWithin))
	n, _, err := sys.ReceivePacket(here, b[:], 0)
	here.SetReadDeadline(time.Time{})
	if err == nil && s.Alone {
		if err = sys.Block(here); err == nil {
			w.receive = sys.ReceivePacketWaiting
		}
	}
	return w, err == nil && string(b[:n]) == worker.Greeting
}
