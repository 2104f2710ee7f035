package remote

import (
	"bytes"
	"errors"
	"io"
	"os"

	"qmail/internal/text/crlf"
)

// pieceSize is how much of a message is read at once.
const pieceSize = 32 << 10

// A letter is the message of one delivery. It streams: of a long one only the first piece is held.
type letter struct {
	r     io.Reader
	head  []byte // the first piece
	whole bool   // head is all

	surveyed bool
	size     int64 // on the wire, doubled dots and the final dot aside (RFC 1870); -1 if unknown
	eight    bool  // there are bytes over 127

	sent  bool  // what follows the first piece has been read
	start int64 // where that begins, if it can be read again
}

// openLetter reads the first piece. What goes on top of the message is a part of it.
func openLetter(top string, r io.Reader) (*letter, error) {
	l := &letter{r: r, size: -1, head: make([]byte, len(top)+int(firstPiece(r)))}
	copy(l.head, top)
	n, err := io.ReadFull(r, l.head[len(top):])
	l.head = l.head[:len(top)+n]
	if err == nil {
		return l, nil
	}
	l.whole = true
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return l, nil
	}
	return nil, err
}

// firstPiece is one byte more than a short file holds, so that its end is seen with the first read.
func firstPiece(r io.Reader) int64 {
	if f, ok := r.(*os.File); ok {
		if fi, err := f.Stat(); err == nil && fi.Mode().IsRegular() {
			return min(fi.Size()+1, pieceSize)
		}
	}
	return pieceSize
}

// survey finds out size and eight; of a long message only if it can be read twice.
func (l *letter) survey() error {
	if l.surveyed {
		return nil
	}
	l.surveyed = true
	s, canSeek := l.r.(io.Seeker)
	at := int64(0)
	if !l.whole {
		if !canSeek {
			return nil
		}
		var err error
		if at, err = s.Seek(0, io.SeekCurrent); err != nil {
			return nil // a pipe
		}
	}
	l.size = 0
	last := l.count(l.head, 0)
	if l.whole {
		return nil
	}
	buf := make([]byte, pieceSize)
	for {
		n, err := l.r.Read(buf)
		last = l.count(buf[:n], last)
		if err == io.EOF {
			break
		}
		if err != nil {
			return errRead
		}
	}
	if _, err := s.Seek(at, io.SeekStart); err != nil {
		return errRead
	}
	return nil
}

// count adds a piece to the size; last is the byte before it. It returns the piece's last byte.
func (l *letter) count(b []byte, last byte) byte {
	if len(b) == 0 {
		return last
	}
	// Every line end takes two bytes on the wire, however many it takes here.
	lf, cr, both := bytes.Count(b, []byte("\n")), bytes.Count(b, []byte("\r")), bytes.Count(b, []byte("\r\n"))
	l.size += int64(len(b) + lf + cr - 2*both)
	if last == '\r' && b[0] == '\n' {
		l.size -= 2
	}
	for i := 0; i < len(b) && !l.eight; i++ {
		l.eight = b[i] > 127
	}
	return b[len(b)-1]
}

// send writes the message and the final dot. errRead means that the message could not be read, and
// crlf.ErrPartialLine that it cannot be sent.
func (l *letter) send(w io.Writer) error {
	e := crlf.NewEncoder(w)
	if _, err := e.Write(l.head); err != nil {
		return err
	}
	if !l.whole {
		if err := l.rewind(); err != nil {
			return err
		}
		buf := make([]byte, pieceSize)
		for {
			n, rerr := l.r.Read(buf)
			if _, err := e.Write(buf[:n]); err != nil {
				return err
			}
			if rerr == io.EOF {
				break
			}
			if rerr != nil {
				return errRead
			}
		}
	}
	return e.Close()
}

// rewind goes to what follows the first piece. A long message from a pipe can be sent only once.
func (l *letter) rewind() error {
	s, ok := l.r.(io.Seeker)
	if !l.sent {
		l.sent, l.start = true, -1
		if ok {
			if at, err := s.Seek(0, io.SeekCurrent); err == nil {
				l.start = at
			}
		}
		return nil
	}
	if !ok || l.start < 0 {
		return errRead
	}
	if _, err := s.Seek(l.start, io.SeekStart); err != nil {
		return errRead
	}
	return nil
}
