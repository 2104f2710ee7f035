// Package submit hands messages to qmail-queue; see qmail-queue(8) for the interface.
package submit

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/envelope"
	"qmail/internal/exit"
	"qmail/internal/priv"
	"qmail/internal/report"
	"qmail/internal/sys"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

// A Client starts qmail-queue for the messages of one process. The zero value is not ready: use New.
type Client struct {
	path   string
	env    []string
	stderr *os.File
	keeper *keeper // nil: each message has a qmail-queue of its own
}

// New returns a client. env is the environment of this process, as a value: QMAILQUEUE in it
// names another program than HOME/bin/qmail-queue, relative to HOME. stderr becomes descriptor 2 of qmail-queue;
// it may be nil.
func New(env []string, stderr *os.File) *Client {
	c := &Client{path: filepath.Join(conf.Home(), "bin/qmail-queue"), env: env, stderr: stderr}
	if q := lookup(env, "QMAILQUEUE"); q != "" {
		c.path = q
		if !filepath.IsAbs(q) {
			c.path = filepath.Join(conf.Home(), q)
		}
	}
	return c
}

// Keep has the client keep a qmail-queue for its messages, after one that goes the classic way. It is for a program that
// runs as qmaild or qmails and may have many messages to hand on: qmail-queue is a worker for no other user. With soon it is
// started right after the first message. QMAILQUEUE in the environment always means the classic way.
func (c *Client) Keep(soon bool) {
	if c.keeper == nil && lookup(c.env, "QMAILQUEUE") == "" {
		c.keeper = &keeper{path: c.path, soon: soon, spec: pool.Spec{Name: "qmail-queue", Env: c.env}}
	}
}

// With returns a client for a job whose environment is env. A kept qmail-queue is shared; one that is started for a
// message sees env.
func (c *Client) With(env []string) *Client {
	w := New(env, c.stderr)
	if w.path == c.path {
		w.keeper = c.keeper
	}
	return w
}

// Close ends a kept qmail-queue.
func (c *Client) Close() {
	if c.keeper != nil {
		c.keeper.close()
	}
}

// A Message is one message on its way to qmail-queue: Write its text, then From, then To for each recipient,
// then Commit. A write that fails is not reported before Commit, as only qmail-queue knows why.
type Message struct {
	text   *bufio.Writer
	rcpt   *bufio.Writer
	textW  *os.File
	rcptW  *os.File
	job    job
	failed bool
}

// job is a qmail-queue at work on one message.
type job interface {
	pid() int
	wait() (exit.Code, error)
}

// Open starts a qmail-queue for one message.
func (c *Client) Open() (*Message, error) {
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
	return &Message{
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

// Write adds bytes to the message.
func (m *Message) Write(b []byte) (int, error) {
	m.text.Write(b)
	return len(b), nil
}

// WriteString is Write for a string.
func (m *Message) WriteString(s string) (int, error) {
	m.text.WriteString(s)
	return len(s), nil
}

// Pid returns the process id of the qmail-queue, the "qp" of the logs.
func (m *Message) Pid() int { return m.job.pid() }

// From ends the message and sets the envelope sender.
func (m *Message) From(sender string) {
	m.endText()
	m.rcpt.WriteByte('F')
	m.rcpt.WriteString(sender)
	m.rcpt.WriteByte(0)
}

// To adds a recipient; it comes after From.
func (m *Message) To(recipient string) {
	m.rcpt.WriteByte('T')
	m.rcpt.WriteString(recipient)
	m.rcpt.WriteByte(0)
}

// Fail spoils the message: qmail-queue will see its envelope end early and queue nothing.
func (m *Message) Fail() { m.failed = true }

func (m *Message) endText() {
	if m.textW == nil {
		return
	}
	if m.text.Flush() != nil {
		m.failed = true // a message that is not whole must not be queued
	}
	m.textW.Close()
	m.textW = nil
}

// Commit ends the envelope and waits for the answer. An error is always a *report.Report; nil means that
// the message is queued and on disk.
func (m *Message) Commit() error {
	m.endText()
	if !m.failed {
		m.rcpt.WriteByte(0)
		m.rcpt.Flush()
	}
	m.rcptW.Close()
	c, err := m.job.wait()
	switch {
	case err == errCrashed:
		return envelope.Crashed()
	case err != nil:
		return report.Defer("4.3.0", "qq waitpid surprise")
	}
	if r := envelope.Meaning(c); r != nil {
		return r
	}
	if m.failed {
		return envelope.Meaning(envelope.ReadError)
	}
	return nil
}

// Abort gives the message up and waits until qmail-queue is gone.
func (m *Message) Abort() {
	m.Fail()
	m.Commit()
}

func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if e := env[i]; len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return e[len(name)+1:]
		}
	}
	return ""
}
