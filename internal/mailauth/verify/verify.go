package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"qmail/internal/mailauth/authres"
	"qmail/internal/mailauth/dkim"
	"qmail/internal/mailauth/dmarc"
	"qmail/internal/mailauth/spf"
	"qmail/internal/net/dns"
	"qmail/internal/submit/filter"
	"qmail/internal/text/crlf"
	"qmail/internal/text/report"
	"qmail/internal/text/trace"
)

const (
	// MaxQuestions is how many questions to the DNS one message may cost, and MaxTime how long they may take in all.
	// What is not known by then is a temporary error, with which mail is accepted unless the settings say otherwise.
	MaxQuestions = 80
	MaxTime      = 20 * time.Second
)

// Marker is the field that filters of mailboxes look for.
const Marker = "X-Spam-Flag: YES\n"

// A Resolver asks the DNS, within bounds that are the caller's.
type Resolver interface {
	spf.Resolver
	dmarc.Lookup
}

// A Verdict is what is to be done with a message.
type Verdict struct {
	Refusal *report.Report // nil: it is accepted
	Head    []byte         // what goes on top of it
	Entry   *dmarc.Entry   // for a report to the domain of its author; nil: there is none
}

// Look looks at a message of a sender, which begins with the Received field of our server, and has been taken whole.
func (s Settings) Look(r Resolver, sender string, m *filter.Spool, now time.Time) Verdict {
	n := trace.FirstField(m.Head())
	client, ok := trace.Parse(m.Head()[:n])
	if !ok || client.Known {
		return Verdict{}
	}
	head := m.Head()[n:]
	x := exam{settings: s, trace: client, sender: sender, author: authorOf(head)}
	x.results = append(x.results, x.spf(r))
	x.results = append(x.results, x.dkim(r, m.Reader(n), now)...)
	x.results = append(x.results, x.dmarc(r))
	return x.verdict()
}

// Copy writes a message without the results that it claims in our name.
func (s Settings) Copy(w io.Writer, m *filter.Spool) error { return clean(w, m.Reader(0), s.ID) }

// An exam is one message.
type exam struct {
	settings Settings
	trace    trace.Trace
	sender   string
	author   author

	results []authres.Result
	origin  spf.Result
	signers []string // whose signatures are good
	marks   []dmarc.Signature
	unsure  bool // a signature could not be checked now
	policy  dmarc.Result
}

func (x *exam) spf(r Resolver) authres.Result {
	x.origin = spf.Result{Status: spf.None}
	if x.trace.IP.IsValid() {
		x.origin = spf.Check(r, x.trace.IP, x.trace.Helo, x.sender)
	}
	p := authres.Property{Name: "smtp.mailfrom", Value: x.sender}
	if x.sender == "" {
		p = authres.Property{Name: "smtp.helo", Value: x.trace.Helo}
	}
	return authres.Result{Method: "spf", Value: string(x.origin.Status), Properties: []authres.Property{p}}
}

// dkim verifies the signatures. The message went over the wire in lines that ended in CRLF.
func (x *exam) dkim(r Resolver, message io.Reader, now time.Time) (list []authres.Result) {
	v := dkim.NewVerifier(dkim.Usual())
	if _, err := io.Copy(crlf.NewLines(v), message); err != nil {
		x.unsure = true
		return []authres.Result{{Method: "dkim", Value: "temperror"}}
	}
	lookup := func(name string) ([]string, error) {
		texts, err := r.TXT(name)
		if errors.Is(err, dns.ErrNotFound) {
			return nil, nil
		}
		return texts, err
	}
	for _, s := range v.Results(lookup, now) {
		value := string(s.Status)
		if s.Status == dkim.Pass && s.Testing {
			value = string(dkim.Neutral)
		}
		if value == string(dkim.Pass) {
			x.signers = append(x.signers, s.Domain)
		}
		x.unsure = x.unsure || s.Status == dkim.TempError
		x.marks = append(x.marks, dmarc.Signature{Domain: s.Domain, Selector: s.Selector, State: value})
		list = append(list, authres.Result{Method: "dkim", Value: value, Comment: s.Reason,
			Properties: []authres.Property{
				{Name: "header.d", Value: s.Domain}, {Name: "header.s", Value: s.Selector},
				{Name: "header.a", Value: string(s.Algorithm)}, {Name: "header.b", Value: abbreviated(s.Value)},
			}})
	}
	if len(list) == 0 {
		list = []authres.Result{{Method: "dkim", Value: "none"}}
	}
	return list
}

