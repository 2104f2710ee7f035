package submit

import (
	"os"

	"qmail/internal/submit/envelope"
	"qmail/internal/text/dsn"
	"qmail/internal/text/environ"
)

// An envelopes is the envelope of a message that is not yet sent, without its last NUL, and what goes behind it.
type envelopes struct{ envelope, asked []byte }

// end returns all of it; what goes behind is left out for whoever would take it for something else.
func (e envelopes) end(asks bool) []byte {
	b := append(e.envelope, 0)
	if asks && len(e.asked) > 0 {
		b = append(append(b, e.asked...), 0)
	}
	return b
}

// TakesAsked reports whether the messages of this client take along what their senders ask for: QMAILQUEUE, and what
// else has taken the place of qmail-queue, gets the envelope of old and nothing behind it.
func (c *Client) TakesAsked() bool {
	if _, set := environ.Get(c.env, "QMAILQUEUE"); set {
		return false
	}
	if c.filter {
		return true
	}
	fi, err := os.Lstat(c.file())
	return err == nil && setuid(fi)
}

// Ask says, before the text is written, that something is asked for, about the message or about recipients.
func (m *Message) Ask(a dsn.Message) {
	m.asks = true
	if a != (dsn.Message{}) {
		m.parameter(dsn.Record{Message: a, N: -1})
	}
}

// AskTo says what is asked for about the recipient that was named last. It comes after Ask.
func (m *Message) AskTo(a dsn.Recipient) {
	if a != (dsn.Recipient{}) {
		m.parameter(dsn.Record{Recipient: a, N: m.count - 1})
	}
}

func (m *Message) parameter(r dsn.Record) {
	if m.failed {
		return
	}
	b := envelope.AppendParameter(nil, r)
	e := m.room(len(b) + 1)
	e.asked = append(e.asked, b...)
}
