// Package cutdisk is a disk with a volatile write cache, for tests and measurements: a file to put a loop device
// on. Its server, over the protocol of /dev/fuse, records every write and every flush, so that the states in which
// a power cut may leave the disk can be made from the record; and it can take its time for a flush, as a real disk
// does.
package cutdisk

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// Sector is the most that a disk writes as one piece.
const Sector = 4096

// A write is one that reached the disk.
type write struct {
	at     time.Time
	offset int64
	data   []byte
}

// A flush covers the writes that were there when it began, once it has ended.
type flush struct {
	end    time.Time
	writes int
}

// A Record is what happened to a disk.
type Record struct {
	// Base is a file with what the disk held before; empty: it was empty.
	Base string

	mu      sync.Mutex
	writes  []write
	flushes []flush
}

func (r *Record) wrote(offset int64, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, write{time.Now(), offset, data})
}

// begun returns how many writes a flush that begins now covers.
func (r *Record) begun() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.writes)
}

func (r *Record) flushed(writes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushes = append(r.flushes, flush{time.Now(), writes})
}

// A Cut is what a power cut did to the writes that no flush covered.
type Cut struct {
	Unflushed int    // sectors that were in the cache
	Dropped   int    // of these, sectors that are lost
	How       string // which of the legal ways was taken
}

// Image makes in file to, which it empties first, the disk of size bytes as a cut at time at may leave it: all
// writes that a flush had covered by then, and of the other writes before it a subset, chosen by rng.
func (r *Record) Image(to string, size int64, at time.Time, rng *rand.Rand) (Cut, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := r.start(to, size)
	if err != nil {
		return Cut{}, err
	}
	defer f.Close()
	safe := 0
	for _, fl := range r.flushes {
		if fl.end.Before(at) {
			safe = max(safe, fl.writes)
		}
	}
	seen := safe
	for seen < len(r.writes) && r.writes[seen].at.Before(at) {
		seen++
	}
	for _, w := range r.writes[:safe] {
		if _, err := f.WriteAt(w.data, w.offset); err != nil {
			return Cut{}, err
		}
	}
	return cut(f, r.writes[safe:seen], rng)
}

// start makes a file with what the disk held before.
func (r *Record) start(to string, size int64) (*os.File, error) {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if r.Base == "" {
		return f, nil
	}
	base, err := os.Open(r.Base)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	defer base.Close()
	zero, b := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); ; {
		n, err := io.ReadFull(base, b)
		if n > 0 && !bytes.Equal(b[:n], zero[:n]) {
			if _, err := f.WriteAt(b[:n], at); err != nil {
				return nil, errors.Join(err, f.Close())
			}
		}
		at += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return f, nil
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

// cut writes a legal subset of the unflushed writes: none, all, the first ones, any, or any sectors of them.
func cut(f io.WriterAt, cache []write, rng *rand.Rand) (Cut, error) {
	hows := [...]string{"none", "all", "prefix", "subset", "torn"}
	c := Cut{How: hows[rng.IntN(len(hows))]}
	prefix := rng.IntN(len(cache) + 1)
	for i, w := range cache {
		whole := rng.IntN(2) == 0
		for at := 0; at < len(w.data); at += Sector {
			piece := w.data[at:min(at+Sector, len(w.data))]
			c.Unflushed++
			keep := false
			switch c.How {
			case "all":
				keep = true
			case "prefix":
				keep = i < prefix
			case "subset":
				keep = whole
			case "torn":
				keep = rng.IntN(2) == 0
			}
			if !keep {
				c.Dropped++
				continue
			}
			if _, err := f.WriteAt(piece, w.offset+int64(at)); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// Check compares the whole record, replayed, with the file that the disk kept its bytes in.
func (r *Record) Check(file string, size int64) error {
	want, err := os.Open(file)
	if err != nil {
		return err
	}
	defer want.Close()
	got, err := os.CreateTemp("", "cutdisk-check")
	if err != nil {
		return err
	}
	defer os.Remove(got.Name())
	defer got.Close()
	if err := got.Truncate(size); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writes {
		if _, err := got.WriteAt(w.data, w.offset); err != nil {
			return err
		}
	}
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(a)) {
		n := min(int64(len(a)), size-at)
		if _, err := want.ReadAt(a[:n], at); err != nil && err != io.EOF {
			return err
		}
		if _, err := got.ReadAt(b[:n], at); err != nil && err != io.EOF {
			return err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return errors.New("cutdisk: the record, replayed, is not the disk")
		}
	}
	return nil
}
