// Package submit hands messages to qmail-queue; see qmail-queue(8) for the interface.
package submit

import (
	"os"
	"path/filepath"

	"qmail/conf"
	"qmail/internal/submit/envelope"
	"qmail/internal/text/environ"
	"qmail/internal/text/report"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

// A Client starts qmail-queue for the messages of one process. The zero value is not ready: use New.
type Client struct {
	home   string // where it starts
	path   string // relative to home, unless it is absolute
	env    []string
	stderr *os.File
	keeper *keeper // nil: each message has a qmail-queue of its own
	filter bool    // it is a program of control/filters
	// filters are the kept ones of Through, by their names; clients by With share them.
	filters map[string]*keeper
}

// New returns a client. env is the environment of this process, as a value: QMAILQUEUE in it
// names another program than HOME/bin/qmail-queue, relative to HOME. An empty QMAILQUEUE names no program, and
// no message gets past it: whoever meant to have a filter must not be without one. stderr becomes descriptor 2 of
// qmail-queue; it may be nil.
func New(env []string, stderr *os.File) *Client { return NewIn(conf.Home(), env, stderr) }

// NewIn is New for another HOME.
func NewIn(home string, env []string, stderr *os.File) *Client {
	c := &Client{home: home, path: "bin/qmail-queue", env: env, stderr: stderr}
	if q, set := environ.Get(env, "QMAILQUEUE"); set {
		c.path = q
	}
	return c
}

// file is the path of the program.
func (c *Client) file() string {
	if filepath.IsAbs(c.path) {
		return c.path
	}
	return filepath.Join(c.home, c.path)
}

// How says how a qmail-queue is kept.
type How struct {
	Soon  bool // from the first message on; otherwise from the second, since many processes have but one
	Alone bool // nothing else is done in this process while it is at work
}

// Keep has the client keep a qmail-queue for its messages. It is for a program
// that runs as qmaild or qmails and may have many messages to hand on: qmail-queue is a worker for no other user.
// QMAILQUEUE in the environment always means the classic way.
func (c *Client) Keep(h How) {
	if _, set := environ.Get(c.env, "QMAILQUEUE"); !set && c.keeper == nil {
		c.keeper = &keeper{path: c.file(), taken: h.Soon, fit: setuidQueue,
			spec: pool.Spec{Name: "qmail-queue", Env: c.env, Alone: h.Alone}}
		c.filters = map[string]*keeper{}
	}
}

// With returns a client for a job whose environment is env. A kept qmail-queue is shared; one that is started for a
// message sees env.
func (c *Client) With(env []string) *Client {
	w := NewIn(c.home, env, c.stderr)
	if w.path == c.path {
		w.keeper, w.filters = c.keeper, c.filters
	}
	return w
}

// Apart returns a client that keeps nothing: all that is started for its messages sees env, and nobody else does.
func (c *Client) Apart(env []string) *Client { return NewIn(c.home, env, c.stderr) }

// Through returns a client whose messages go through a filter, a program of HOME/bin that stands in qmail-queue's
// place and hands them on. It is kept where qmail-queue is, and then has the environment of this process: that of a
// session would be seen by others'. An administrator's QMAILQUEUE comes before it.
func (c *Client) Through(name string) *Client {
	if _, set := environ.Get(c.env, "QMAILQUEUE"); set {
		return c
	}
	f := &Client{home: c.home, path: "bin/" + name, env: c.env, stderr: c.stderr, filter: true}
	if k := c.keeper; k != nil {
		if c.filters[name] == nil {
			c.filters[name] = &keeper{path: f.file(), taken: true, fit: isProgram,
				spec: pool.Spec{Name: name, Env: k.spec.Env, Alone: k.spec.Alone}}
		}
		f.keeper = c.filters[name]
	}
	return f
}

// Close ends a kept qmail-queue, and the kept filters.
func (c *Client) Close() {
	for _, k := range c.filters {
		k.close()
	}
	if c.keeper != nil {
		c.keeper.close()
	}
}

// A Message is one message on its way to qmail-queue: Write its text, then From, then To for each recipient,
// then Commit. A write that fails is not reported before Commit, as only qmail-queue knows why.
//
// A small message is held until Commit, and is then one packet for a kept qmail-queue, or whole in the pipes before
// one is started. For one that outgrows that a qmail-queue is started at once, and its text goes on through a pipe.
// The envelope is always held: a message that fails has none.
type Message struct {
	client   *Client
	held     *held // nil once there are pipes
	pipes    *pipes
	envelope envelopes           // once there are pipes
	named    map[string]struct{} // by ToOnce
	count    int                 // recipients
	asks     bool
	qp       uint64
	ended    bool // the text
	failed   bool
	broken   *report.Report // why there are no pipes
}

// Open begins a message. No qmail-queue is started yet.
func (c *Client) Open() (*Message, error) {
	m := &Message{client: c}
	if c.keeper != nil {
		m.held = c.keeper.hold()
	} else {
		m.held = new(held)
	}
	return m, nil
}

// open goes over to pipes; h is what was held until now.
func (m *Message) open(h *held) {
	m.held = nil
	if m.pipes, m.broken = m.client.open(m.asks); m.broken != nil {
		m.failed = true
		return
	}
	m.pipes.text.Write(h.text)
	m.envelope = h.envelopes
	if m.ended {
		m.endText()
	}
}

// Write adds bytes to the message.
func (m *Message) Write(b []byte) (int, error) {
	if m.failed {
		return len(b), nil
	}
	if m.holds(len(b)) {
		m.held.text = append(m.held.text, b...)
	} else if m.pipes != nil {
		m.pipes.text.Write(b)
	}
	return len(b), nil
}

// WriteString is Write for a string.
func (m *Message) WriteString(s string) (int, error) {
	if m.failed {
		return len(s), nil
	}
	if m.holds(len(s)) {
		m.held.text = append(m.held.text, s...)
	} else if m.pipes != nil {
		m.pipes.text.WriteString(s)
	}
	return len(s), nil
}

// holds reports whether n more bytes are to be held; where they are too many it goes over to pipes.
func (m *Message) holds(n int) bool {
	if m.held != nil && m.held.size()+n > worker.MaxContents {
		m.open(m.held)
	}
	return m.held != nil
}

// QP returns the number that the message has in its Received line and in the logs, as "qp": the process id of its
// qmail-queue, or what a kept one has made of that, the time and its count. It is known after Commit.
func (m *Message) QP() uint64 { return m.qp }

// From ends the message and sets the envelope sender.
func (m *Message) From(sender string) {
	m.endText()
	m.record('F', sender)
}

// To adds a recipient; it comes after From.
func (m *Message) To(recipient string) {
	m.record('T', recipient)
	m.count++
}

// ToOnce is To for the list of a stranger: a recipient that it has named before is left out, and then it is false.
func (m *Message) ToOnce(recipient string) bool {
	if _, again := m.named[recipient]; again || m.failed {
		return false
	}
	if m.named == nil {
		m.named = make(map[string]struct{})
	}
	m.named[recipient] = struct{}{}
	m.To(recipient)
	return true
}

func (m *Message) record(letter byte, address string) {
	if m.failed {
		return
	}
	e := m.room(len(address) + 2)
	e.envelope = append(append(append(e.envelope, letter), address...), 0)
}

// room returns where n more bytes of the envelope go.
func (m *Message) room(n int) *envelopes {
	if m.holds(n) {
		return &m.held.envelopes
	}
	return &m.envelope
}

// Fail spoils the message: qmail-queue will see no more of it and no envelope, or nothing at all, and queue nothing.
func (m *Message) Fail() { m.failed = true }

func (m *Message) endText() {
	m.ended = true
	if m.pipes != nil && !m.pipes.endText() {
		m.failed = true // a message that is not whole must not be queued
	}
}

// Commit ends the envelope and waits for the answer. An error is always a *report.Report; nil means that
// the message is queued and on disk.
func (m *Message) Commit() error {
	j := m.send()
	if k := m.client.keeper; k != nil && m.held != nil {
		k.leave(m.held)
		m.held = nil
	}
	if m.broken != nil {
		return m.broken
	}
	if j == nil {
		return envelope.Meaning(envelope.ReadError)
	}
	c, qp, err := j.wait()
	m.qp = qp
	if r, ok := err.(*report.Report); ok {
		return r
	}
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

// send sends what is still here and returns the qmail-queue at work on it; nil where none was begun.
func (m *Message) send() job {
	if h := m.held; h != nil {
		m.endText()
		var j job
		if !m.failed {
			j = m.client.hand(h)
		} else if k := m.client.keeper; k != nil && k.pool() != nil {
			return nil
		}
		if j == nil {
			j, m.broken = m.client.whole(h, !m.failed, m.asks)
		}
		return j
	}
	if m.pipes == nil {
		return nil
	}
	m.endText()
	var envelope []byte
	if !m.failed {
		envelope = m.envelope.end(m.pipes.asks)
	}
	m.pipes.end(envelope)
	return m.pipes.job
}

// Abort gives the message up and waits until qmail-queue is gone.
func (m *Message) Abort() {
	m.Fail()
	m.Commit()
}
