package smtpd

import (
	"bytes"

	"qmail/internal/text/environ"
)

// Plugins are programs that an administrator has asked at each stage, before the server's own checks. They may do more
// than refuse. env is the session's environment. It is called for one stage after the other, of one session.
type Plugins interface {
	Ask(stage Stage, v *Visit, env []string) Advice
}

// An Advice is what plugins say at a stage.
type Advice struct {
	Reply   string   // which refuses; "" does not
	End     bool     // the session is over, without a reply if there is none
	Vouched bool     // the server's own checks of a sender or a recipient are left out
	Address string   // what stands for the sender at AtMail, and for the recipient at AtRcpt
	Lines   []string // what the client is told in front of the reply, without a code
	Env     []string // the session's new environment; nil: it has the old one
	Header  []byte   // AtData: lines for the top of the message
	By      string   // for the log: which plugin refused
	Because string   // and what was wrong with it
}

// PluginTrouble is the reply where a plugin cannot tell, or says what makes no sense.
const PluginTrouble = "451 sorry, a plugin of mine cannot tell now (#4.3.0)"

// consult asks the plugins, does what they say, and reports whether none refuses. hosted is for AtRcpt.
func (s *session) consult(stage Stage, sender, recipient string, hosted bool) (a Advice, ok bool) {
	a.Address = recipient
	if stage == AtMail {
		a.Address = sender
	}
	if s.plugins == nil {
		return a, true
	}
	v := s.visit(sender, recipient)
	v.User, v.Mechanism, v.Count, v.Named, v.Hosted = s.user, s.mechanism, s.count, s.asked, hosted
	if stage == AtData {
		v.Recipient = s.last()
	}
	a = s.plugins.Ask(stage, &v, s.server.Env)
	if a.Env != nil {
		s.changed(a.Env)
	}
	if len(a.Address) > maxAddress {
		a.Reply, a.Because = PluginTrouble, "its address is too long"
	}
	s.notes = a.Lines
	if a.Reply == "" && !a.End {
		return a, true
	}
	pairs := append(wanted(stage, sender, recipient), "plugin", a.By, "because", a.Because)
	if a.Reply == "" {
		s.note("dropped", pairs...)
	} else {
		s.refuse(a.Reply, pairs...)
	}
	if a.End || stage == AtConnect || len(a.Reply) > 3 && a.Reply[:3] == "421" {
		s.end(ended)
	}
	return a, false
}

// changed gives the session another environment: RELAYCLIENT counts at once, the rest for what is started from now on.
func (s *session) changed(env []string) {
	_, before := environ.Get(s.server.Env, "RELAYCLIENT")
	relay, now := environ.Get(env, "RELAYCLIENT")
	if before || now {
		s.relayClient, s.relay = now, relay
	}
	s.server.Env = env
	s.server.Queue = s.server.Queue.Apart(env) // what is kept for all has not this one
}

// last returns the last recipient.
func (s *session) last() string {
	b := bytes.TrimSuffix(s.recipients, []byte{0})
	return string(b[bytes.LastIndexByte(b, 0)+1:])
}
