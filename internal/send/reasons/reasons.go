// Package reasons is where qmail-send leaves why a recipient was deferred last, for the programs that show the queue.
// It is sendctl/reasons in the queue: 16384 records of 256 bytes, little endian:
//
//	 0  the number of the message    8  the channel and address, as a checksum
//	16  the second of the deferral  24  the length of its text  25  the text
//
// A record stands in one of the four places that its first 16 bytes choose; of full ones it takes the oldest's. So the
// file never grows, and a queue with more deferrals than it has room for lacks some. It only informs: nobody waits for
// the disk, a record that could not be written is missed by nobody, and a message that has got the number of another
// one is known by its birth.
package reasons

import (
	"encoding/binary"
	"hash/fnv"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"qmail/internal/queue"
	"qmail/internal/sys"
)

const (
	size    = 256 // of a record
	places  = 4   // that a record may stand in, side by side
	groups  = 4096
	textAt  = 25
	maxText = size - textAt
)

// A Deferral is why a recipient of a message was tried in vain, and when.
type Deferral struct {
	ID      queue.ID
	Channel queue.Channel
	Address string
	Time    time.Time
	Text    string
}

// A Table is the file. A nil one remembers nothing.
type Table struct{ f *os.File }

func name(queueDir string) string { return filepath.Join(queueDir, "sendctl", "reasons") }

// Create opens the table of a queue for qmail-send, nil where that cannot be.
func Create(queueDir string) *Table { return open(queueDir, os.O_RDWR|os.O_CREATE) }

// Open opens it to be read, nil where there is none.
func Open(queueDir string) *Table { return open(queueDir, os.O_RDONLY) }

func open(queueDir string, flag int) *Table {
	f, err := sys.Open(name(queueDir), flag|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil
	}
	return &Table{f}
}

// Note writes down deferrals. Only one caller may write at a time, else one of two is lost.
func (t *Table) Note(list []Deferral) {
	if t == nil {
		return
	}
	for _, d := range list {
		key, at := d.place()
		b := t.group(at)
		n := spare(b, key)
		rec := make([]byte, size)
		copy(rec, key)
		binary.LittleEndian.PutUint64(rec[16:], uint64(max(0, d.Time.Unix())))
		rec[24] = byte(copy(rec[textAt:], d.Text))
		t.f.WriteAt(rec, at+int64(n)*size)
	}
}

// Last returns why and when a recipient was deferred last. A message is not older than its birth.
func (t *Table) Last(id queue.ID, c queue.Channel, address string, birth time.Time) (text string, at time.Time) {
	if t == nil {
		return "", time.Time{}
	}
	key, place := Deferral{ID: id, Channel: c, Address: address}.place()
	return find(t.group(place), key, birth)
}

// find looks for a record in the places that it may stand in.
func find(b, key []byte, birth time.Time) (text string, at time.Time) {
	for ; len(b) >= size; b = b[size:] {
		sec := binary.LittleEndian.Uint64(b[16:])
		if string(b[:16]) == string(key) && sec <= 1<<40 && int64(sec) >= birth.Unix() {
			return string(b[textAt : textAt+min(int(b[24]), maxText)]), time.Unix(int64(sec), 0)
		}
	}
	return "", time.Time{}
}

// place returns the first 16 bytes of a record and where its places begin.
func (d Deferral) place() (key []byte, at int64) {
	h := fnv.New64a()
	h.Write([]byte{byte(d.Channel)})
	h.Write([]byte(d.Address))
	key = binary.LittleEndian.AppendUint64(nil, uint64(d.ID))
	key = binary.LittleEndian.AppendUint64(key, h.Sum64())
	h.Write(key)
	return key, int64(h.Sum64()%groups) * places * size
}

// group reads places, as far as the file goes; what has never been written is zero.
func (t *Table) group(at int64) []byte {
	b := make([]byte, places*size)
	t.f.ReadAt(b, at)
	return b
}

// spare returns which place a record takes: its own, else the oldest.
func spare(b []byte, key []byte) (best int) {
	oldest := uint64(1<<64 - 1)
	for n := range places {
		rec := b[n*size:]
		if string(rec[:16]) == string(key) {
			return n
		}
		if sec := binary.LittleEndian.Uint64(rec[16:]); sec < oldest {
			best, oldest = n, sec
		}
	}
	return best
}
