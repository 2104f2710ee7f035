package bounce

import (
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"qmail/internal/text/ascii"
)

// writeReport writes a multipart/report: what a person reads, what a program reads, and the message or its header.
func (b Bounce) writeReport(w io.Writer, date time.Time, paragraphs io.ReadSeeker, m Message) error {
	charset, err := charsetOf(paragraphs, m)
	if err != nil {
		return err
	}
	kind, err := kindOf(paragraphs, m)
	if err != nil {
		return err
	}
	boundary := newBoundary()
	h := b.appendHeader(make([]byte, 0, 2048), date, kind)
	h = append(h, "Message-ID: <"...)
	h = append(append(append(h, newBoundary()...), '@'), b.names.Host...)
	h = append(h, ">\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\""...)
	h = append(append(h, boundary...), "\"\nContent-Transfer-Encoding: 8bit\n\n--"...)
	h = append(append(h, boundary...), "\nContent-Type: text/plain; charset="...)
	h = append(append(h, charset...), "\nContent-Transfer-Encoding: 8bit\n\n"...)
	h = b.appendIntroduction(h, kind)
	if _, err := w.Write(h); err != nil {
		return err
	}
	err = m.each(paragraphs, func(p paragraph) error {
		_, err := w.Write(p.whole)
		return err
	})
	if err != nil {
		return err
	}
	if err := b.writeStatus(w, boundary, paragraphs, m); err != nil {
		return err
	}
	return b.writeCopy(w, boundary, kind, m)
}

// each calls f for each paragraph that belongs into this report.
func (m Message) each(paragraphs io.Reader, f func(paragraph) error) error {
	return each(paragraphs, func(p paragraph) error {
		if (p.action == Delayed) != m.Delay {
			return nil
		}
		return f(p)
	})
}

// kindOf returns what a report is about.
func kindOf(paragraphs io.ReadSeeker, m Message) (kind, error) {
	failures, others := false, false
	err := m.each(paragraphs, func(p paragraph) error {
		failures = failures || p.action == Failed
		others = others || p.action != Failed
		return nil
	})
	k := failure
	switch {
	case failures && others:
		k = failuresToo
	case m.Delay:
		k = delay
	case others:
		k = success
	}
	return k, errors.Join(err, rewind(paragraphs))
}

// newBoundary returns a word that nobody who wrote any of the contents can know.
func newBoundary() string {
	return "qmail-" + strconv.FormatUint(rand.Uint64(), 36) + "-" + strconv.FormatUint(rand.Uint64(), 36)
}

// charsetOf returns the character set of the first part.
func charsetOf(paragraphs io.ReadSeeker, m Message) (string, error) {
	charset := "us-ascii"
	err := m.each(paragraphs, func(p paragraph) error {
		for i := 0; i < len(p.whole); i++ {
			if p.whole[i] < 0x80 {
				continue
			}
			n := ascii.UTF8(string(p.whole[i:min(i+4, len(p.whole))]))
			if n == 0 {
				charset = "unknown-8bit"
				return nil
			}
			if charset == "us-ascii" {
				charset = "utf-8"
			}
			i += n - 1
		}
		return nil
	})
	return charset, errors.Join(err, rewind(paragraphs))
}

func rewind(r io.Seeker) error {
	_, err := r.Seek(0, io.SeekStart)
	return err
}

// maxHeader is how much of a header is copied where no other limit is set.
const maxHeader = 64 << 10

// writeCopy writes the third part: the message, or its header where that is to do, and the end. What does not tell of
// failures has the header only (RFC 3461, section 4.3).
func (b Bounce) writeCopy(w io.Writer, boundary string, k kind, m Message) error {
	limit := b.names.MaxBytes
	headers := limit > 0 && m.Size > limit || k == success || k == delay || m.Asked != nil && m.Asked.Ret == "HDRS"
	form := "message/rfc822"
	if headers {
		form = "text/rfc822-headers"
	}
	if limit == 0 {
		limit = maxHeader
	}
	h := append([]byte("--"), boundary...)
	h = append(append(h, "\nContent-Type: "...), form...)
	h = append(h, "\nContent-Transfer-Encoding: 8bit\n\n"...)
	if _, err := w.Write(b.appendReturnPath(h)); err != nil {
		return err
	}
	var err error
	if headers {
		err = copyHeader(w, m.Text, limit)
	} else {
		_, err = io.Copy(w, m.Text)
	}
	if err == nil {
		_, err = io.WriteString(w, "\n--"+boundary+"--\n")
	}
	return err
}

// copyHeader copies the header of a message, whole lines of it, at most so many bytes.
func copyHeader(w io.Writer, r io.Reader, limit int64) error {
	return eachLine(r, func(line []byte, begins bool) (bool, error) {
		if limit -= int64(len(line)); limit < 0 || begins && line[0] == '\n' {
			return false, nil
		}
		_, err := w.Write(line)
		return true, err
	})
}