// abbreviated is the beginning of a signature, by which it is told from others: RFC 6008.
func abbreviated(signature []byte) string {
	return base64.StdEncoding.EncodeToString(signature[:min(6, len(signature))])
}

func (x *exam) dmarc(r Resolver) authres.Result {
	if x.author.domain == "" {
		x.policy = dmarc.Result{Status: dmarc.None}
		return authres.Result{Method: "dmarc", Value: "none", Comment: x.author.why}
	}
	m := dmarc.Mail{From: x.author.domain, DKIM: x.signers, Unsure: x.unsure || x.origin.Status == spf.TempError}
	if x.origin.Status == spf.Pass {
		m.SPF = x.origin.Domain
	}
	x.policy = dmarc.Check(r, m)
	res := authres.Result{Method: "dmarc", Value: string(x.policy.Status),
		Properties: []authres.Property{{Name: "header.from", Value: x.author.domain}}}
	if x.policy.Status == dmarc.Fail {
		res.Comment = "p=" + string(x.policy.Policy)
	}
	return res
}

// trusted reports whether the message was passed on by somebody who is known for it.
func (x *exam) trusted() bool {
	f := x.settings.Forwarders
	if f.hasAddress(x.trace.IP) || x.origin.Status == spf.Pass && f.hasDomain(x.origin.Domain) {
		return true
	}
	for _, d := range x.signers {
		if f.hasDomain(d) {
			return true
		}
	}
	return false
}

// verdict weighs the results.
func (x *exam) verdict() (v Verdict) {
	trusted := x.trusted()
	if !trusted {
		v.Refusal = x.refusal()
	}
	v.Entry = x.entry(trusted, v.Refusal)
	if v.Refusal != nil {
		return v
	}
	v.Head = authres.Append(nil, x.settings.ID, x.results)
	if x.settings.Behavior > 0 {
		v.Head = append(v.Head, x.receivedSPF()...)
	}
	if x.settings.DMARC != Tell && !trusted && x.asksForMore() {
		v.Head = append(v.Head, Marker...)
	}
	return v
}

// asksForMore reports whether the domain of the author wants another treatment than delivery.
func (x *exam) asksForMore() bool {
	return x.policy.Status == dmarc.Fail && x.policy.Policy != dmarc.Deliver
}

func (x *exam) refusal() *report.Report {
	if r := x.spfRefusal(); r != nil {
		return r
	}
	if x.settings.DMARC != Refuse {
		return nil
	}
	if x.author.many {
		return report.Fail("5.7.1", "sorry, a message needs one author: there is "+x.author.why)
	}
	if x.asksForMore() && x.policy.Policy == dmarc.Reject {
		return report.Fail("5.7.1", "sorry, refused by the DMARC policy of "+x.author.domain)
	}
	return nil
}

// spfRefusal is what control/spfbehavior asks for: from 2 on, what cannot be known now is deferred; from 3 to 6, what
// fails, fails softly, is neutral or has no record is refused as well.
func (x *exam) spfRefusal() *report.Report {
	least := map[spf.Status]int{spf.TempError: 2, spf.Fail: 3, spf.PermError: 3, spf.SoftFail: 4, spf.Neutral: 5,
		spf.None: 6}
	n, bad := least[x.origin.Status]
	if !bad || x.settings.Behavior < n {
		return nil
	}
	domain := x.origin.Domain
	if domain == "" {
		domain = "your domain"
	}
	if x.origin.Status == spf.TempError {
		return report.Defer("4.4.3", "sorry, the DNS does not say now whether you may send mail of "+domain)
	}
	return report.Fail("5.7.23", "sorry, by SPF you may not send mail of "+domain+": "+string(x.origin.Status))
}

// receivedSPF is the field of RFC 7208, section 9.1. The names in it have safe bytes only.
func (x *exam) receivedSPF() string {
	identity := "mailfrom"
	if x.origin.Helo {
		identity = "helo"
	}
	var b bytes.Buffer
	b.WriteString("Received-SPF: " + string(x.origin.Status) + " (" + x.settings.ID + ")")
	if x.trace.IP.IsValid() {
		b.WriteString(" client-ip=" + x.trace.IP.String() + ";")
	}
	b.WriteString(" identity=" + identity + "; helo=\"" + x.trace.Helo + "\"\n")
	return b.String()
}
