package envelope

import (
	"io"

	"qmail/internal/text/dsn"
)

// AskArgument is the argument by which qmail-queue, and what stands before it by control/filters, is told to read on
// behind the envelope: for each record of package dsn a p, the record and a NUL, and then a NUL. A worker needs no
// telling. Whoever does not know of this reads no farther than the envelope.
const AskArgument = "dsn"

// AppendParameter appends a record.
func AppendParameter(b []byte, r dsn.Record) []byte { return append(r.Append(append(b, 'p')), 0) }

// Parameter returns the next record behind the envelope, once Next has returned io.EOF; io.EOF after the last, or where
// nothing follows. First comes what is asked for about the message, if that is anything, and then, by number, what is
// about a recipient. All else is ErrFormat, and so is too much of it.
func (e *Reader) Parameter() (r dsn.Record, err error) {
	letter, err := e.r.ReadByte()
	switch {
	case err == io.EOF && e.size == 0, err == nil && letter == 0:
		return r, io.EOF
	case err != nil:
		return r, unexpected(err)
	case letter != 'p':
		return r, ErrFormat
	}
	b, err := e.record(letter, dsn.MaxRecord)
	if err == ErrTooLong {
		err = ErrFormat
	}
	if err != nil {
		return r, err
	}
	r, ok := dsn.ParseRecord(string(b[1 : len(b)-1]))
	about := r.N < 0 && r.To == "" && r.Recipient == dsn.Recipient{}
	if !ok || e.size+len(b) > dsn.MaxRecords || about && e.size > 0 || !about && (r.N < e.least || r.N >= e.count) {
		return r, ErrFormat
	}
	e.size += len(b)
	e.least = r.N + 1
	return r, nil
}
