package submit

import (
	"bufio"
	"errors"
	"os"

	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/worker"
)

// job is a qmail-queue at work on one message.
type job interface {
	// wait returns the exit code and the message's number; see Message.QP.
	wait() (c exit.Code, qp uint64, err error)
}

// pipes lead to a qmail-queue, as they always have: one for the message, one for its envelope.
type pipes struct {
	text         *bufio.Writer
	textR, textW *os.File
	rcptR, rcptW *os.File
	job          job
	asks         bool // something may follow the envelope
}

func newPipes() (*pipes, *report.Report) {
	textR, textW, err := sys.Pipe()
	if err != nil {
		return nil, report.Defer("4.3.0", "qq unable to make a pipe")
	}
	rcptR, rcptW, err := sys.Pipe()
	if err != nil {
		textR.Close()
		textW.Close()
		return nil, report.Defer("4.3.0", "qq unable to make a pipe")
	}
	return &pipes{textR: textR, textW: textW, rcptR: rcptR, rcptW: rcptW}, nil
}

// open starts a qmail-queue for a message that is yet to be written.
func (c *Client) open(asks bool) (*pipes, *report.Report) {
	p, r := newPipes()
	if r == nil {
		p.asks = asks && c.TakesAsked()
		r = c.begin(p)
	}
	if r != nil {
		return nil, r
	}
	p.text = bufio.NewWriterSize(p.textW, 8192)
	return p, nil
}

// whole starts a qmail-queue for a message that is all here, or of which nothing more comes: then it has no envelope.
// If the pipes can hold it, it is in them before, so that nobody waits for anybody and switches between two processes
// are saved.
func (c *Client) whole(h *held, ends, asks bool) (job, *report.Report) {
	p, r := newPipes()
	if r != nil {
		return nil, r
	}
	p.asks = asks && c.TakesAsked()
	var envelope []byte
	if ends {
		envelope = h.end(p.asks)
	}
	fits := len(h.text) <= sys.PipeRoom(p.textW) && len(envelope) <= sys.PipeRoom(p.rcptW)
	if fits {
		p.write(h.text, envelope)
	}
	if r := c.begin(p); r != nil {
		return nil, r
	}
	if !fits {
		p.write(h.text, envelope)
	}
	return p.job, nil
}

// write writes a whole message. When not all of the text is written the envelope stays away, and nothing is queued.
func (p *pipes) write(text, envelope []byte) {
	_, err := p.textW.Write(text)
	p.textW.Close()
	if err == nil {
		p.rcptW.Write(envelope)
	}
	p.rcptW.Close()
}

// begin has a qmail-queue read the pipes.
func (c *Client) begin(p *pipes) *report.Report {
	var err error
	p.job, err = c.start(p.textR, p.rcptR, p.asks)
	p.textR.Close()
	p.rcptR.Close()
	if err != nil {
		p.textW.Close()
		p.rcptW.Close()
		if _, err := os.Stat(c.home + "/."); err != nil {
			return envelope.Meaning(envelope.NoHome)
		}
		return envelope.Meaning(envelope.NoExec)
	}
	return nil
}

// start has the kept qmail-queue do the message, or runs one the classic way: a process of its own, with the
// message on descriptor 0 and the envelope on 1. What stands in its place was always started in HOME, with SIGPIPE
// ignored, by whoever had mail.
func (c *Client) start(text, rcpt *os.File, asks bool) (job, error) {
	if c.keeper != nil {
		if w := c.keeper.take(); w != nil && w.Send(worker.Job{Files: []*os.File{text, rcpt}}) == nil {
			return kept{w}, nil
		}
	}
	child := priv.Child{
		Path: c.path, Args: []string{c.path}, Env: c.env, Dir: c.home, Files: []*os.File{text, rcpt, c.stderr},
	}
	if asks {
		child.Args = append(child.Args, envelope.AskArgument)
	}
	var reason, why *os.File
	if fi, err := os.Lstat(c.file()); err == nil && setuid(fi) {
		// What is no script or program in its place does one thing at a time; see sys.WorkerSlack.
		child.Env, child.Slack = worker.Environ(child.Env), sys.WorkerSlack
	} else if reason, why, err = sys.Pipe(); err == nil {
		// A filter may say more than its exit code does. A pipe takes at once what is read of that.
		child.Files = append(child.Files, nil, nil, nil, why)
		defer why.Close()
	}
	proc.IgnorePipe()
	pid, err := priv.Fork(child)
	if err != nil {
		if reason != nil {
			reason.Close()
		}
		return nil, err
	}
	return process{pid, c.keeper, reason}, nil
}

// setuid reports whether a program is a regular setuid file, as qmail-queue is.
func setuid(fi os.FileInfo) bool { return fi.Mode().IsRegular() && fi.Mode()&os.ModeSetuid != 0 }

// endText ends the message, and reports whether all of it was written.
func (p *pipes) endText() bool {
	if p.textW == nil {
		return true
	}
	err := p.text.Flush()
	p.textW.Close()
	p.textW = nil
	return err == nil
}

// end writes the envelope, if there is one.
func (p *pipes) end(envelope []byte) {
	if len(envelope) > 0 {
		p.rcptW.Write(envelope)
	}
	p.rcptW.Close()
}

// process is a qmail-queue started the classic way.
type process struct {
	id     int
	keeper *keeper
	reason *os.File // where a filter says why; nil: nowhere
}

var errCrashed = errors.New("qmail-queue crashed")

func (p process) wait() (c exit.Code, qp uint64, err error) {
	qp = uint64(p.id)
	if p.reason != nil {
		defer p.reason.Close()
	}
	st, err := priv.Wait(p.id)
	if err != nil {
		return 0, qp, err
	}
	if !st.Exited() {
		return 0, qp, errCrashed
	}
	c = exit.Code(st.ExitStatus())
	if c == envelope.Custom && p.reason != nil {
		return c, qp, envelope.ParseReason(p.why())
	}
	if c == envelope.Queued && p.keeper != nil {
		p.keeper.classic()
	}
	return c, qp, nil
}

// why returns what a filter that has ended has said, without waiting for what it may have left running.
func (p process) why() []byte {
	b := make([]byte, envelope.MaxReason)
	n, _ := sys.ReadNow(p.reason, b)
	return b[:n]
}
