package guard

import (
	"errors"
	"net/netip"

	"qmail/internal/net/dns"
	"qmail/internal/smtp/remote"
	"qmail/internal/text/ascii"
)

// outcome returns what keeps, for a report to the domain (RFC 8460), what became of TLS on a connection.
func (g *Guard) outcome(p *plan, h remote.Hop) func(netip.Addr, error) {
	kind := "no-policy-found"
	switch {
	case p.label != "":
		kind = "sts"
	case len(p.daneNames) > 0:
		kind = "tlsa"
	}
	return func(peer netip.Addr, err error) {
		result, reason := resultOf(err), ""
		if err != nil {
			reason = err.Error()
		}
		g.note(h, kind, peer.Unmap().String(), result, reason)
	}
}

// note keeps a session. One that cannot be kept is missing in the report, and nothing more. Routes of ours are no
// domain's business.
func (g *Guard) note(h remote.Hop, kind, peer, result, reason string) {
	if _, literal := dns.Literal(h.Domain); g.Note == nil || h.Relay || literal {
		return
	}
	g.Note(kind, ascii.LowerString(h.Domain), ascii.LowerString(h.Host), peer, result, reason)
}

// resultOf names a failure as RFC 8460, section 4.3, does.
func resultOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, remote.ErrNotOffered):
		return "starttls-not-supported"
	case errors.Is(err, errName):
		return "certificate-host-mismatch"
	case errors.Is(err, errExpired):
		return "certificate-expired"
	case errors.Is(err, errAuthority):
		return "certificate-not-trusted"
	}
	return "validation-failure"
}
