// Package reporting makes the reports that domains want to have of mail in their name (DMARC, RFC 9990) and of TLS to
// their hosts (RFC 8460), and reads those of others.
package reporting

import (
	"bytes"
	"encoding/xml"
	"maps"
	"slices"
	"strings"
	"time"

	"qmail/internal/mailauth/dmarc"
)

const (
	namespace = "urn:ietf:params:xml:ns:dmarc-2.0"
	generator = "qmail-report"
	// maxDomains bounds the reports of a day, and maxRows the rows of one.
	maxDomains, maxRows = 20_000, 10_000
)

// A Feedback is a DMARC report, with the elements in the order of the schema. Reading takes those of RFC 7489 too.
type Feedback struct {
	XMLName  xml.Name `xml:"feedback"`
	Space    string   `xml:"xmlns,attr,omitempty"`
	Version  string   `xml:"version"`
	Metadata Metadata `xml:"report_metadata"`
	Policy   Policy   `xml:"policy_published"`
	Records  []Row    `xml:"record"`
}

// Metadata is who reports, and on which time, in seconds.
type Metadata struct {
	Name      string `xml:"org_name"`
	Email     string `xml:"email"`
	ID        string `xml:"report_id"`
	Begin     int64  `xml:"date_range>begin"`
	End       int64  `xml:"date_range>end"`
	Error     string `xml:"error,omitempty"`
	Generator string `xml:"generator,omitempty"`
}

// A Policy is the record that counted.
type Policy struct {
	Domain     string `xml:"domain"`
	Domains    string `xml:"p"`
	Subdomains string `xml:"sp,omitempty"`
	Missing    string `xml:"np,omitempty"`
	DKIM       string `xml:"adkim,omitempty"`
	SPF        string `xml:"aspf,omitempty"`
	Discovery  string `xml:"discovery_method,omitempty"`
	Testing    string `xml:"testing,omitempty"`
}

// A Row is messages that are alike.
type Row struct {
	IP          string      `xml:"row>source_ip"`
	Count       int64       `xml:"row>count"`
	Disposition string      `xml:"row>policy_evaluated>disposition"`
	DKIM        string      `xml:"row>policy_evaluated>dkim"`
	SPF         string      `xml:"row>policy_evaluated>spf"`
	Reasons     []Reason    `xml:"row>policy_evaluated>reason"`
	Sender      string      `xml:"identifiers>envelope_from,omitempty"`
	From        string      `xml:"identifiers>header_from"`
	Signatures  []Signature `xml:"auth_results>dkim"`
	Origin      []Origin    `xml:"auth_results>spf"`
}

// A Reason says why something else was done than the policy asks for.
type Reason struct {
	Type    string `xml:"type"`
	Comment string `xml:"comment,omitempty"`
}

// A Signature is what DKIM says, and an Origin what SPF says.
type Signature struct {
	Domain   string `xml:"domain"`
	Selector string `xml:"selector,omitempty"`
	Result   string `xml:"result"`
}

// An Origin is what SPF says.
type Origin struct {
	Domain string `xml:"domain"`
	Result string `xml:"result"`
}

// XML is the report as it is sent.
func (f *Feedback) XML() ([]byte, error) {
	b, err := xml.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), b...), '\n'), nil
}

// ParseFeedback reads a report.
func ParseFeedback(b []byte) (f Feedback, err error) {
	err = xml.NewDecoder(bytes.NewReader(b)).Decode(&f)
	return f, err
}

// A Tally counts the messages of a day, by the record that counted and by what is alike.
type Tally struct {
	reports map[string]*tallied
}

type tallied struct {
	first   dmarc.Entry
	rows    map[string]*counted
	dropped int64
}

type counted struct {
	entry dmarc.Entry
	count int64
}

// NewTally returns an empty one.
func NewTally() *Tally { return &Tally{reports: map[string]*tallied{}} }

// Add counts a message, by the words that were noted. What makes no sense does not count.
func (t *Tally) Add(words []string) {
	e, ok := dmarc.ParseEntry(words)
	if !ok || !isDomain(e.At) || len(e.Published.Reports) == 0 {
		return
	}
	const published = 3 // what stands behind: a report is of one record
	key := e.At + "\t" + strings.Join(words[published:published+3], "\t")
	r := t.reports[key]
	if r == nil {
		if len(t.reports) >= maxDomains {
			return
		}
		r = &tallied{first: e, rows: map[string]*counted{}}
		t.reports[key] = r
	}
	row := strings.Join(words, "\t")
	c := r.rows[row]
	switch {
	case c != nil:
		c.count++
	case len(r.rows) >= maxRows:
		r.dropped++
	default:
		r.rows[row] = &counted{e, 1}
	}
}

// Sender says in whose name reports are made.
type Sender struct {
	Host    string // ours: control/me
	Contact string // an address
}

// Reports returns a report for each record, in the order of their names, with the addresses that it names.
func (t *Tally) Reports(from Sender, begin, end time.Time) (list []DomainReport) {
	for _, k := range slices.Sorted(maps.Keys(t.reports)) {
		r := t.reports[k]
		p := r.first.Published
		f := Feedback{
			Space: namespace, Version: "1.0",
			Metadata: Metadata{Name: from.Host, Email: from.Contact, ID: identity(from.Host, k, begin), Begin: begin.Unix(),
				End: end.Unix(), Generator: generator},
			Policy: Policy{Domain: r.first.At, Domains: string(p.Policy), Subdomains: string(p.Subdomains),
				Missing: string(p.Missing), DKIM: strictness(p.StrictDKIM), SPF: strictness(p.StrictSPF),
				Discovery: "treewalk", Testing: yes(p.Testing)},
		}
		if r.dropped > 0 {
			f.Metadata.Error = "the report was too long: some messages are not in it"
		}
		for _, k := range slices.Sorted(maps.Keys(r.rows)) {
			f.Records = append(f.Records, r.rows[k].row())
		}
		list = append(list, DomainReport{f, p.Reports})
	}
	return list
}

// A DomainReport is a report, and the addresses that want it.
type DomainReport struct {
	Feedback
	To []string
}

func (c *counted) row() Row {
	e := c.entry
	r := Row{IP: e.IP.String(), Count: c.count, Disposition: e.Disposition, DKIM: passed(e.DKIM), SPF: passed(e.SPF),
		Sender: e.Sender, From: e.From}
	if e.Origin != "" {
		r.Origin = []Origin{{e.Origin, e.OriginState}}
	}
	for _, s := range e.Signatures {
		r.Signatures = append(r.Signatures, Signature{s.Domain, s.Selector, s.State})
	}
	if e.Trusted && e.Disposition == "none" {
		r.Reasons = []Reason{{Type: "trusted_forwarder"}}
	}
	return r
}

func passed(ok bool) string {
	if ok {
		return "pass"
	}
	return "fail"
}

func strictness(strict bool) string {
	if strict {
		return "s"
	}
	return "r"
}

func yes(on bool) string {
	if on {
		return "y"
	}
	return "n"
}
