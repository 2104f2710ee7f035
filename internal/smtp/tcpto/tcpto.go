// Package tcpto is the table of hosts that did not answer, which lets qmail-remote skip a dead
// host instead of waiting for it again: lock/tcpto with 64 records of 16 bytes, as it always
// was, and lock/tcpto6 beside it with 64 records of 32 bytes for IPv6.
//
// A record is the address, a byte that counts timeouts, bytes that are zero, and the time of the last counted
// timeout in seconds since 1970, eight bytes, little endian.
//
// Beside them lock/quirks has what a host could not bear of late.
package tcpto

import (
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"qmail/internal/sys"
)

const (
	slots    = 64
	maxCount = 10

	// quiet is how long after a counted timeout another does not count: many deliveries that wait for one host
	// time out together.
	quiet = 120 * time.Second
	// enough timeouts make a host dead for a while.
	enough = 2
)

// Names of the files in the lock folder.
const (
	Name4      = "tcpto"
	Name6      = "tcpto6"
	NameQuirks = "quirks"
)

// A Table is the folder queue/lock, where the files are.
type Table string

// A Record is one host that has timed out.
type Record struct {
	IP    netip.Addr
	Count int // zero: it has answered since, or the slot is free
	Time  time.Time
}

// within reports whether the last counted timeout was no longer than d ago. One that is yet to come is none: the
// clock was wrong, or the file is not ours. To believe it would be to give the host up until then.
func (r Record) within(d time.Duration, now time.Time) bool {
	ago := now.Sub(r.Time)
	return ago >= 0 && ago < d
}

// A kind is one file.
type kind struct {
	name       string
	addr, size int // bytes of an address and of a record
	slots      int
}

var (
	kinds  = [...]kind{{Name4, 4, 16, slots}, {Name6, 16, 32, slots}}
	quirks = kind{NameQuirks, 16, 32, 256}
)

func kindOf(ip netip.Addr) kind {
	if ip.Is4() {
		return kinds[0]
	}
	return kinds[1]
}

func (k kind) parse(b []byte) Record {
	ip, _ := netip.AddrFromSlice(b[:k.addr])
	// Only the low half of the time is used, as in the original.
	when := binary.LittleEndian.Uint32(b[k.size-8:])
	return Record{ip, int(b[k.addr]), time.Unix(int64(when), 0)}
}

func (k kind) put(b []byte, r Record) {
	clear(b[:k.size])
	copy(b, r.IP.AsSlice())
	b[k.addr] = byte(r.Count)
	binary.LittleEndian.PutUint64(b[k.size-8:], uint64(max(0, r.Time.Unix())))
}

// find returns the record of ip in a file's bytes, and its place.
func (k kind) find(b []byte, ip netip.Addr) (r Record, at int, ok bool) {
	for at = 0; at+k.size <= len(b); at += k.size {
		if r = k.parse(b[at:]); r.IP == ip {
			return r, at, true
		}
	}
	return Record{}, 0, false
}

// spare returns the place of the record that can best be missed: one that says nothing, if there is any.
func (k kind) spare(b []byte, now time.Time) int {
	best, bestWorth := 0, int64(-1)
	for at := 0; at+k.size <= len(b); at += k.size {
		r := k.parse(b[at:])
		worth := int64(0)
		if !r.Time.After(now) {
			worth = r.Time.Unix() + int64(r.Count)*1024
		}
		if bestWorth < 0 || worth < bestWorth {
			best, bestWorth = at, worth
		}
	}
	return best
}

// read returns the bytes of a file, whole records only.
func (k kind) read(f io.Reader) ([]byte, error) {
	b := make([]byte, k.slots*k.size)
	n, err := io.ReadFull(f, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n/k.size*k.size], err
}

// A View is the table as it was at one moment, so that one delivery reads it once.
type View struct{ v4, v6 []byte }

// Look reads the table. What cannot be read is empty: the table only saves time.
func (t Table) Look() View { return View{t.bytes(kinds[0]), t.bytes(kinds[1])} }

func (t Table) bytes(k kind) []byte {
	f, err := os.Open(filepath.Join(string(t), k.name))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := k.read(f)
	return b
}

func (v View) of(ip netip.Addr) (Record, bool) {
	k, b := kinds[0], v.v4
	if !ip.Is4() {
		k, b = kinds[1], v.v6
	}
	r, _, ok := k.find(b, ip)
	return r, ok
}

// Dead reports whether ip should be skipped. How long it is skipped depends on the process, so that
// not every delivery tries the host at the same time.
func (v View) Dead(ip netip.Addr, now time.Time, pid int) bool {
	r, ok := v.of(ip)
	if !ok || r.Count < enough {
		return false
	}
	skip := time.Duration(60+pid&31) * 64 * time.Second
	return r.within(skip, now)
}

// Counted reports whether timeouts of ip are on record.
func (v View) Counted(ip netip.Addr) bool {
	r, ok := v.of(ip)
	return ok && r.Count > 0
}

// TimedOut records that a connection to ip timed out at now.
func (t Table) TimedOut(ip netip.Addr, now time.Time) error {
	return t.change(kindOf(ip), func(k kind, b []byte) int {
		r, at, ok := k.find(b, ip)
		switch {
		case !ok:
			at, r = k.spare(b, now), Record{ip, 1, now}
		case r.Count > 0 && r.within(quiet, now):
			return -1
		default:
			r.Count, r.Time = min(r.Count+1, maxCount), now
		}
		k.put(b[at:], r)
		return at
	})
}

// Answered records that ip has answered.
func (t Table) Answered(ip netip.Addr) error {
	return t.change(kindOf(ip), func(k kind, b []byte) int {
		r, at, ok := k.find(b, ip)
		if !ok || r.Count == 0 {
			return -1
		}
		r.Count = 0
		k.put(b[at:], r)
		return at
	})
}

// change lets fn change one record while no other process can; fn returns the record's place,
// or -1 if all stays as it is.
func (t Table) change(k kind, fn func(k kind, b []byte) int) error {
	f, err := os.OpenFile(filepath.Join(string(t), k.name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sys.Lock(f); err != nil {
		return err
	}
	b, err := k.read(f)
	if err != nil || len(b) < k.size {
		return err
	}
	at := fn(k, b)
	if at < 0 {
		return nil
	}
	_, err = f.WriteAt(b[at:at+k.size], int64(at))
	return err
}

// List returns the hosts that have timed out and not answered since.
func (t Table) List() ([]Record, error) {
	var list []Record
	for _, k := range kinds {
		f, err := sys.OpenNow(filepath.Join(string(t), k.name), os.O_RDONLY)
		if os.IsNotExist(err) && k.name == Name6 {
			continue // a tree that was installed by a qmail without IPv6
		}
		if err != nil {
			return nil, err
		}
		b, err := k.read(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		for at := 0; at < len(b); at += k.size {
			if r := k.parse(b[at:]); r.Count > 0 {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// Clear forgets all records.
func (t Table) Clear() error {
	for _, k := range append(kinds[:], quirks) {
		f, err := sys.OpenNow(filepath.Join(string(t), k.name), os.O_WRONLY)
		if os.IsNotExist(err) && k.name != Name4 {
			continue
		}
		if err != nil {
			return err
		}
		err = sys.Lock(f)
		if err == nil {
			_, err = f.WriteAt(make([]byte, k.slots*k.size), 0)
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return nil
}
