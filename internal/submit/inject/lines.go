package inject

import (
	"bufio"
	"bytes"
	"io"
)

// linesOf returns a reader of the same message, in which CRLF has become LF if its first line ends so. A CR elsewhere
// stays. The first line is the one of a header: it has an end within the buffer of r.
func linesOf(r *bufio.Reader) (*bufio.Reader, error) {
	for n := 1; n <= r.Size(); n = r.Buffered() + 1 {
		_, err := r.Peek(n)
		b, _ := r.Peek(r.Buffered())
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			if i > 0 && b[i-1] == '\r' {
				return bufio.NewReaderSize(&lines{in: r}, r.Size()), nil
			}
			break
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errRead
		}
	}
	return r, nil
}

// lines reads lines that end in CRLF as lines that end in LF.
type lines struct {
	in   *bufio.Reader
	part []byte // not yet read, of in's buffer
	err  error
}

func (l *lines) Read(b []byte) (n int, err error) {
	for len(l.part) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		l.part, l.err = l.in.ReadSlice('\n')
		switch last := len(l.part) - 1; {
		case l.err == bufio.ErrBufferFull:
			l.err = nil
			if l.part[last] == '\r' { // the next byte tells
				l.in.UnreadByte()
				l.part = l.part[:last]
			}
		case l.err == nil && last > 0 && l.part[last-1] == '\r':
			l.part = l.part[:last]
			l.part[last-1] = '\n'
		}
	}
	n = copy(b, l.part)
	l.part = l.part[n:]
	return n, nil
}
