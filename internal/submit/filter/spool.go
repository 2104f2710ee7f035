// Package filter is what the programs have in common that stand in the place of qmail-queue and hand messages on: a
// message is taken whole, looked at, and refused, given up, or passed to the next one.
package filter

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// inMemory is how much of a message is kept in memory; more goes to a file without a name.
const inMemory = 512 << 10

// ErrSpool says that a message cannot be kept.
var ErrSpool = errors.New("unable to keep the message")

// A Spool keeps a message until it has been looked at.
type Spool struct {
	head []byte
	rest *os.File // what follows head; nil: nothing
	size int64    // of rest
}

// ReadFrom takes a message to its end.
func (s *Spool) ReadFrom(r io.Reader) (n int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		k, err := r.Read(buf)
		n += int64(k)
		if werr := s.add(buf[:k]); werr != nil {
			return n, errors.Join(ErrSpool, werr)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Write adds to it.
func (s *Spool) Write(p []byte) (int, error) {
	if err := s.add(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Size returns how long the message is.
func (s *Spool) Size() int64 { return int64(len(s.head)) + s.size }

func (s *Spool) add(p []byte) error {
	if s.rest == nil && len(s.head)+len(p) <= inMemory {
		s.head = append(s.head, p...)
		return nil
	}
	if s.rest == nil {
		f, err := os.CreateTemp("", "qmail-filter.")
		if err != nil {
			return err
		}
		s.rest = f
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	k, err := s.rest.Write(p)
	s.size += int64(k)
	return err
}

// Head returns the beginning of the message.
func (s *Spool) Head() []byte { return s.head }

// Reader reads the message from a place in its head on.
func (s *Spool) Reader(from int) io.Reader {
	head := bytes.NewReader(s.head[min(from, len(s.head)):])
	if s.rest == nil {
		return head
	}
	return io.MultiReader(head, io.NewSectionReader(s.rest, 0, s.size))
}

// Close forgets the message.
func (s *Spool) Close() {
	if s.rest != nil {
		s.rest.Close()
	}
	*s = Spool{}
}
