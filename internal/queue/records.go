package queue

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"time"

	"qmail/internal/text/dsn"
)

// MaxRecord bounds one record of a queue file, its letter counted. It exceeds what qmail-queue accepts by far, since a
// recipient grows when it is rewritten.
const MaxRecord = 1 << 16

// ErrDamaged says that a queue file is not as any qmail writes it: it is left for its owner to look at.
var ErrDamaged = errors.New("damaged")

// records reads the records of a queue file: a letter, bytes, NUL.
type records struct {
	r   *bufio.Reader
	buf []byte
	pos int64 // of the next record
}

// bufSize suits the usual message of few recipients; many of these readers may be open at once.
const bufSize = 2048

func newRecords(r io.Reader, pos int64) *records {
	return &records{r: bufio.NewReaderSize(r, bufSize), pos: pos}
}

// next returns a record without its NUL, valid until the next call. io.EOF comes only at the end of a record.
func (r *records) next() (rec []byte, pos int64, err error) {
	r.buf = r.buf[:0]
	for {
		part, err := r.r.ReadSlice(0)
		if len(r.buf)+len(part) > MaxRecord {
			return nil, r.pos, ErrDamaged
		}
		r.buf = append(r.buf, part...)
		switch {
		case err == nil:
			pos = r.pos
			r.pos += int64(len(r.buf))
			if len(r.buf) < 2 {
				return nil, pos, ErrDamaged
			}
			return r.buf[:len(r.buf)-1], pos, nil
		case err == bufio.ErrBufferFull:
		case err != io.EOF:
			return nil, r.pos, err
		case len(r.buf) == 0:
			return nil, r.pos, io.EOF
		default:
			return nil, r.pos, ErrDamaged
		}
	}
}

// A Recipient is one record of a local or remote file.
type Recipient struct {
	Pos  int64  // where its letter is, for Mark
	Done bool   // its letter is D: nothing is left to do
	Addr []byte // valid until the next call of Next
}

// Recipients reads a local or remote file.
type Recipients struct {
	f File
	r *records
}

