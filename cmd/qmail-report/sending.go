package main

import (
	"errors"
	"os"
	"time"

	"qmail/conf"
	"qmail/internal/mailauth/reporting"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/sys/daybook"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sysuser"
	"qmail/internal/text/report"
)

// maxQuestions and maxTime bound what one domain may cost.
const (
	maxQuestions = 40
	maxTime      = 20 * time.Second
)

// A sending sends the reports of the days that are over.
type sending struct {
	show    bool // print them instead
	control control.Dir
	from    reporting.Sender
	queue   *submit.Client
	log     *os.File
	now     time.Time
}

func newSending(show bool) (*sending, error) {
	s := &sending{show: show, control: control.Default(), now: time.Now(), log: proc.FD(2, "log")}
	s.queue = submit.New(os.Environ(), s.log)
	var ok bool
	var err error
	if s.from.Host, ok, err = s.control.Text("me"); err == nil && (!ok || s.from.Host == "") {
		err = errors.New("control/me has no name")
	}
	return s, err
}

// run sends what one kind of report has to say. A day is removed when all of it is queued: what is sent twice has the
// same Report-ID.
func (s *sending) run(kind string) error {
	defer s.queue.Close()
	name, noter, send := daybook.DMARC, conf.UserNames().Daemon, s.dmarc
	if kind == "tls" {
		name, noter, send = daybook.TLS, conf.UserNames().Remote, s.tls
	}
	var err error
	if s.from.Contact, _, err = s.control.Text(kind + "reports"); err != nil {
		return err
	}
	if s.from.Contact == "" {
		return errors.New("control/" + kind + "reports has no address to send reports from")
	}
	if !reporting.IsAddress(s.from.Contact) {
		return errors.New("control/" + kind + "reports: " + s.from.Contact + " is no address")
	}
	user, err := sysuser.Lookup(noter)
	if err != nil {
		return err
	}
	days, err := daybook.Of(conf.Home(), name).Days(s.now, user.UID)
	if err != nil {
		return err
	}
	for _, d := range days {
		err := send(d)
		if err == nil && !s.show {
			err = d.Remove()
		}
		d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sending) dns() *dns.Resolver {
	return dns.Open(dns.SystemConf).Within(maxQuestions, time.Now().Add(maxTime))
}

func (s *sending) dmarc(d *daybook.Day) error {
	t := reporting.NewTally()
	if err := d.Read(t.Add); err != nil {
		return err
	}
	var asked asked
	for _, r := range t.Reports(s.from, d.Begin, d.End()) {
		to, err := r.Willing(s.dns())
		if !asked.ok(s, r.Policy.Domain, err) {
			continue
		}
		l, err := r.Letter()
		if err == nil {
			err = s.mail(l, to)
		}
		if err != nil {
			return err
		}
	}
	return asked.err()
}

func (s *sending) tls(d *daybook.Day) error {
	t := reporting.NewTLSTally()
	if err := d.Read(t.Add); err != nil {
		return err
	}
	var asked asked
	for _, domain := range t.Domains() {
		to, err := reporting.TLSWanted(s.dns(), domain)
		if !asked.ok(s, domain, err) {
			continue
		}
		r := t.Report(domain, s.from, d.Begin, d.End())
		l, err := r.Letter(domain)
		if err == nil {
			err = s.mail(l, to)
		}
		if err != nil {
			return err
		}
	}
	return asked.err()
}

// asked is what the DNS has answered on a day. A domain of which it says nothing now gets no report; where it never
// answers, the day is kept.
type asked struct{ answers, troubles int }

func (a *asked) ok(s *sending, domain string, err error) bool {
	if err == nil {
		a.answers++
		return true
	}
	a.troubles++
	s.log.WriteString("qmail-report: warning: no report to " + domain + ": " + err.Error() + "\n")
	return false
}

func (a *asked) err() error {
	if a.answers == 0 && a.troubles > 0 {
		return errors.New("the DNS does not answer; the day is kept")
	}
	return nil
}

// mail queues a letter for each address.
func (s *sending) mail(l reporting.Letter, to []string) error {
	for _, a := range to {
		text, err := l.Bytes(s.from, a, s.now)
		switch {
		case errors.Is(err, reporting.ErrTooLarge):
			s.log.WriteString("qmail-report: warning: no report to " + a + ": " + err.Error() + "\n")
			continue
		case err != nil:
			return err
		case s.show:
			_, err = os.Stdout.Write(text)
		default:
			err = s.submit(text, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sending) submit(text []byte, to string) error {
	m, err := s.queue.Open()
	if err != nil {
		return err
	}
	m.Write(text)
	m.From(s.from.Contact)
	m.To(to)
	if err := m.Commit(); err != nil {
		return errors.New("unable to queue a report: " + report.Of(err).Error())
	}
	return nil
}
