package sys

import (
	"io"
	"os"
)

// copySize is how much CopyAfter holds at once.
const copySize = 16 << 10

// CopyAfter writes head and then what r holds, to its end, to w. What it holds meanwhile is no more than a small source needs. An
// error is that of reading or that of writing.
func CopyAfter[S string | []byte](w io.Writer, head S, r io.Reader) (reading, writing error) {
	buf := make([]byte, max(len(head)+1, min(len(head)+small(r)+1, copySize)))
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
