package grey

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"qmail/internal/sys"
)

const (
	bucketSize = 4096
	inBucket   = bucketSize / recordSize
	buckets    = 1023
	fileSize   = (1 + buckets) * bucketSize // the first 4096 bytes are the header's

	magic      = "qmail greylist 1"
	headerSize = len(magic) + 16 + 8 // and the key, and its checksum

	retryTime = 2 * 86400  // seconds in which a client has to come again
	memory    = 36 * 86400 // seconds that whoever has passed is remembered
	// known is how many triplets of a network have to pass for all of it to pass.
	known = 5
	// share is how many triplets of one network wait before a new one takes the place of one of its own.
	share = 32
	// fresh is how old the last time of a record gets before it is written again.
	fresh = 3600
	// slack is how far a clock may go back.
	slack = 3600

	patience = time.Second
)

// A Store is the path of the file. Its size is fixed. Whoever writes holds a lock, and writes one record at once; one
// that is torn counts as none.
type Store string

// A file is the store, open and locked.
type file struct {
	*os.File
	key key
}

// open opens the file and waits for the lock, but not for long. A file without a header becomes an empty one.
func (s Store) open() (*file, error) {
	f, err := sys.OpenNow(string(s), os.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		f, err = sys.Open(string(s), os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		return nil, err
	}
	o := &file{File: f}
	if err = sys.LockWithin(f, patience); err == nil {
		err = o.begin()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return o, nil
}

// begin reads the header, or makes the file anew.
func (f *file) begin() error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New("not a plain file")
	}
	b := make([]byte, headerSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if k, ok := parseHeader(b[:n]); ok && fi.Size() == fileSize {
		f.key = k
		return nil
	}
	return f.clear()
}

// clear empties the file. The header comes last: without it the file is made anew by the next.
func (f *file) clear() error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if err := f.Truncate(fileSize); err != nil {
		return err
	}
	f.key = key{rand.Uint64(), rand.Uint64()} // of the runtime's own generator, which the system seeds
	_, err := f.WriteAt(header(f.key), 0)
	return err
}

func header(k key) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(magic), k[0])
	b = binary.LittleEndian.AppendUint64(b, k[1])
	return binary.LittleEndian.AppendUint64(b, k.sum(0, b))
}

func parseHeader(b []byte) (k key, ok bool) {
	if len(b) != headerSize || string(b[:len(magic)]) != magic {
		return k, false
	}
	at := b[len(magic):]
	k = key{binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:])}
	return k, binary.LittleEndian.Uint64(at[16:]) == k.sum(0, b[:len(magic)+16])
}

// A bucket is the records of the networks that share it.
type bucket struct {
	file    *file
	start   int64
	records [inBucket]record // those that count; others have no kind
	now     uint32
}

func (f *file) bucket(network uint64, now uint32) (*bucket, error) {
	b := &bucket{file: f, start: int64(1+network%buckets) * bucketSize, now: now}
	return b, b.read()
}

func (b *bucket) read() error {
	var page [bucketSize]byte
	if _, err := b.file.ReadAt(page[:], b.start); err != nil {
		return err
	}
	for i := range b.records {
		at := i * recordSize
		r, ok := parse(page[at:at+recordSize], b.file.key, b.start+int64(at))
		if ok && r.live(b.now) {
			b.records[i] = r
		}
	}
	return nil
}

// find returns the place of a record, or -1.
func (b *bucket) find(kind byte, id uint64) int {
	for i, r := range b.records {
		if r.kind == kind && r.id == id {
			return i
		}
	}
	return -1
}

// spare returns the place that can best be missed by a network: a free one, that of its own oldest triplet which
// waits if it has its share of them, that of the oldest which waits, and else that of which nothing was heard longest.
func (b *bucket) spare(network uint32) int {
	own, ours, waits, last := 0, -1, -1, 0
	for i, r := range b.records {
		if r.kind == 0 {
			return i
		}
		if r.last < b.records[last].last {
			last = i
		}
		if r.passed > 0 {
			continue
		}
		if waits < 0 || r.first < b.records[waits].first {
			waits = i
		}
		if r.network == network {
			own++
			if ours < 0 || r.first < b.records[ours].first {
				ours = i
			}
		}
	}
	switch {
	case own >= share:
		return ours
	case waits >= 0:
		return waits
	}
	return last
}

func (b *bucket) put(i int, r record) error {
	b.records[i] = r
	place := b.start + int64(i*recordSize)
	_, err := b.file.WriteAt(r.append(make([]byte, 0, recordSize), b.file.key, place), place)
	return err
}

// Passes reports whether mail from a network may come now: delay has gone by since a first try with this sender and
// recipient, or enough others of the network have come again.
func (s Store) Passes(network, sender, recipient string, delay time.Duration, at time.Time) (bool, error) {
	f, err := s.open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	net := f.key.sum(1, []byte(network))
	id := f.key.sum(2, []byte(network+"\x00"+sender+"\x00"+recipient))
	b, err := f.bucket(net, uint32(at.Unix()))
	if err != nil {
		return false, err
	}
	whole := b.find(ofNetwork, net)
	if whole >= 0 && b.records[whole].passed >= known {
		return true, b.renew(whole)
	}
	tag := uint32(net >> 32)
	i := b.find(ofTriplet, id)
	if i < 0 {
		return false, b.put(b.spare(tag), record{id: id, first: b.now, last: b.now, network: tag, kind: ofTriplet})
	}
	r := b.records[i]
	if r.passed > 0 {
		return true, b.renew(i)
	}
	if time.Duration(since(r.first, b.now))*time.Second < delay {
		return false, nil
	}
	r.passed, r.last = 1, b.now
	if err := b.put(i, r); err != nil {
		return false, err
	}
	if whole < 0 {
		return true, b.put(b.spare(tag), record{id: net, first: b.now, last: b.now, kind: ofNetwork, passed: 1})
	}
	r = b.records[whole]
	r.passed, r.last = r.passed+1, b.now
	return true, b.put(whole, r)
}

// renew notes that a record was of use, now and then.
func (b *bucket) renew(i int) error {
	r := b.records[i]
	if since(r.last, b.now) < fresh {
		return nil
	}
	r.last = b.now
	return b.put(i, r)
}

// Counts are how many the file remembers: triplets that wait, and that have passed, and networks, and of these those
// that are known.
type Counts struct{ Waiting, Passed, Networks, Known int }

// Count counts them.
func (s Store) Count(at time.Time) (c Counts, err error) {
	f, err := s.open()
	if err != nil {
		return c, err
	}
	defer f.Close()
	for n := range uint64(buckets) {
		b, err := f.bucket(n, uint32(at.Unix()))
		if err != nil {
			return c, err
		}
		for _, r := range b.records {
			switch {
			case r.kind == ofTriplet && r.passed == 0:
				c.Waiting++
			case r.kind == ofTriplet:
				c.Passed++
			case r.kind == ofNetwork:
				c.Networks++
				if r.passed >= known {
					c.Known++
				}
			}
		}
	}
	return c, nil
}

// Clear forgets them all.
func (s Store) Clear() error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	return f.clear()
}