// Recipients opens the recipients of a message on one channel, at position from: 0, or the Pos of a Recipient.
func (q *Queue) Recipients(c Channel, id ID, from int64) (*Recipients, error) {
	f, err := q.fs.Open(c.File(id))
	if err != nil {
		return nil, err
	}
	if from != 0 {
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &Recipients{f, newRecords(f, from)}, nil
}

// Next returns the next recipient, io.EOF after the last, ErrDamaged where the file is none of ours.
func (r *Recipients) Next() (Recipient, error) {
	rec, pos, err := r.r.next()
	if err != nil {
		return Recipient{}, err
	}
	if rec[0] != 'T' && rec[0] != 'D' {
		return Recipient{}, ErrDamaged
	}
	return Recipient{Pos: pos, Done: rec[0] == 'D', Addr: rec[1:]}, nil
}

// Close closes the file.
func (r *Recipients) Close() error { return r.f.Close() }

// Mark turns the letters of the recipients at these positions into D. It is not synced: after a crash the
// recipients are tried again. After a failure the caller has made the bounce durable first. An error means that
// some may not be D.
func (q *Queue) Mark(c Channel, id ID, at ...int64) error {
	f, err := q.fs.Update(c.File(id))
	if err != nil {
		return err
	}
	for _, pos := range at {
		if _, e := f.WriteAt([]byte{'D'}, pos); err == nil {
			err = e
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// A Message is what the info file says.
type Message struct {
	Sender string
	Birth  time.Time
	Asked  *dsn.Set // by its sender; nil: nothing
}

// ReadInfo reads the info file of a message.
func (q *Queue) ReadInfo(id ID) (Message, error) {
	f, err := q.fs.Open(Info(id))
	if err != nil {
		return Message{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Message{}, err
	}
	r := newRecords(f, 0)
	rec, _, err := r.next()
	if err == io.EOF || err == nil && rec[0] != 'F' {
		err = ErrDamaged
	}
	if err != nil {
		return Message{}, err
	}
	m := Message{Sender: string(rec[1:]), Birth: fi.ModTime()}
	for { // what follows asks for reports; where it makes no sense the mail itself goes on
		if rec, _, err = r.next(); err == io.EOF || err == ErrDamaged {
			return m, nil
		}
		if err != nil {
			return Message{}, err
		}
		if p, ok := dsn.ParseRecord(string(rec[1:])); ok && rec[0] == 'p' {
			m.Asked = m.Asked.Add(p)
		}
	}
}

// Size returns the bytes of a message.
func (q *Queue) Size(id ID) (int64, error) {
	fi, err := q.fs.Lstat(Mess(id))
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// OpenMess opens the message for reading.
func (q *Queue) OpenMess(id ID) (File, error) { return q.fs.Open(Mess(id)) }

// OpenBounce opens the text of the failures so far; fs.ErrNotExist when there was none.
func (q *Queue) OpenBounce(id ID) (File, error) { return q.fs.Open(Bounce(id)) }

// A TodoReader reads a todo file: who queued the message and its envelope.
type TodoReader struct {
	UID, PID uint64    // of the caller, of qmail-queue
	Sender   string    // envelope sender
	Queued   time.Time // when qmail-queue wrote it
	f        File
	r        *records
	asked    []byte // the record behind the last recipient
}

// OpenTodo opens the todo file of a message and reads it as far as the sender.
func (q *Queue) OpenTodo(id ID) (*TodoReader, error) {
	f, err := q.fs.Open(Todo(id))
	if err != nil {
		return nil, err
	}
	t := &TodoReader{f: f, r: newRecords(f, 0)}
	if err = t.begin(); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *TodoReader) begin() error {
	fi, err := t.f.Stat()
	if err != nil {
		return err
	}
	t.Queued = fi.ModTime()
	for {
		rec, _, err := t.r.next()
		if err == io.EOF {
			return ErrDamaged
		}
		if err != nil {
			return err
		}
		switch rec[0] {
		case 'u':
			t.UID, err = number(rec[1:])
		case 'p':
			t.PID, err = number(rec[1:])
		case 'F':
			t.Sender = string(rec[1:])
			return nil
		default:
			return ErrDamaged
		}
		if err != nil {
			return ErrDamaged
		}
	}
}

// number reads the number of a record. What stands behind a semicolon is for whoever knows it: a C qmail reads no
// farther either.
func number(b []byte) (uint64, error) {
	b, _, _ = bytes.Cut(b, []byte{';'})
	return strconv.ParseUint(string(b), 10, 64)
}

// Next returns the next recipient as it was given to qmail-queue, valid until the next call;
// io.EOF after the last.
func (t *TodoReader) Next() ([]byte, error) {
	if t.asked != nil {
		return nil, io.EOF
	}
	rec, _, err := t.r.next()
	if err != nil {
		return nil, err
	}
	switch rec[0] {
	case 'T':
		return rec[1:], nil
	case 'p':
		t.asked = rec
		return nil, io.EOF
	}
	return nil, ErrDamaged
}

// Asks reports, once Next has returned io.EOF, whether reports are asked for.
func (t *TodoReader) Asks() bool { return t.asked != nil }

// Parameter returns the next record of what is asked for, once Next has returned io.EOF; io.EOF after the last. One
// that makes no sense is left out.
func (t *TodoReader) Parameter() (dsn.Record, error) {
	for {
		rec := t.asked
		if rec == nil {
			return dsn.Record{}, io.EOF
		}
		p, ok := dsn.ParseRecord(string(rec[1:]))
		var err error
		if t.asked, _, err = t.r.next(); err == nil && t.asked[0] != 'p' {
			err = ErrDamaged
		}
		if err != nil && err != io.EOF {
			return dsn.Record{}, err
		}
		if ok && p.To == "" {
			return p, nil
		}
	}
}

// Close closes the file.
func (t *TodoReader) Close() error { return t.f.Close() }

// isGone reports whether err says that a file does not exist.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
