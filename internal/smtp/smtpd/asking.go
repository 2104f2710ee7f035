package smtpd

import (
	"qmail/internal/submit"
	"qmail/internal/submit/envelope"
	"qmail/internal/text/dsn"
)

// A wish is what a client asks for about its message (RFC 3461), after an EHLO that has offered that. To others what
// stands behind an address means nothing, as it always has.
type wish struct {
	message dsn.Message
	to      map[int]dsn.Recipient // by the number of the RCPT that was accepted
	size    int                   // of all this on its way into the queue
}

const malformed = "501 malformed parameter (#5.5.4)"

// offersDSN reports whether reports can be asked for: where all that has to know of it takes them along.
func (s *session) offersDSN() bool { return s.extensions.Has("dsn") && s.server.Queue.TakesAsked() }

// wishOf reads what MAIL asks for.
func (s *session) wishOf(p *parameters) (w wish, ok bool) {
	if !s.dsn {
		return w, true
	}
	m := &w.message
	if p.ret.given {
		if m.Ret, ok = dsn.ParseRet(p.ret.value); !ok || p.ret.wrong {
			return w, false
		}
	}
	if m.EnvID = p.envID.value; p.envID.given && (p.envID.wrong || !dsn.IsEnvID(m.EnvID)) {
		return w, false
	}
	if *m != (dsn.Message{}) {
		w.size = len(envelope.AppendParameter(nil, dsn.Record{Message: *m, N: -1}))
	}
	return w, !p.notify.given && !p.orcpt.given
}

// wishFor reads what RCPT asks for.
func (s *session) wishFor(p *parameters) (r dsn.Recipient, ok bool) {
	if !s.dsn {
		return r, true
	}
	if p.notify.given {
		if r.Notify, ok = dsn.ParseNotify(p.notify.value); !ok || p.notify.wrong {
			return r, false
		}
	}
	if r.Orcpt = p.orcpt.value; p.orcpt.given && (p.orcpt.wrong || !dsn.IsOrcpt(r.Orcpt)) {
		return r, false
	}
	return r, !p.ret.given && !p.envID.given
}

// add adds what is asked for about the recipient with a number, unless that makes it more than qmail-queue takes.
func (w *wish) add(n int, r dsn.Recipient) bool {
	if r == (dsn.Recipient{}) {
		return true
	}
	size := w.size + len(envelope.AppendParameter(nil, dsn.Record{Recipient: r, N: n}))
	if size > dsn.MaxRecords {
		return false
	}
	if w.to == nil {
		w.to = make(map[int]dsn.Recipient)
	}
	w.to[n], w.size = r, size
	return true
}

// tell tells m, before its text, that something is asked for.
func (w *wish) tell(m *submit.Message) {
	if w.size > 0 {
		m.Ask(w.message)
	}
}
