package submit

import (
	"bufio"
	"errors"
	"os"

	"qmail/internal/envelope"
	"qmail/internal/exit"
	"qmail/internal/priv"
	"qmail/internal/report"
	"qmail/internal/sys"
	"qmail/internal/worker"
)

// job is a qmail-queue at work on one message.
type job interface {
	pid() int
	wait() (exit.Code, error)
}

// pipes lead to a qmail-queue, as they always have: one for the message, one for its envelope.
type pipes struct {
	text, rcpt   *bufio.Writer
	textW, rcptW *os.File
	job          job
}

// open starts a qmail-queue for one message.
func (c *Client) open() (*pipes, *report.Report) {
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
	defer textR.Close()
	defer rcptR.Close()
	j, err := c.start(textR, rcptR)
	if err != nil {
		textW.Close()
		rcptW.Close()
		return nil, envelope.Meaning(envelope.NoExec)
	}
	return &pipes{
		text: bufio.NewWriterSize(textW, 8192), rcpt: bufio.NewWriterSize(rcptW, 2048),
		textW: textW, rcptW: rcptW, job: j,
	}, nil
}

// start has the kept qmail-queue do the message, or runs one the classic way: a process of its own, with the
// message on descriptor 0 and the envelope on 1.
func (c *Client) start(text, rcpt *os.File) (job, error) {
	if c.keeper != nil {
		if w := c.keeper.take(); w != nil && w.Send(worker.Job{Files: []*os.File{text, rcpt}}) == nil {
			return kept{w}, nil
		}
	}
	pid, err := priv.Fork(priv.Child{
		Path: c.path, Args: []string{"qmail-queue"}, Env: c.env, Files: []*os.File{text, rcpt, c.stderr},
	})
	if err != nil {
		return nil, err
	}
	return process{pid, c.keeper}, nil
}

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

// end ends the envelope; only a whole one has a NUL at its end.
func (p *pipes) end(whole bool) {
	if whole {
		p.rcpt.WriteByte(0)
		p.rcpt.Flush()
	}
	p.rcptW.Close()
}

// process is a qmail-queue started the classic way.
type process struct {
	id     int
	keeper *keeper
}

func (p process) pid() int { return p.id }

var errCrashed = errors.New("qmail-queue crashed")

func (p process) wait() (exit.Code, error) {
	st, err := priv.Wait(p.id)
	if err != nil {
		return 0, err
	}
	if !st.Exited() {
		return 0, errCrashed
	}
	c := exit.Code(st.ExitStatus())
	if c == envelope.Queued && p.keeper != nil {
		p.keeper.classic()
	}
	return c, nil
}
