package main

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/submit/envelope"
	"qmail/internal/submit/room"
	"qmail/internal/text/exit"
	"qmail/internal/text/rfc822"
)

// A caller is who started us, and we.
type caller struct {
	uid, pid int
	name     string // of alias, qmaild and qmails; else empty
}

// invoker says in the Received line who started us.
func (c caller) invoker() string {
	switch users := conf.UserNames(); c.name {
	case "":
	case users.Alias:
		return "by alias"
	case users.Daemon:
		return "from network"
	case users.Send:
		return "for bounce"
	}
	return "by uid " + strconv.Itoa(c.uid)
}

// A series numbers the messages of a kept qmail-queue: its process id, and behind it the millisecond of the day in
// eight digits. No two messages of a day have the same, and none has one that is a process id.
type series struct {
	pid  int
	last int64 // the millisecond of the latest
}

func (s *series) next(now time.Time) uint64 {
	const day = 24 * 60 * 60 * 1000
	s.last = max(now.UnixMilli(), s.last+1)
	return uint64(s.pid)*1e8 + uint64(s.last%day)
}

// enqueue takes one message from S1 to S4; see docs/INTERNALS.md. qp is its number. A text that may be long is a
// bounded. asks is whether the envelope may be followed by what its sender asks for.
func enqueue(q *queue.Queue, us caller, qp uint64, text, env io.Reader, asks bool) exit.Code {
	if !room.InQueue(".") {
		return envelope.WriteError
	}
	now := time.Now()
	in, err := q.Begin(us.pid, now)
	if err == nil {
		err = in.Text(rfc822.ReceivedByQueue(qp, us.invoker(), now), text)
		if b, ok := text.(*bounded); ok && b.full {
			err = queue.ErrWrite
		}
	}
	if err == nil {
		err = in.Envelope(us.uid, qp)
	}
	if err == nil {
		var rec []byte
		if rec, err = copyEnvelope(in, env, asks); err == envelope.ErrFormat || err == envelope.ErrTooLong {
			in.Leave(rec)
			return code(err)
		}
	}
	if err == nil {
		err = in.Commit()
	}
	if err != nil && in != nil {
		in.Abandon()
	}
	return code(err)
}

// copyEnvelope copies each record. Of one that is too long it returns what was read.
func copyEnvelope(in *queue.Intake, env io.Reader, asks bool) ([]byte, error) {
	bytes, ok := env.(io.ByteReader)
	if !ok {
		bytes = bufio.NewReaderSize(env, 2048)
	}
	r := envelope.NewReader(bytes)
	for {
		rec, err := r.Next()
		switch err {
		case nil:
			if err := in.Record(rec); err != nil {
				return nil, err
			}
		case io.EOF:
			if !asks {
				return nil, nil
			}
			return nil, copyParameters(in, r)
		case envelope.ErrFormat, envelope.ErrTooLong:
			return rec, err
		default:
			return nil, queue.ErrRead
		}
	}
}

// copyParameters copies what follows the envelope, in the form that it has in the queue.
func copyParameters(in *queue.Intake, r *envelope.Reader) error {
	var b []byte
	for {
		p, err := r.Parameter()
		switch err {
		case nil:
			b = p.Append(b[:0])
			if err := in.Parameter(b); err != nil {
				return err
			}
		case io.EOF:
			return nil
		case envelope.ErrFormat:
			return err
		default:
			return queue.ErrRead
		}
	}
}

// code returns the exit code for the error of a step.
func code(err error) exit.Code {
	switch err {
	case nil:
		return envelope.Queued
	case envelope.ErrTooLong:
		return envelope.TooLong
	case envelope.ErrFormat:
		return envelope.BadEnvelope
	case queue.ErrRead:
		return envelope.ReadError
	case queue.ErrPid:
		return envelope.NoPid
	case queue.ErrMess:
		return envelope.NoMess
	case queue.ErrIntd:
		return envelope.NoIntd
	case queue.ErrTodo:
		return envelope.NoTodo
	}
	return envelope.WriteError
}

// A bounded reads a message for as long as there is room for it: one that is long must not take what is left.
type bounded struct {
	r      io.Reader
	copied int // since there was last looked for room
	full   bool
}

// lookEvery is how many bytes are copied between two looks. It must be a small part of the reserve.
const lookEvery = 64 << 10

var errFull = errors.New("the queue's filesystem is nearly full")

func (b *bounded) Read(p []byte) (int, error) {
	if b.copied >= lookEvery {
		b.copied = 0
		if b.full = !room.InQueue("."); b.full {
			return 0, errFull
		}
	}
	n, err := b.r.Read(p)
	b.copied += n
	return n, err
}
