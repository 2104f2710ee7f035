// Package peerlog writes the lines of servers about their clients, and reads them: PROGRAM: ADDRESS pid NUMBER: TEXT.
// tcp-env(1) describes them, and boot/fail2ban reads them.
package peerlog

import (
	"io"
	"strconv"
	"time"

	"qmail/internal/text/environ"
	"qmail/internal/text/qlog"
)

// Variable is set in the environment of a server that is to say what it refuses.
const Variable = "LOGREFUSED"

// maxWord bounds what one line has of a client's words, so that it is written whole to a pipe that others write to.
const maxWord = 256

// A Log writes the lines of one client. A nil Log writes nothing.
type Log struct {
	to   io.Writer
	head []byte // of each line
}

// New returns a Log of the client at an address.
func New(to io.Writer, program, address string, pid int) *Log {
	b := append(make([]byte, 0, 64), program...)
	b = qlog.SafeString(append(b, ": "...), short(address))
	b = strconv.AppendInt(append(b, " pid "...), int64(pid), 10)
	return &Log{to: to, head: append(b, ": "...)}
}

// Of returns the Log of a session whose environment is env, or nil where that does not ask for one. to is nil where
// nothing may be written.
func Of(to io.Writer, program string, env []string, pid int) *Log {
	if _, wanted := environ.Get(env, Variable); !wanted || to == nil {
		return nil
	}
	ip, known := environ.Get(env, "TCPREMOTEIP")
	if !known {
		ip = "unknown"
	}
	return New(to, program, ip, pid)
}

// Session writes the line at the end of a session: how long it was, and what came of it.
func (l *Log) Session(long time.Duration, what string, pairs ...string) {
	l.Say("session of "+strconv.FormatInt(max(0, int64(long/time.Second)), 10)+" seconds: "+what, pairs...)
}

// Say writes a line: text, which is ours, and then the pairs of a word of ours and one of the client's; empty ones
// are left out, but for the sender of a bounce.
func (l *Log) Say(text string, pairs ...string) {
	if l == nil {
		return
	}
	b := append(append(make([]byte, 0, 256), l.head...), text...)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" && pairs[i] != "from" {
			continue
		}
		b = append(append(append(b, ' '), pairs[i]...), " <"...)
		b = append(qlog.SafeString(b, short(pairs[i+1])), '>')
	}
	l.to.Write(append(b, '\n'))
}

func short(s string) string { return s[:min(len(s), maxWord)] }
