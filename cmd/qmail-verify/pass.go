package main

import (
	"io"
	"time"

	"qmail/conf"
	"qmail/internal/mailauth/verify"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/submit/envelope"
	"qmail/internal/submit/filter"
	"qmail/internal/sys/daybook"
)

// look checks who sent a message.
func look(m *filter.Message) (f filter.Verdict) {
	settings, err := verify.Read(control.Default(), m.Env)
	if err != nil {
		f.Refusal = envelope.Meaning(envelope.BadControl)
		return f
	}
	var v verify.Verdict
	now := time.Now()
	if !m.Known {
		resolver := dns.Open(dns.SystemConf).Within(verify.MaxQuestions, now.Add(verify.MaxTime))
		v = settings.Look(resolver, m.Sender, &m.Text, now)
	}
	f.Refusal = v.Refusal
	f.Write = func(w io.Writer) error {
		w.Write(v.Head)
		return settings.Copy(w, &m.Text)
	}
	if v.Entry != nil {
		// What cannot be noted is missing in a report, and nothing more.
		f.Done = func() { daybook.Of(conf.Home(), daybook.DMARC).Add(now, v.Entry.Words()...) }
	}
	return f
}
