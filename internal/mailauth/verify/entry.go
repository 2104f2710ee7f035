package verify

import (
	"strings"

	"qmail/internal/mailauth/dmarc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

// entry is what a report says of the message, where its author's domain wants one and we make some.
func (x *exam) entry(trusted bool, refusal *report.Report) *dmarc.Entry {
	p := x.policy
	wanted := x.settings.Reports && len(p.Record.Reports) > 0 && (p.Status == dmarc.Pass || p.Status == dmarc.Fail)
	if !wanted || !x.trace.IP.IsValid() || refusal != nil && refusal.Kind != report.Failure {
		return nil
	}
	e := &dmarc.Entry{
		IP: x.trace.IP, From: x.author.domain, At: p.At, Published: p.Record, Trusted: trusted,
		SPF: p.SPF, DKIM: p.DKIM, OriginState: string(x.origin.Status), Signatures: x.marks,
	}
	if i := strings.LastIndexByte(x.sender, '@'); i >= 0 {
		e.Sender = ascii.LowerString(x.sender[i+1:])
	}
	if e.Origin = ascii.LowerString(x.origin.Domain); e.Origin == "" {
		e.Origin = e.Sender
	}
	switch {
	case refusal != nil:
		e.Disposition = "reject"
	case p.Status == dmarc.Pass:
		e.Disposition = "pass"
	case x.settings.DMARC != Tell && !trusted && x.asksForMore():
		e.Disposition = "quarantine"
	default:
		e.Disposition = "none"
	}
	return e
}
