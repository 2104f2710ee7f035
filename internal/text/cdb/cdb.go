// Package cdb reads and writes constant databases: a file of keys and values that is built
// once and looked up with two or three reads; see cdb(5).
//
// A reader trusts nothing that the file says: every position and length is checked against the
// file's size, and a damaged file is an error, never a wrong answer or a long wait.
package cdb

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	tables     = 256
	headerSize = tables * 8
	slotSize   = 8
	// maxProbes bounds the slots that one lookup visits: half of a table is empty, so that a sound
	// file needs far fewer.
	maxProbes = 1 << 16
	// MaxValue bounds a value that a reader returns. It exceeds any that this suite writes.
	MaxValue = 64 << 10
)

// ErrDamaged says that a file is not a constant database, or no longer one.
var ErrDamaged = errors.New("damaged cdb")

// hash is the hash of the format.
func hash(key []byte) uint32 {
	h := uint32(5381)
	for _, c := range key {
		h = (h + h<<5) ^ uint32(c)
	}
	return h
}

// A Reader looks keys up in one file. It holds no state but the file.
type Reader struct {
	r    io.ReaderAt
	size int64
}

// NewReader reads the constant database in the first size bytes of r.
func NewReader(r io.ReaderAt, size int64) *Reader { return &Reader{r, size} }

// Find returns the value of the first record with the key. A missing key is not an error: ok is false.
func (c *Reader) Find(key []byte) (value []byte, ok bool, err error) {
	h := hash(key)
	table, slots, err := c.pair(int64(h%tables) * 8)
	if err != nil {
		return nil, false, err
	}
	if !c.holds(int64(table), int64(slots)*slotSize) {
		return nil, false, ErrDamaged
	}
	for i := range slots {
		if i == maxProbes {
			return nil, false, ErrDamaged
		}
		slot := int64(table) + int64((h/tables+i)%slots)*slotSize
		have, at, err := c.pair(slot)
		if err != nil {
			return nil, false, err
		}
		if at == 0 {
			return nil, false, nil
		}
		if have != h {
			continue
		}
		if value, ok, err = c.record(int64(at), key); ok || err != nil {
			return value, ok, err
		}
	}
	return nil, false, nil
}

// record returns the value of the record at a position if it has the key.
func (c *Reader) record(at int64, key []byte) (value []byte, ok bool, err error) {
	keyLen, valueLen, err := c.pair(at)
	if err != nil {
		return nil, false, err
	}
	if !c.holds(at+8, int64(keyLen)+int64(valueLen)) {
		return nil, false, ErrDamaged
	}
	if int64(keyLen) != int64(len(key)) {
		return nil, false, nil
	}
	have := make([]byte, len(key))
	if err := c.read(have, at+8); err != nil {
		return nil, false, err
	}
	if string(have) != string(key) {
		return nil, false, nil
	}
	if valueLen > MaxValue {
		return nil, false, ErrDamaged
	}
	value = make([]byte, valueLen)
	if err := c.read(value, at+8+int64(keyLen)); err != nil {
		return nil, false, err
	}
	return value, true, nil
}

// pair reads the two numbers at a position.
func (c *Reader) pair(at int64) (a, b uint32, err error) {
	if !c.holds(at, 8) {
		return 0, 0, ErrDamaged
	}
	var buf [8]byte
	if err := c.read(buf[:], at); err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint32(buf[:4]), binary.LittleEndian.Uint32(buf[4:]), nil
}

// holds reports whether n bytes at a position are within the file.
func (c *Reader) holds(at, n int64) bool { return at >= 0 && at <= c.size && n <= c.size-at }

func (c *Reader) read(b []byte, at int64) error {
	n, err := c.r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return ErrDamaged
	}
	return err
}
