package remote

import (
	"qmail/internal/text/environ"
	"qmail/internal/text/rfc822"
)

// Sign has the signatures of an environment go on top of the messages that follow. What is none is no part of one.
func (m *Remote) Sign(env []string) {
	m.top, _ = environ.Get(env, rfc822.SignatureVariable)
	if !rfc822.AreSignatures(m.top) {
		m.top = ""
	}
}
