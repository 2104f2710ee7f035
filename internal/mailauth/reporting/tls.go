package reporting

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/text/ascii"
)

// A TLSReport is a report of RFC 8460.
type TLSReport struct {
	Organization string      `json:"organization-name"`
	Range        DateRange   `json:"date-range"`
	Contact      string      `json:"contact-info"`
	ID           string      `json:"report-id"`
	Policies     []TLSPolicy `json:"policies"`
}

// A DateRange is the time that a report is on.
type DateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// A TLSPolicy is what became of the sessions to which one policy applied.
type TLSPolicy struct {
	Policy struct {
		Type   string   `json:"policy-type"`
		String []string `json:"policy-string,omitempty"`
		Domain string   `json:"policy-domain"`
	} `json:"policy"`
	Summary struct {
		Good   int64 `json:"total-successful-session-count"`
		Failed int64 `json:"total-failure-session-count"`
	} `json:"summary"`
	Failures []TLSFailure `json:"failure-details,omitempty"`
}

// A TLSFailure is sessions that failed alike.
type TLSFailure struct {
	Type   string `json:"result-type"`
	Host   string `json:"receiving-mx-hostname,omitempty"`
	IP     string `json:"receiving-ip,omitempty"`
	Count  int64  `json:"failed-session-count"`
	Reason string `json:"failure-reason-code,omitempty"`
}

// A Session is what became of one, as qmail-tlsremote notes it.
type Session struct {
	Kind   string // sts, tlsa, no-policy-found
	Domain string // of the recipients
	Host   string
	IP     string
	Result string // empty: it was secret; else a result type of RFC 8460, section 4.3
	Reason string // for people
}

// Words returns a session as words, for a daybook.
func (s Session) Words() []string {
	return []string{s.Kind, s.Domain, s.Host, s.IP, s.Result, s.Reason}
}

// A TLSTally counts the sessions of a day, by the domain of the recipients.
type TLSTally struct {
	domains map[string]map[Session]int64
	rows    int
}

// NewTLSTally returns an empty one.
func NewTLSTally() *TLSTally { return &TLSTally{domains: map[string]map[Session]int64{}} }

// maxSessions bounds what is counted apart in a day.
const maxSessions = 200_000

// Add counts a session, by the words that were noted. What makes no sense does not count.
func (t *TLSTally) Add(w []string) {
	if len(w) != 6 || !isDomain(w[1]) {
		return
	}
	s := Session{w[0], w[1], w[2], w[3], w[4], w[5]}
	if s.Result == "" {
		s.Host, s.IP, s.Reason = "", "", "" // of those only the number is told
	}
	d := t.domains[s.Domain]
	if d == nil {
		d = map[Session]int64{}
		t.domains[s.Domain] = d
	}
	if _, known := d[s]; !known {
		if t.rows++; t.rows > maxSessions {
			return
		}
	}
	d[s]++
}

// Domains returns those that sessions were counted of.
func (t *TLSTally) Domains() []string { return slices.Sorted(maps.Keys(t.domains)) }

// Report is that for a domain.
func (t *TLSTally) Report(domain string, from Sender, begin, end time.Time) TLSReport {
	r := TLSReport{
		Organization: from.Host, Range: DateRange{begin.UTC(), end.UTC()}, Contact: from.Contact,
		ID: identity(from.Host, "tls\t"+domain, begin),
	}
	byWords := func(a, b Session) int { return slices.Compare(a.Words(), b.Words()) }
	for _, s := range slices.SortedFunc(maps.Keys(t.domains[domain]), byWords) {
		n := t.domains[domain][s]
		if k := len(r.Policies); k == 0 || r.Policies[k-1].Policy.Type != s.Kind {
			var p TLSPolicy
			p.Policy.Type, p.Policy.Domain = s.Kind, domain
			r.Policies = append(r.Policies, p)
		}
		p := &r.Policies[len(r.Policies)-1]
		if s.Result == "" {
			p.Summary.Good += n
			continue
		}
		p.Summary.Failed += n
		p.Failures = append(p.Failures, TLSFailure{s.Result, s.Host, s.IP, n, s.Reason})
	}
	return r
}

// Letter is the report as it is mailed: RFC 8460, section 5.3. What it tells of may keep it from arriving, so it asks
// that TLS be no condition (RFC 8689).
func (r *TLSReport) Letter(domain string) (Letter, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return Letter{}, err
	}
	return Letter{
		Subject: "Report Domain: " + domain + " Submitter: " + r.Organization + " Report-ID: <" + r.ID + "@" +
			r.Organization + ">",
		Fields: "TLS-Report-Domain: " + domain + "\nTLS-Report-Submitter: " + r.Organization + "\nTLS-Required: No\n",
		Kind:   "multipart/report; report-type=\"tlsrpt\"", Type: "application/tlsrpt+gzip", ID: r.ID, Report: b,
		Text: "This is a report of " + r.Organization + " on TLS to hosts of " + domain + ", on " +
			r.Range.Start.Format("2 January 2006") + " (UTC).\n",
		File: r.Organization + "!" + domain + "!" + decimal(r.Range.Start.Unix()) + "!" + decimal(r.Range.End.Unix()) +
			"!" + r.ID + ".json.gz",
	}, nil
}

// TLSWanted returns the addresses that the DNS has for reports on a domain: RFC 8460, section 3. An error means that it
// does not say now.
func TLSWanted(l interface {
	TXT(string) ([]string, error)
}, domain string) (list []string, err error) {
	texts, err := l.TXT("_smtp._tls." + domain)
	if errors.Is(err, dns.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	const version = "v=TLSRPTv1;"
	texts = slices.DeleteFunc(texts, func(t string) bool { return !strings.HasPrefix(t, version) })
	if len(texts) != 1 {
		return nil, nil
	}
	for _, tag := range strings.Split(texts[0][len(version):], ";") {
		name, value, ok := strings.Cut(strings.Trim(tag, blanks), "=")
		if !ok || name != "rua" {
			continue
		}
		for _, u := range strings.Split(value, ",") {
			const scheme = "mailto:"
			u = strings.Trim(u, blanks)
			if len(u) > len(scheme) && ascii.Equal(u[:len(scheme)], scheme) && IsAddress(u[len(scheme):]) {
				list = append(list, u[len(scheme):])
			}
		}
	}
	const most = 10
	return list[:min(len(list), most)], nil
}

// readTLS returns what a report of RFC 8460 says, for people.
func readTLS(b []byte) (string, error) {
	var r TLSReport
	if err := json.Unmarshal(b, &r); err != nil {
		return "", err
	}
	if r.ID == "" && len(r.Policies) == 0 {
		return "", ErrNoReport
	}
	var text strings.Builder
	text.WriteString("tls by " + clean(r.Organization) + " from " + day(r.Range.Start.Unix()) + " to " +
		day(r.Range.End.Unix()) + "\n")
	for _, p := range r.Policies[:min(len(r.Policies), maxRows)] {
		text.WriteString(clean(p.Policy.Type) + " " + clean(p.Policy.Domain) + " good=" + decimal(p.Summary.Good) +
			" failed=" + decimal(p.Summary.Failed) + "\n")
		for _, f := range p.Failures[:min(len(p.Failures), maxRows)] {
			text.WriteString(decimal(f.Count) + " " + clean(f.Type) + " host=" + clean(f.Host) + " ip=" + clean(f.IP) +
				" reason=" + clean(f.Reason) + "\n")
		}
	}
	return text.String(), nil
}
