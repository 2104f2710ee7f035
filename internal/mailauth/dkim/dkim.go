// Package dkim signs mail and verifies its signatures: RFC 6376, RFC 8301 and RFC 8463. A message streams through it in
// the form of the wire, where CR LF and nothing else ends a line. Any message costs the time of its length, and the
// memory of its header, up to Limits.
package dkim

// Limits bound what a message can cost.
type Limits struct {
	Header     int  // the most bytes of a header
	Signatures int  // the most that are verified, from the top
	Names      int  // the most names in h=
	Field      int  // the most bytes of a field with a signature
	MinBits    int  // of an RSA key: one that is shorter does not count
	MaxBits    int  // one that is longer is not tried
	Partial    bool // a signature counts although more follows the bytes of the body that l= says are signed
}

// Usual are the limits that are meant for mail of strangers. RFC 8301 has the least sizes of keys.
func Usual() Limits {
	return Limits{Header: 256 << 10, Signatures: 10, Names: 200, Field: 16 << 10, MinBits: 1024, MaxBits: 4096}
}
