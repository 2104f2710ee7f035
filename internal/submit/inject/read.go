package inject

import (
	"bufio"
	"bytes"
	"io"

	"qmail/internal/text/rfc822"
)

// readHeader reads the header and returns the first line that is not of it: empty at the end of the input, "\n" for a
// proper end of the header.
func (in *injection) readHeader() (first []byte, err error) {
	var field []byte
	for {
		if err := in.readLine(); err != nil {
			return nil, err
		}
		line := in.line
		if len(field) > 0 && len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			if len(field)+len(line) > maxHeader {
				return nil, errLongHeader
			}
			field = append(field, line...)
			continue
		}
		if len(field) > 0 {
			if err := in.header.add(field); err != nil {
				return nil, err
			}
			field = field[:0]
		}
		_, _, ok := rfc822.FieldName(line)
		switch {
		case ok:
		case bytes.HasPrefix(line, mboxFrom):
			field = append(field, "MBOX-Line: "...)
		default:
			return line, nil
		}
		field = append(field, line...)
	}
}

var mboxFrom = []byte("From ")

// readLine reads one line into in.line. A last line without newline gets one; at the end of the input the line is
// empty.
func (in *injection) readLine() error {
	in.line = in.line[:0]
	for {
		part, err := in.in.ReadSlice('\n')
		if len(in.line)+len(part) > maxHeader {
			return errLongHeader
		}
		in.line = append(in.line, part...)
		switch err {
		case nil:
			return nil
		case bufio.ErrBufferFull:
		case io.EOF:
			if len(in.line) > 0 {
				in.line = append(in.line, '\n')
			}
			return nil
		default:
			return errRead
		}
	}
}

// write writes the whole message to w, first being the line that ended the header. It does not look at w's errors,
// which a submit.Message and a bufio.Writer keep for later.
func (in *injection) write(w io.Writer, first []byte) error {
	generated, err := in.header.generate(in)
	if err != nil {
		return err
	}
	w.Write(generated)
	for _, b := range in.header.kept.blocks {
		w.Write(b)
	}
	in.header.kept = held{}
	if len(first) == 0 {
		return nil
	}
	if first[0] != '\n' {
		w.Write(newline)
	}
	w.Write(first)
	return in.copyBody(w)
}

var newline = []byte{'\n'}

// copyBody copies the rest of the input and ends its last line.
func (in *injection) copyBody(w io.Writer) error {
	buf := make([]byte, 32<<10)
	last := byte('\n')
	for {
		n, err := in.in.Read(buf)
		if n > 0 {
			w.Write(buf[:n])
			last = buf[n-1]
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return errRead
		}
	}
	if last != '\n' {
		w.Write(newline)
	}
	return nil
}
