// Package lists is the door of an SMTP session at which control files say who is not let in: names in HELO, senders
// and recipients. See qmail-smtpd(8).
package lists

import (
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
)

// A Door is that of one session.
type Door struct {
	helo, rcpt             control.Set
	heloNoRelay            control.Set
	rcptNoRelay            control.Set
	senderNoRelay          control.Set
	senders, rcptsPatterns patterns
}

// Open returns the door of a session; nil where no file asks for one.
func Open(dir control.Dir) (*Door, error) {
	d, any := new(Door), false
	for _, f := range []struct {
		name string
		set  *control.Set
		list *patterns
	}{
		{"badhelo", &d.helo, nil}, {"badhelonorelay", &d.heloNoRelay, nil}, {"badrcptto", &d.rcpt, nil},
		{"badrcpttonorelay", &d.rcptNoRelay, nil}, {"badmailfromnorelay", &d.senderNoRelay, nil},
		{"badmailfrompatterns", nil, &d.senders},
		{"badrcptpatterns", nil, &d.rcptsPatterns},
	} {
		lines, _, err := dir.List(f.name)
		if err != nil {
			return nil, err
		}
		if len(lines) == 0 {
			continue
		}
		any = true
		if f.set != nil {
			*f.set = control.NewSet(lines)
		} else {
			*f.list = lines
		}
	}
	if !any {
		return nil, nil
	}
	return d, nil
}

// Admit refuses what the lists name. Senders are refused with their recipients, as those of badmailfrom are.
func (d *Door) Admit(stage smtpd.Stage, v *smtpd.Visit) string {
	switch {
	case stage == smtpd.AtHelo && (d.helo.Has(v.Helo) || !v.Relays && d.heloNoRelay.Has(v.Helo)):
		return "550 sorry, your HELO name is in my badhelo list (#5.7.1)"
	case stage != smtpd.AtRcpt:
		return ""
	case !v.Relays && names(d.senderNoRelay, v.Sender):
		return "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
	case d.senders.match(v.Sender):
		return "553 sorry, your envelope sender is in my badmailfrompatterns list (#5.7.1)"
	case names(d.rcpt, v.Recipient) || !v.Relays && names(d.rcptNoRelay, v.Recipient):
		return "553 sorry, that recipient is in my badrcptto list (#5.7.1)"
	case d.rcptsPatterns.match(v.Recipient):
		return "553 sorry, that recipient is in my badrcptpatterns list (#5.7.1)"
	}
	return ""
}

// names reports whether a set has an address, or its host behind an @.
func names(s control.Set, address string) bool {
	if len(s) == 0 {
		return false
	}
	at := strings.LastIndexByte(address, '@')
	return s.Has(address) || at >= 0 && s.Has(address[at:])
}
