package main

import (
	"errors"
	"os"
	"time"

	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
	"qmail/internal/tls/front"
	"qmail/internal/tls/ucspi"
)

// A session is one client and the program that serves it.
type session struct {
	options
	client  *front.Client
	server  front.Server
	control *os.File // where the program asks for TLS, or is told that it is there
	code    exit.Code
	log     *peerlog.Log
}

// serve does TLS until the program has ended, and returns its exit code.
func (s *session) serve() exit.Code {
	tell, wanted := !s.asked, !s.asked
	if s.asked {
		tell, wanted = s.await()
	}
	if wanted {
		if err := s.relay(tell); err != nil {
			s.client.HangUp()
		}
	}
	// After an error the program meets errors, and no end.
	for _, f := range []*os.File{s.server.To, s.server.From, s.control} {
		f.Close()
	}
	select {
	case <-s.server.Gone:
		return s.code
	case <-time.After(s.idle):
		return exit.Temp
	}
}

// await waits until the program asks for TLS; it may end without.
func (s *session) await() (tell, wanted bool) {
	command := make(chan byte, 1)
	go func() {
		var b [1]byte
		s.control.Read(b[:])
		command <- b[0]
	}()
	select {
	case c := <-command:
		return c == ucspi.BeginTell, c == ucspi.Begin || c == ucspi.BeginTell
	case <-s.server.Gone:
		return false, false
	}
}

func (s *session) relay(tell bool) error {
	d, err := s.client.Shake()
	if err != nil {
		s.log.Say("TLS failed", "because", err.Error())
		return err
	}
	if tell {
		s.control.SetWriteDeadline(time.Now().Add(s.idle))
		if _, err := s.control.Write(d.Append(nil)); err != nil {
			return err
		}
	}
	s.log.Say("TLS: " + d.Name())
	err = s.client.Relay(s.server, s.idle)
	if errors.Is(err, front.ErrIdle) || errors.Is(err, front.ErrCrashed) { // many clients just go
		s.log.Say("ended a session", "because", err.Error())
	}
	return err
}
