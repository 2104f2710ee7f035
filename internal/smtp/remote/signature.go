package remote

import (
	"qmail/internal/text/dsn"
	"qmail/internal/text/environ"
	"qmail/internal/text/rfc822"
)

// Take takes from an environment what goes with the messages that follow: signatures on top of them, and what their
// senders ask for. What is none is no part of one.
func (m *Remote) Take(env []string) {
	m.top, _ = environ.Get(env, rfc822.SignatureVariable)
	if !rfc822.AreSignatures(m.top) {
		m.top = ""
	}
	record, _ := environ.Get(env, dsn.Variable)
	m.asked, _ = dsn.ParseRecord(record)
}
