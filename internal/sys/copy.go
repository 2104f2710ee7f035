package sys

import (
	"io"
	"os"
)

// copySize is how much a Copier holds at once.
const copySize = 16 << 10

// A Copier has the memory for copies that are made after one another, and keeps nothing else of them. The zero
// value is ready.
type Copier struct{ buf []byte }

// After writes head and then what r holds, to its end, to w. What it holds meanwhile is no more than a small source
// needs. An error is that of reading or that of writing.
func (c *Copier) After(w io.Writer, head []byte, r io.Reader) (reading, writing error) {
	size := max(len(head)+1, min(len(head)+small(r)+1, copySize))
	if len(c.buf) < size {
		c.buf = make([]byte, size)
	}
	buf := c.buf[:size]
	defer clear(buf)
	n := copy(buf, head)
	for {
		m, err := r.Read(buf[n:])
		n += m
		if (n == len(buf) || err != nil) && n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return nil, err
			}
			n = 0
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}

// small returns how many bytes a source has, as far as it is known to be small.
func small(r io.Reader) int {
	switch r := r.(type) {
	case interface{ Len() int }:
		return min(r.Len(), copySize)
	case *os.File:
		if fi, err := r.Stat(); err == nil && fi.Mode().IsRegular() {
			return int(min(fi.Size(), copySize))
		}
	}
	return copySize
}
