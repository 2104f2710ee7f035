package grey

import (
	"encoding/binary"
	"math/bits"
)

// recordSize divides the size of a bucket, so that no record crosses a page of the disk.
const recordSize = 32

// What a record is of.
const (
	ofTriplet = 1 // network, sender and recipient
	ofNetwork = 2
)

// A record is what is remembered of a triplet or of a network. Times are seconds since 1970.
type record struct {
	id          uint64 // a keyed hash of what it is of
	first, last uint32
	network     uint32 // a part of the network's hash, in triplets
	kind        byte
	passed      byte // how often; of a triplet: 1 if it ever has
}

// append adds the bytes of r: its fields, little endian, two zero bytes, and a keyed hash of the place and all these.
func (r record) append(b []byte, k key, place int64) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, r.id)
	b = binary.LittleEndian.AppendUint32(b, r.first)
	b = binary.LittleEndian.AppendUint32(b, r.last)
	b = binary.LittleEndian.AppendUint32(b, r.network)
	b = append(b, r.kind, r.passed, 0, 0)
	return binary.LittleEndian.AppendUint64(b, k.sum(uint64(place), b[start:]))
}

// parse reads a record. One that is torn, or from before the key, is none.
func parse(b []byte, k key, place int64) (r record, ok bool) {
	if len(b) < recordSize {
		return r, false
	}
	r = record{
		id: binary.LittleEndian.Uint64(b), first: binary.LittleEndian.Uint32(b[8:]),
		last: binary.LittleEndian.Uint32(b[12:]), network: binary.LittleEndian.Uint32(b[16:]),
		kind: b[20], passed: b[21],
	}
	ok = (r.kind == ofTriplet || r.kind == ofNetwork) &&
		binary.LittleEndian.Uint64(b[24:]) == k.sum(uint64(place), b[:24])
	return r, ok
}

// live reports whether r still counts. A time that is far ahead is of a clock that was wrong; one that is just ahead is
// of another session, which had the lock first.
func (r record) live(now uint32) bool {
	if max(r.first, r.last) > now+slack {
		return false
	}
	if r.passed == 0 {
		return since(r.first, now) < retryTime
	}
	return since(r.last, now) < memory
}

// since returns the seconds from a time to now.
func since(t, now uint32) uint32 { return now - min(t, now) }

// A key makes the hashes of a file, so that nobody outside can choose what falls together.
type key [2]uint64

// sum is SipHash-2-4 of a word and b.
func (k key) sum(word uint64, b []byte) uint64 {
	v := [4]uint64{
		k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573,
	}
	length := len(b) + 8
	absorb(&v, word)
	for ; len(b) >= 8; b = b[8:] {
		absorb(&v, binary.LittleEndian.Uint64(b))
	}
	var rest [8]byte
	copy(rest[:], b)
	rest[7] = byte(length)
	absorb(&v, binary.LittleEndian.Uint64(rest[:]))
	v[2] ^= 0xff
	for range 4 {
		round(&v)
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

func absorb(v *[4]uint64, m uint64) {
	v[3] ^= m
	round(v)
	round(v)
	v[0] ^= m
}

func round(v *[4]uint64) {
	v[0] += v[1]
	v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
	v[0] = bits.RotateLeft64(v[0], 32)
	v[2] += v[3]
	v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
	v[0] += v[3]
	v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
	v[2] += v[1]
	v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
	v[2] = bits.RotateLeft64(v[2], 32)
}
