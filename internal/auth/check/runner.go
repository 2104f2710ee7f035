package check

import (
	"cmp"
	"os"
	"sync"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
)

// A Program is one that checks, and what it is started with.
type Program struct {
	Args []string
	As   *priv.ID // nil: who we are
	Env  []string
	Log  *os.File // its descriptor 2
	Null *os.File // and 0 and 1

	patience time.Duration // 0: programTime
}

// A Runner runs the programs for a Client.
type Runner struct {
	Programs map[Kind]Program
	Now      func() time.Time
}

// Serve answers the client at the other end of socket, the first of a sys.PacketPair, until that is gone or says what
// no client of ours says.
func (r *Runner) Serve(socket *os.File) error {
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, maxRunning)
	b := make([]byte, maxPacket+1)
	for {
		n, _, err := sys.ReceivePacket(socket, b, 0)
		if err != nil {
			return err
		}
		q, err := parseRequest(b[:n])
		if err != nil {
			return err
		}
		login := Login(string(q.name), q.secret, r.Now())
		clear(b[:n])
		places <- struct{}{}
		running.Go(func() {
			v := r.Programs[q.kind].Check(login)
			clear(login)
			sys.SendPacket(socket, appendAnswer(nil, q.id, v))
			<-places
		})
	}
}

// Check runs the program, in a session of its own, so that what it waits for ends with it when it is late. One that
// has become a user whom we cannot end is waited for no longer.
func (p Program) Check(login []byte) Verdict {
	if len(p.Args) == 0 {
		return Temporary
	}
	path, err := proc.Look(p.Args[0], p.Env)
	if err != nil {
		return Temporary
	}
	in, out, err := sys.Pipe()
	if err != nil {
		return Temporary
	}
	child, err := priv.Start(priv.Child{Path: path, Args: p.Args, Env: p.Env, Dir: "/", As: p.As, Apart: true,
		Files: []*os.File{p.Null, p.Null, p.Log, in}})
	in.Close()
	if err != nil {
		out.Close()
		return Temporary
	}
	group := priv.Group{Pid: child.Pid}
	late := time.NewTimer(cmp.Or(p.patience, programTime))
	defer late.Stop()
	out.Write(login) // for which a pipe has room
	out.Close()
	ended := make(chan *os.ProcessState, 1)
	go func() { st, _ := child.Wait(); ended <- st }()
	var st *os.ProcessState
	select {
	case st = <-ended:
	case <-late.C:
		group.Kill()
	}
	if st == nil || !st.Exited() {
		return Temporary
	}
	switch st.ExitCode() {
	case 0:
		return Yes
	case 1:
		return No
	}
	return Temporary
}
