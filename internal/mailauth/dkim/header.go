package dkim

import (
	"bytes"
	"errors"

	"qmail/internal/text/ascii"
)

var (
	// ErrHeader says that a header has a line that is no field, or a byte that no field has.
	ErrHeader = errors.New("the header is malformed")
	// ErrTooLong says that a header is longer than the limit.
	ErrTooLong = errors.New("the header is too long")
)

// A Field is one of a header.
type Field struct {
	Name string // in lower case
	Raw  []byte // all of it, with the line end
	// colon is where the colon stands.
	colon int
}

// Value is what stands behind the colon.
func (f Field) Value() []byte { return f.Raw[f.colon+1:] }

// A splitter takes a message apart: the header is kept, the body passed on.
type splitter struct {
	limit int
	// begun is called when the header is there, and returns who wants the body; nil: nobody.
	begun func() []*body

	buf    []byte
	seen   int // how much of buf has been searched for the end
	fields []Field
	err    error // of the header
	done   bool
	bodies []*body
}

var blankLine = []byte("\r\n\r\n")

func (s *splitter) Write(p []byte) (int, error) {
	n := len(p)
	if !s.done {
		// One byte more than the limit shows that it is too long.
		take := min(len(p), s.limit+len(blankLine)-len(s.buf))
		s.buf, p = append(s.buf, p[:take]...), p[take:]
		rest, found := s.cut()
		switch {
		case found:
			s.end()
			s.pass(rest)
		case len(s.buf) >= s.limit+len(blankLine):
			s.err = ErrTooLong
			s.end()
		default:
			return n, nil
		}
	}
	s.pass(p)
	return n, nil
}

// cut looks for the end of the header. Buf is the header then, with the line end of its last field.
func (s *splitter) cut() (rest []byte, found bool) {
	if len(s.buf) >= 2 && bytes.HasPrefix(s.buf, lineEnd) {
		rest, s.buf = s.buf[2:], nil
		return rest, true
	}
	from := max(0, s.seen-len(blankLine))
	if i := bytes.Index(s.buf[from:], blankLine); i >= 0 {
		end := from + i + 2
		rest, s.buf = s.buf[end+2:], s.buf[:end]
		return rest, true
	}
	s.seen = len(s.buf)
	return nil, false
}

func (s *splitter) pass(p []byte) {
	if len(p) > 0 {
		for _, b := range s.bodies {
			b.Write(p)
		}
	}
}

// end ends the header.
func (s *splitter) end() {
	s.done = true
	if s.err == nil {
		s.fields, s.err = cutFields(s.buf)
	}
	if s.err == nil && s.begun != nil {
		s.bodies = s.begun()
	}
}

// Close ends the message.
func (s *splitter) Close() {
	if !s.done {
		s.end()
	}
	for _, b := range s.bodies {
		b.Close()
	}
}

// cutFields cuts a header into its fields.
func cutFields(b []byte) ([]Field, error) {
	var list []Field
	for len(b) > 0 {
		end := 0
		for {
			i := bytes.Index(b[end:], lineEnd)
			if i < 0 {
				end = len(b) // the last one, which nothing follows
				break
			}
			if end += i + 2; end == len(b) || !blank(b[end]) {
				break
			}
		}
		raw := b[:end:end]
		b = b[end:]
		colon := bytes.IndexByte(raw, ':')
		if colon < 0 || !isPlain(raw) {
			return nil, ErrHeader
		}
		name := string(bytes.TrimRight(raw[:colon], " \t"))
		if !isFieldName(name) {
			return nil, ErrHeader
		}
		list = append(list, Field{Name: ascii.LowerString(name), Raw: raw, colon: colon})
	}
	return list, nil
}

// isPlain reports whether CR and LF stand in pairs only, and there is no NUL.
func isPlain(raw []byte) bool {
	if bytes.IndexByte(raw, 0) >= 0 {
		return false
	}
	pairs := bytes.Count(raw, lineEnd)
	return bytes.Count(raw, []byte("\r")) == pairs && bytes.Count(raw, []byte("\n")) == pairs
}

// index has the fields of each name, by their places.
type index map[string][]int

func newIndex(fields []Field) index {
	x := make(index)
	for i, f := range fields {
		x[f.Name] = append(x[f.Name], i)
	}
	return x
}

// pick returns the fields that the names of a signature mean: each name the lowest one that it has not meant before,
// and nothing where there is none left. Most is the most bytes.
func (x index) pick(fields []Field, names []string) []Field {
	taken := make(map[string]int)
	var list []Field
	for _, name := range names {
		places := x[name]
		if n := taken[name]; n < len(places) {
			taken[name] = n + 1
			list = append(list, fields[places[len(places)-1-n]])
		}
	}
	return list
}
