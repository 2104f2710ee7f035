// Package netstring encodes and decodes netstrings: a decimal length, a colon, that many
// bytes and a comma.
package netstring

import (
	"bufio"
	"errors"
	"io"
	"strconv"
)

var (
	// ErrFormat says that what was read is no netstring.
	ErrFormat = errors.New("netstring: bad format")
	// ErrTooLong says that a netstring is longer than the reader's limit.
	ErrTooLong = errors.New("netstring: too long")
)

// Append appends s to b as a netstring.
func Append(b []byte, s []byte) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	b = append(b, s...)
	return append(b, ',')
}

// AppendString is Append for a string.
func AppendString(b []byte, s string) []byte { return Append(b, []byte(s)) }

// maxDigits is the most digits of a length.
const maxDigits = 20

// ReadLen reads a netstring's length and its colon. Zeros before the length are allowed, as other
// servers have always done. Of a length over limit it reads no more than it needs to know that, and
// returns ErrTooLong. An end of input before the first digit is io.EOF, later io.ErrUnexpectedEOF.
func ReadLen(r io.ByteReader, limit int64) (int64, error) {
	var n int64
	for i := 0; i <= maxDigits; i++ {
		c, err := r.ReadByte()
		if err != nil {
			if i > 0 {
				return 0, unexpected(err)
			}
			return 0, err
		}
		switch {
		case c == ':' && i > 0:
			return n, nil
		case c < '0' || c > '9':
			return 0, ErrFormat
		}
		d := int64(c - '0')
		if d > limit || n > (limit-d)/10 {
			return 0, ErrTooLong
		}
		n = n*10 + d
	}
	return 0, ErrFormat
}

// ReadComma reads the comma that ends a netstring.
func ReadComma(r io.ByteReader) error {
	c, err := r.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if c != ',' {
		return ErrFormat
	}
	return nil
}

// Read reads one whole netstring of at most limit bytes.
func Read(r *bufio.Reader, limit int64) ([]byte, error) {
	n, err := ReadLen(r, limit)
	if err != nil {
		return nil, err
	}
	// Memory grows with the bytes that arrive, not with the length that a stranger claims.
	b := make([]byte, 0, min(n, 4096))
	for int64(len(b)) < n {
		k := len(b)
		b = append(b, make([]byte, min(n-int64(k), max(4096, int64(k))))...)
		if _, err := io.ReadFull(r, b[k:]); err != nil {
			return nil, unexpected(err)
		}
	}
	return b, ReadComma(r)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
