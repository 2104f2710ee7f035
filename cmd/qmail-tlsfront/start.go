package main

import (
	"io"
	"os"

	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/tls/front"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keys"
	"qmail/internal/tls/ucspi"
)

// waiter is the name, argument 0, under which this program waits for a handshake, and then becomes the server's.
const waiter = "qmail-tlsfront waiting"

// start starts the program, or what waits to become it. speaks says that descriptor 2 is not the client.
func (s *session) start(speaks bool) error {
	to, in, err := sys.OneWay()
	if err != nil {
		return err
	}
	from, out, err := sys.StreamPair()
	if err != nil {
		return err
	}
	control, theirs, err := sys.StreamPair()
	if err != nil {
		return err
	}
	log := proc.FD(2, "log")
	if !speaks {
		if log, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
			return err
		}
		defer log.Close()
	}
	c := priv.Child{Env: os.Environ()}
	if s.asked {
		c.Args, c.Files = s.program, []*os.File{s.client.In, s.client.Out, log, theirs, in, out}
		c.Path, err = proc.Look(s.program[0], c.Env)
		c.Env = offer(c.Env)
	} else {
		c.Args, c.Files = append([]string{waiter}, s.program...), []*os.File{in, out, log, theirs}
		c.Path, err = os.Executable()
		c.Env = ucspi.Without(c.Env)
	}
	if err != nil {
		return err
	}
	p, err := priv.Start(c)
	for _, f := range []*os.File{in, out, theirs} {
		f.Close()
	}
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	s.control, s.server = control, front.Server{To: to, From: from, Gone: gone, Crashed: new(bool)}
	go func() {
		st, err := p.Wait()
		*s.server.Crashed = err != nil || !st.Exited()
		s.code = exit.Temp
		if !*s.server.Crashed {
			s.code = exit.Code(st.ExitCode())
		}
		close(gone)
	}()
	return nil
}

// offer returns the environment of a program that may ask for TLS. It can have none where there is no certificate.
func offer(env []string) []string {
	policy, set := environ.Get(env, ucspi.Policy)
	if _, err := keys.Open(false); err != nil || !keys.Configured(control.Default(), keyproto.Server) {
		env = ucspi.Without(env)
		if policy == "!" {
			env = environ.With(env, ucspi.Policy+"="+policy)
		}
		return env
	}
	if !set {
		env = environ.With(env, ucspi.Policy+"=")
	}
	return environ.With(env, ucspi.ControlFD+"=3", ucspi.ReadFD+"=4", ucspi.WriteFD+"=5")
}

// wait waits until the other has done the handshake, and becomes the program. It believes what it is told of the TLS
// where that cannot be misunderstood.
func wait(program []string) {
	from := proc.FD(3, "handshake")
	d, err := ucspi.ReadDescription(io.LimitReader(from, 1024))
	from.Close()
	if err != nil || !d.Sound() {
		proc.Exit(exit.Temp)
	}
	env := environ.With(os.Environ(), d.Environment()...)
	path, err := proc.Look(program[0], env)
	if err == nil {
		err = proc.Exec(path, program, env)
	}
	proc.Die(exit.Temp, "qmail-tlsfront: unable to run "+program[0]+": "+sys.Reason(err))
}
