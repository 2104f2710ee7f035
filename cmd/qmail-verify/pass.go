package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"time"

	"qmail/internal/mailauth/verify"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/submit/envelope"
	"qmail/internal/text/report"
)

// pass looks at a message and passes it on.
func pass(queue *submit.Client, env []string, look bool, text, rcpt io.Reader) (qp uint64, r *report.Report) {
	settings, err := verify.Read(control.Default(), env)
	if err != nil {
		return 0, envelope.Meaning(envelope.BadControl)
	}
	next, err := control.Default().FilterAfter(name)
	if err != nil {
		return 0, envelope.Meaning(envelope.BadControl)
	}
	var message verify.Spool
	defer message.Close()
	if _, err := message.ReadFrom(text); err != nil {
		if errors.Is(err, verify.ErrSpool) {
			return 0, envelope.Meaning(envelope.WriteError)
		}
		return 0, envelope.Meaning(envelope.ReadError)
	}
	sender, to, r := readEnvelope(rcpt)
	if r != nil {
		return 0, r
	}
	var v verify.Verdict
	if look {
		now := time.Now()
		resolver := dns.Open(dns.SystemConf).Within(verify.MaxQuestions, now.Add(verify.MaxTime))
		v = settings.Look(resolver, sender, &message, now)
	}
	if v.Refusal != nil {
		return 0, v.Refusal
	}
	if next != "" {
		queue = queue.Through(next)
	}
	m, err := queue.Open()
	if err != nil {
		return 0, report.Of(err)
	}
	m.Write(v.Head)
	if settings.Copy(m, &message) != nil {
		m.Abort()
		return 0, envelope.Meaning(envelope.ReadError)
	}
	m.From(sender)
	for _, a := range to {
		m.To(a)
	}
	if err := m.Commit(); err != nil {
		return 0, report.Of(err)
	}
	return m.QP(), nil
}

// readEnvelope reads an envelope that is whole, or says what qmail-queue would.
func readEnvelope(r io.Reader) (sender string, to []string, _ *report.Report) {
	e := envelope.NewReader(bufio.NewReader(r))
	for first := true; ; first = false {
		rec, err := e.Next()
		switch {
		case err == io.EOF && !first:
			return sender, to, nil
		case errors.Is(err, envelope.ErrTooLong):
			return "", nil, envelope.Meaning(envelope.TooLong)
		case errors.Is(err, envelope.ErrFormat):
			return "", nil, envelope.Meaning(envelope.BadEnvelope)
		case err != nil:
			return "", nil, envelope.Meaning(envelope.ReadError)
		}
		address := strings.TrimSuffix(string(rec[1:]), "\x00")
		if first {
			sender = address
		} else {
			to = append(to, address)
		}
	}
}
