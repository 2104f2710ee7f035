package reporting

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"qmail/internal/mailauth/dmarc"
	"qmail/internal/net/dns"
	"qmail/internal/text/ascii"
)

// maxReport is how many bytes of a report are sent, once it is compressed.
const maxReport = 10 << 20

// ErrTooLarge says that a report is larger than hosts take.
var ErrTooLarge = errors.New("the report is too large")

// identity names a report: the same for the same one, so that whoever gets it twice can tell.
func identity(host, of string, begin time.Time) string {
	h := sha256.Sum256([]byte(host + "\x00" + of + "\x00" + begin.UTC().Format(time.RFC3339)))
	return hex.EncodeToString(h[:12])
}

// A Letter is a report as it is mailed.
type Letter struct {
	Subject string
	Fields  string // of the header, besides the usual ones, each with its end of line
	Kind    string // the type of the whole, with parameters
	Text    string // for people
	Type    string // of the report, once it is compressed
	File    string // its name
	Report  []byte
	ID      string
}

// Bytes is the letter to one address, in lines that end in LF.
func (l Letter) Bytes(from Sender, to string, now time.Time) ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(l.Report)
	if err := z.Close(); err != nil {
		return nil, err
	}
	if packed.Len() > maxReport {
		return nil, ErrTooLarge
	}
	boundary := "report-" + l.ID
	var b bytes.Buffer
	b.WriteString("From: " + from.Contact + "\nTo: " + to + "\nSubject: " + l.Subject +
		"\nDate: " + now.UTC().Format("2 Jan 2006 15:04:05 -0000") +
		"\nMessage-ID: <" + l.ID + "." + fingerprint(to) + "@" + from.Host + ">\nAuto-Submitted: auto-generated\n" +
		l.Fields +
		"MIME-Version: 1.0\nContent-Type: " + l.Kind + "; boundary=\"" + boundary + "\"\n\n" +
		"--" + boundary + "\nContent-Type: text/plain; charset=us-ascii\n\n" + l.Text +
		"\n--" + boundary + "\nContent-Type: " + l.Type + "; name=\"" + l.File + "\"\n" +
		"Content-Disposition: attachment; filename=\"" + l.File + "\"\nContent-Transfer-Encoding: base64\n\n")
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	const width = 76
	for len(text) > 0 {
		n := min(width, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString("--" + boundary + "--\n")
	return b.Bytes(), nil
}

func fingerprint(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:4])
}

// Letter is a DMARC report as it is mailed: RFC 9990, section 3.3.
func (r *DomainReport) Letter() (Letter, error) {
	b, err := r.XML()
	if err != nil {
		return Letter{}, err
	}
	m, domain := r.Metadata, r.Policy.Domain
	return Letter{
		Subject: "Report Domain: " + domain + " Submitter: " + m.Name + " Report-ID: " + m.ID,
		Kind:    "multipart/mixed", Type: "application/gzip", ID: m.ID, Report: b,
		Text: "This is a DMARC report of " + m.Name + " on mail with " + domain + " in From, on " +
			time.Unix(m.Begin, 0).UTC().Format("2 January 2006") + " (UTC).\n",
		File: m.Name + "!" + domain + "!" + decimal(m.Begin) + "!" + decimal(m.End) + "!" + m.ID + ".xml.gz",
	}, nil
}

// Willing returns the addresses that a report may go to. One in another organization must say so in the DNS: without
// that anybody could have reports sent to anybody (RFC 9990, section 4). An error means that the DNS does not say now.
func (r *DomainReport) Willing(l dmarc.Lookup) (list []string, err error) {
	domain := r.Policy.Domain
	home, err := dmarc.Organization(l, domain)
	if err != nil {
		return nil, err
	}
	for _, a := range r.To {
		if !IsAddress(a) {
			continue
		}
		host := ascii.LowerString(hostOf(a))
		theirs, err := dmarc.Organization(l, host)
		if err != nil {
			return nil, err
		}
		if theirs == home {
			list = append(list, a)
			continue
		}
		texts, err := l.TXT(domain + "._report._dmarc." + host)
		if err != nil && !errors.Is(err, dns.ErrNotFound) {
			return nil, err
		}
		for _, t := range texts {
			// It may name another address, at the same host.
			rec, ok := dmarc.Parse(t)
			if !ok {
				continue
			}
			if len(rec.Reports) > 0 && IsAddress(rec.Reports[0]) && ascii.Equal(hostOf(rec.Reports[0]), host) {
				a = rec.Reports[0]
			}
			list = append(list, a)
			break
		}
	}
	return list, nil
}

func hostOf(a string) string { return a[strings.LastIndexByte(a, '@')+1:] }

// IsAddress reports whether an address can be in a header as it is, without quotes.
func IsAddress(a string) bool {
	at := strings.IndexByte(a, '@')
	if at < 1 || !isDomain(a[at+1:]) || len(a) > 254 {
		return false
	}
	for _, c := range []byte(a[:at]) {
		if !safe(c) && c != '+' && c != '=' {
			return false
		}
	}
	return true
}

// isDomain reports whether a name can be in a header, in a file's name and in the DNS.
func isDomain(s string) bool {
	for _, c := range []byte(s) {
		if !safe(c) {
			return false
		}
	}
	return s != "" && len(s) <= 253
}

func safe(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}
