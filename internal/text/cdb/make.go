package cdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"
)

// A Writer builds a constant database in a temporary file and then puts that in the place of
// the old one.
type Writer struct {
	f     *os.File
	w     *bufio.Writer
	pos   uint32
	lists [tables][]slot
}

type slot struct{ hash, at uint32 }

var errTooBig = errors.New("cdb: more than 4 gigabytes")

// Create makes the temporary file, empty and readable for all.
func Create(tmp string) (*Writer, error) { return create(tmp, 0o644) }

// CreatePrivate is Create for a file that nobody else may read.
func CreatePrivate(tmp string) (*Writer, error) { return create(tmp, 0o600) }

func create(tmp string, mode fs.FileMode) (*Writer, error) {
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f, w: bufio.NewWriterSize(f, 64<<10), pos: headerSize}
	err = f.Chmod(mode)
	if err == nil {
		_, err = f.Seek(headerSize, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// Add adds a record. Of several with one key, the first is what a reader finds.
func (w *Writer) Add(key, value []byte) error {
	if int64(len(key)) > math.MaxInt32 || int64(len(value)) > math.MaxInt32 {
		return errTooBig
	}
	h := hash(key)
	at := w.pos
	if err := w.advance(8 + int64(len(key)) + int64(len(value))); err != nil {
		return err
	}
	w.lists[h%tables] = append(w.lists[h%tables], slot{h, at})
	w.pair(uint32(len(key)), uint32(len(value)))
	w.w.Write(key)
	_, err := w.w.Write(value) // bufio keeps the first error
	return err
}

// Abort closes the temporary file and leaves it as it is.
func (w *Writer) Abort() { w.f.Close() }

// Commit writes the tables, and puts the finished file in the place of path, in the same folder. When it
// returns nil the new file is on disk, name and contents.
func (w *Writer) Commit(path string) error {
	err := w.finish()
	if err == nil {
		err = w.f.Sync()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(w.f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// finish writes the 256 hash tables, each twice as long as its records need, and the header that points at them.
func (w *Writer) finish() error {
	header := make([]byte, 0, headerSize)
	for _, list := range w.lists {
		n := uint32(2 * len(list))
		header = binary.LittleEndian.AppendUint32(header, w.pos)
		header = binary.LittleEndian.AppendUint32(header, n)
		if err := w.advance(int64(n) * slotSize); err != nil {
			return err
		}
		table := make([]slot, n)
		for _, s := range list {
			i := s.hash / tables % n
			for table[i].at != 0 {
				i = (i + 1) % n
			}
			table[i] = s
		}
		for _, s := range table {
			w.pair(s.hash, s.at)
		}
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	_, err := w.f.WriteAt(header, 0)
	return err
}

func (w *Writer) advance(n int64) error {
	if n > math.MaxUint32-int64(w.pos) {
		return errTooBig
	}
	w.pos += uint32(n)
	return nil
}

func (w *Writer) pair(a, b uint32) {
	var buf [8]byte
	binary.LittleEndian.PutUint32(buf[:4], a)
	binary.LittleEndian.PutUint32(buf[4:], b)
	w.w.Write(buf[:])
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Open opens a constant database file for reading; the caller closes it. Only a regular file will do.
func Open(path string) (*Reader, *os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrDamaged}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return NewReader(f, fi.Size()), f, nil
}
