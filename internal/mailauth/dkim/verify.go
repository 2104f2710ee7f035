package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"qmail/internal/text/ascii"
)

// A Status is a result as RFC 8601 names it, section 2.7.1.
type Status string

const (
	Pass      Status = "pass"
	Fail      Status = "fail"      // the message or the signature was changed
	Policy    Status = "policy"    // it may be good, and does not count here
	Neutral   Status = "neutral"   // the field cannot be read
	TempError Status = "temperror" // the key cannot be had now
	PermError Status = "permerror" // there is no key, or something else is missing
)

// A Result is what became of one signature.
type Result struct {
	Status    Status
	Reason    string // printable; empty where the Status is Pass
	Signature        // what could be read of it
	Testing   bool   // by its key it counts no more than none
	Unsigned  bool   // more follows the bytes of the body that are signed
}

// A Lookup returns the texts at a name of the DNS, the strings of each joined, and none where there are none. An error
// means that they cannot be had now.
type Lookup func(name string) (texts []string, err error)

// A Verifier verifies the signatures of a message that is written to it.
type Verifier struct {
	limits  Limits
	split   splitter
	found   []*found
	too     int // signatures beyond the limit
	digests [2]*digest
	closed  bool
}

// A found is a signature that was found.
type found struct {
	Signature
	field Field
	list  tags
	err   error
	bad   Status // of err
}

// NewVerifier returns a Verifier for one message.
func NewVerifier(l Limits) *Verifier {
	v := &Verifier{limits: l}
	v.split = splitter{limit: l.Header, begun: v.begin}
	return v
}

// Write takes a part of the message. It never fails.
func (v *Verifier) Write(p []byte) (int, error) { return v.split.Write(p) }

// begin looks at the header, and says how the body is hashed.
func (v *Verifier) begin() []*body {
	for _, f := range v.split.fields {
		if f.Name != ascii.LowerString(FieldName) {
			continue
		}
		if len(v.found) == v.limits.Signatures {
			v.too++
			continue
		}
		v.found = append(v.found, v.find(f))
	}
	var list []*body
	for _, c := range [...]Canon{Simple, Relaxed} {
		var cuts []int64
		wanted := false
		for _, f := range v.found {
			if f.err == nil && f.Body == c {
				wanted = true
				if f.Length >= 0 {
					cuts = append(cuts, f.Length)
				}
			}
		}
		if wanted {
			v.digests[c] = newDigest(cuts)
			list = append(list, newBody(c, v.digests[c]))
		}
	}
	return list
}

// find reads a field with a signature.
func (v *Verifier) find(f Field) *found {
	x := &found{field: f, bad: Neutral}
	if len(f.Raw) > v.limits.Field {
		x.err, x.bad = errors.New("the signature is too long"), Policy
		return x
	}
	x.Signature, x.list, x.err = parseSignature(f.Value(), v.limits)
	switch {
	case x.err == errFrom:
		x.bad = PermError
	case x.err == errManyNames:
		x.bad = Policy
	case x.err == nil && x.Algorithm == rsaSHA1:
		x.err, x.bad = errors.New("rsa-sha1 does not count"), Policy
	}
	return x
}

// Results says what became of the signatures, from the top. The message has been written.
func (v *Verifier) Results(lookup Lookup, now time.Time) []Result {
	if !v.closed {
		v.closed = true
		v.split.Close()
	}
	if v.split.err != nil {
		// Whether there is a signature in it matters to nobody.
		return []Result{{Status: Neutral, Reason: v.split.err.Error(), Signature: Signature{Length: -1}}}
	}
	x := newIndex(v.split.fields)
	keys := keys{lookup: lookup, known: make(map[string]answer)}
	list := make([]Result, 0, len(v.found)+1)
	for _, f := range v.found {
		list = append(list, v.verify(f, x, &keys, now))
	}
	if v.too > 0 {
		list = append(list, Result{
			Status: Policy, Reason: fmt.Sprintf("%d signatures more than are looked at", v.too),
			Signature: Signature{Length: -1},
		})
	}
	return list
}

// verify verifies one signature.
func (v *Verifier) verify(f *found, x index, keys *keys, now time.Time) Result {
	r := Result{Signature: f.Signature}
	end := func(s Status, reason string) Result {
		r.Status, r.Reason = s, ascii.OneLine(reason)
		return r
	}
	if f.err != nil {
		return end(f.bad, f.err.Error())
	}
	if f.Expires > 0 && now.Unix() > f.Expires {
		return end(Policy, "the signature has expired")
	}
	sum, length := v.digests[f.Body].sum(f.Length)
	r.Unsigned = f.Length >= 0 && length > f.Length
	switch {
	case length < f.Length:
		return end(Fail, "the body is shorter than l= says")
	case !bytes.Equal(sum, f.BodyHash):
		return end(Fail, "the body has been changed")
	}
	key, s, err := keys.get(f.Record())
	r.Testing = key.Testing
	if err == nil {
		s = PermError
		if err = key.allows(); err == nil {
			s, err = v.fits(key, f)
		}
	}
	if err != nil {
		return end(s, err.Error())
	}
	if !valid(key.Public, v.headerSum(f, x), f.Value) {
		return end(Fail, "the header has been changed, or the signature is of another key")
	}
	if r.Unsigned && !v.limits.Partial {
		return end(Policy, "more follows the part of the body that is signed")
	}
	return end(Pass, "")
}

