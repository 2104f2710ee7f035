package check

import (
	"cmp"
	"os"
	"strconv"
	"sync"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
)

// A Program is one that checks, and whom it runs as.
type Program struct {
	Args []string
	As   priv.ID
}

// A Runner runs the programs for a Client.
type Runner struct {
	Programs map[Kind]Program
	Env      []string
	Log      *os.File // descriptor 2 of the programs
	Null     *os.File // and 0 and 1
	Now      func() time.Time

	patience time.Duration // 0: programTime
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
		login := q.login(strconv.AppendInt(nil, r.Now().Unix(), 10))
		clear(b[:n])
		places <- struct{}{}
		running.Go(func() {
			v := r.run(r.Programs[q.kind], login)
			clear(login)
			sys.SendPacket(socket, appendAnswer(nil, q.id, v))
			<-places
		})
	}
}

// run runs a program, in a session of its own, so that what it waits for ends with it when it is late.
func (r *Runner) run(p Program, login []byte) Verdict {
	if len(p.Args) == 0 {
		return Temporary
	}
	path, err := proc.Look(p.Args[0], r.Env)
	if err != nil {
		return Temporary
	}
	in, out, err := sys.Pipe()
	if err != nil {
		return Temporary
	}
	child, err := priv.Start(priv.Child{Path: path, Args: p.Args, Env: r.Env, Dir: "/", As: &p.As,
		Files: []*os.File{r.Null, r.Null, r.Log, in}})
	in.Close()
	if err != nil {
		out.Close()
		return Temporary
	}
	group := priv.Group{Pid: child.Pid}
	late := time.AfterFunc(cmp.Or(r.patience, programTime), group.Kill)
	out.Write(login) // for which a pipe need not have room; a program that does not read it is late
	out.Close()
	st, err := child.Wait()
	if !late.Stop() || err != nil || !st.Exited() {
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
