package remote

import (
	"syscall"
	"time"

	"qmail/internal/smtp/tcpto"
	"qmail/internal/sys"
)

const (
	// trust is how long a lookup that led to a kept connection is not repeated.
	trust = time.Minute
	// maxAge is how old a connection may be when another delivery begins on it.
	maxAge = 5 * time.Minute
)

// RestAfter is how long a connection is kept for a next delivery. Servers wait for minutes (RFC 5321,
// section 4.5.3.2), but each connection that idles is one that nobody else can have.
const RestAfter = 3 * time.Second

// done keeps the connection of a delivery that went well, or ends it. Only a host that offered PIPELINING is one
// that expects to be talked to like this; and a host that has said something unasked is left.
func (m *Remote) done(s *session, without tcpto.Ways) {
	if s == nil {
		return
	}
	ways := tcpto.Keeping | tcpto.Pipelining
	if !m.Keep || s.closed || s.spent || s.worn() || !s.finished || !s.pipelining || (s.quirk.Without|without)&ways != 0 ||
		s.r.Buffered() > 0 {
		s.quit()
		return
	}
	s.inherited = true
	m.kept = s
}

// take returns the connection that was kept, if it is wanted, was opened with the same name and timeout as this
// delivery has, is not too old, and the server has neither closed it nor said anything since.
func (m *Remote) take(wanted func(*session) bool, j *job) *session {
	s := m.kept
	if s == nil || !wanted(s) || s.helo != j.helo || j.now.Sub(s.since) > maxAge {
		return nil
	}
	m.kept = nil
	if !s.isQuiet() {
		s.quit()
		return nil
	}
	s.timeout, s.end = j.timeoutRemote, &j.end
	return s
}

// isQuiet reports whether the server has neither said anything since it was asked last nor ended the connection.
func (s *session) isQuiet() bool {
	if s.quiet != nil {
		return s.quiet()
	}
	c, ok := s.c.(syscall.Conn)
	return ok && sys.Quiet(c)
}

// Rest ends the connection that was kept, if there is one.
func (m *Remote) Rest() {
	if m.kept != nil {
		m.kept.quit()
		m.kept = nil
	}
}
