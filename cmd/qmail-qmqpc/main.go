// Qmail-qmqpc hands a message to a queue host by QMQP. On a host without a queue it stands in for
// qmail-queue, by a link; see qmail-qmqpc(8).
//
//	uid   the caller's    exec  nothing
//	fd 0  the message     fd 1  the envelope, read from it
//	exit  as qmail-queue(8): 0 accepted; 31 refused; 71 to 74 the servers could not be had; 91 bad envelope
//
// The servers of control/qmqpservers are tried in turn until one answers that it took the message, or never will.
package main

import (
	"bufio"
	"errors"
	"os"

	"qmail/internal/site/control"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/netstring"
)

// maxEnvelope is the most bytes of an envelope.
const maxEnvelope = 64 << 20

func main() {
	proc.BeginAlone()
	proc.Help("qmail-qmqpc: usage: qmail-qmqpc")
	proc.Exit(run(control.Default(), proc.FD(0, "message"), proc.FD(1, "envelope")))
}

func run(dir control.Dir, text, env *os.File) exit.Code {
	lines, ok, err := dir.List("qmqpservers")
	if err != nil || !ok {
		return envelope.BadControl
	}
	message, code := spool(text)
	if code != exit.OK {
		return code
	}
	defer message.close()
	frames, code := addresses(env)
	if code != exit.OK {
		return code
	}
	code = envelope.BadControl
	for _, line := range lines {
		server, ok := parseServer(line)
		if !ok {
			continue
		}
		code = message.send(server, frames)
		if code == exit.OK || code == envelope.Rejected {
			break
		}
	}
	return code
}

// addresses returns the envelope as QMQP has it: the sender and each recipient as netstrings.
func addresses(f *os.File) ([]byte, exit.Code) {
	r := envelope.NewReader(bufio.NewReader(f))
	var frames []byte
	for {
		record, err := r.Next()
		switch {
		case err == nil:
		case ended(err):
			return frames, exit.OK
		case errors.Is(err, envelope.ErrTooLong):
			return nil, envelope.TooLong
		case errors.Is(err, envelope.ErrFormat):
			return nil, envelope.BadEnvelope
		default:
			return nil, envelope.ReadError
		}
		frames = netstring.Append(frames, record[1:len(record)-1])
		if len(frames) > maxEnvelope {
			return nil, envelope.NoMemory
		}
	}
}