// fits reports whether a key is one for a signature.
func (v *Verifier) fits(key Key, f *found) (Status, error) {
	if key.Strict && f.Identity != "" {
		host := f.Identity[bytes.LastIndexByte([]byte(f.Identity), '@')+1:]
		if !ascii.Equal(host, f.Domain) {
			return PermError, errors.New("the key is not for what is below d=")
		}
	}
	switch p := key.Public.(type) {
	case *rsa.PublicKey:
		switch bits := p.N.BitLen(); {
		case f.Algorithm != RSA:
			return PermError, errors.New("the key is of another type")
		case bits < v.limits.MinBits:
			return Policy, fmt.Errorf("the key has only %d bits", bits)
		case bits > v.limits.MaxBits:
			return Policy, fmt.Errorf("the key has %d bits", bits)
		}
	default:
		if f.Algorithm != Ed25519 {
			return PermError, errors.New("the key is of another type")
		}
	}
	return Pass, nil
}

// headerSum hashes what a signature signs: the fields that it names, and its own.
func (v *Verifier) headerSum(f *found, x index) []byte {
	h := sha256.New()
	var b []byte
	for _, field := range x.pick(v.split.fields, f.Names) {
		b = f.Header.appendField(b[:0], field.Raw)
		h.Write(b)
		if !bytes.HasSuffix(field.Raw, lineEnd) {
			h.Write(lineEnd)
		}
	}
	h.Write(f.Header.appendField(b[:0], without(f.field.Raw, f.field.colon, f.list)))
	return h.Sum(nil)
}

// valid reports whether a signature is the key's. RFC 8463 has Ed25519 sign the sum, as if it were the message.
func valid(key crypto.PublicKey, sum, signature []byte) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, sum, signature)
	}
	return false
}

// keys looks up keys, each once.
type keys struct {
	lookup Lookup
	known  map[string]answer
}

type answer struct {
	key    Key
	status Status
	err    error
}

func (k *keys) get(name string) (Key, Status, error) {
	a, ok := k.known[name]
	if !ok {
		a.key, a.status, a.err = k.ask(name)
		k.known[name] = a
	}
	return a.key, a.status, a.err
}

// ask returns the only record that can be a key.
func (k *keys) ask(name string) (key Key, s Status, err error) {
	texts, err := k.lookup(name)
	if err != nil {
		return key, TempError, fmt.Errorf("the key cannot be looked up: %w", err)
	}
	err = errors.New("there is no key")
	good := 0
	for i, text := range texts {
		found, e := ParseKey(text)
		switch {
		case e == nil:
			key, good = found, good+1
		case i == 0:
			key, err = found, e
		}
	}
	switch good {
	case 0:
		return key, PermError, err
	case 1:
		return key, Pass, nil
	}
	return Key{}, PermError, errors.New("there is more than one key")
}

// A digest hashes a canonical body once, and notes the sums at the lengths that are asked for.
type digest struct {
	h    hash.Hash
	n    int64
	cuts []int64 // still to come, the next one first
	sums map[int64][]byte
}

func newDigest(cuts []int64) *digest {
	slices.Sort(cuts)
	d := &digest{h: sha256.New(), cuts: cuts, sums: make(map[int64][]byte)}
	d.cut()
	return d
}

// cut notes the sum where one is asked for.
func (d *digest) cut() {
	for len(d.cuts) > 0 && d.cuts[0] == d.n {
		if d.sums[d.n] == nil {
			d.sums[d.n] = d.h.Sum(nil)
		}
		d.cuts = d.cuts[1:]
	}
}

func (d *digest) Write(p []byte) (int, error) {
	all := len(p)
	for len(d.cuts) > 0 && int64(len(p)) >= d.cuts[0]-d.n {
		k := d.cuts[0] - d.n
		d.h.Write(p[:k])
		d.n, p = d.n+k, p[k:]
		d.cut()
	}
	d.h.Write(p)
	d.n += int64(len(p))
	return all, nil
}

// sum returns the sum of so many bytes, or of all where that is negative, and how many there were.
func (d *digest) sum(length int64) ([]byte, int64) {
	if length >= 0 {
		return d.sums[length], d.n
	}
	return d.h.Sum(nil), d.n
}
