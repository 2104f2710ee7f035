package reporting

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/ascii"
)

const (
	// maxMessage and maxUnpacked are the most bytes that are read of a report as it comes and as it is unpacked.
	maxMessage, maxUnpacked = 32 << 20, 64 << 20
	// maxParts and maxDepth bound what a message is made of.
	maxParts, maxDepth = 50, 5
)

const blanks = " \t\r\n"

// ErrNoReport says that there is none in what was read.
var ErrNoReport = errors.New("no report is in it")

// Read returns what a report says, as lines for people: of a message, or of a file as it is attached to one.
func Read(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxMessage {
		return "", ErrTooLarge
	}
	if text, err := readFile(b); err == nil {
		return text, nil
	}
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return "", ErrNoReport
	}
	parts := maxParts
	return readPart(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, &parts, maxDepth)
}

// readPart looks for a report in a part of a message.
func readPart(kind, encoding string, body io.Reader, parts *int, depth int) (string, error) {
	if *parts--; *parts < 0 || depth == 0 {
		return "", ErrNoReport
	}
	media, params, err := mime.ParseMediaType(kind)
	if err == nil && strings.HasPrefix(media, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err != nil {
				return "", ErrNoReport
			}
			text, err := readPart(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, parts, depth-1)
			if err == nil {
				return text, nil
			}
		}
	}
	if ascii.Equal(encoding, "base64") {
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxMessage))
	if err != nil {
		return "", ErrNoReport
	}
	return readFile(b)
}

// readFile reads a report that may be compressed.
func readFile(b []byte) (string, error) {
	b, err := unpack(b)
	if err != nil {
		return "", err
	}
	switch b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), blanks); {
	case bytes.HasPrefix(b, []byte("<")):
		f, err := ParseFeedback(b)
		if err != nil {
			return "", err
		}
		return f.text(), nil
	case bytes.HasPrefix(b, []byte("{")):
		return readTLS(b)
	}
	return "", ErrNoReport
}

func unpack(b []byte) ([]byte, error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		r = z
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, err
		}
		if len(z.File) == 0 {
			return nil, ErrNoReport
		}
		f, err := z.File[0].Open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	default:
		return b, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err == nil && len(b) > maxUnpacked {
		err = ErrTooLarge
	}
	return b, err
}

// text is a report for people: who reports on what, then a line for each row.
func (f *Feedback) text() string {
	var b strings.Builder
	b.WriteString("dmarc " + clean(f.Policy.Domain) + " p=" + clean(f.Policy.Domains) + " by " + clean(f.Metadata.Name) +
		" from " + day(f.Metadata.Begin) + " to " + day(f.Metadata.End) + "\n")
	for _, r := range f.Records[:min(len(f.Records), maxRows)] {
		b.WriteString(decimal(r.Count) + " from " + clean(r.IP) + " dkim=" + clean(r.DKIM) + " spf=" + clean(r.SPF) +
			" disposition=" + clean(r.Disposition) + " author=" + clean(r.From))
		for _, s := range r.Signatures[:min(len(r.Signatures), maxParts)] {
			b.WriteString(" signature=" + clean(s.Domain) + ":" + clean(s.Result))
		}
		for _, o := range r.Origin[:min(len(r.Origin), maxParts)] {
			b.WriteString(" sender=" + clean(o.Domain) + ":" + clean(o.Result))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func day(seconds int64) string { return time.Unix(seconds, 0).UTC().Format("2006-01-02T15:04:05Z") }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// clean is a word of a stranger as one word of safe bytes.
func clean(s string) string {
	s = strings.Trim(s, blanks)
	if s == "" {
		return "-"
	}
	b := []byte(s[:min(len(s), 255)])
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}
