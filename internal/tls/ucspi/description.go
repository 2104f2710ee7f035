package ucspi

import (
	"errors"
	"io"

	"qmail/internal/text/environ"
)

// A Description is what is known of the TLS of a connection, as the environment has it where TLS came first.
type Description struct{ Protocol, Cipher string }

// Described returns what an environment says of the TLS that a server's connection has; ok is false for one that has
// none.
func Described(env []string) (d Description, ok bool) {
	if d.Protocol, ok = environ.Get(env, protocolName); !ok || d.Protocol == "" {
		return d, false
	}
	d.Cipher, _ = environ.Get(env, cipherName)
	return d, true
}

// Name says what the TLS is, as "TLS_AES_128_GCM_SHA256, TLS1.3".
func (d Description) Name() string {
	cipher, version := word(d.Cipher), word(d.Protocol)
	if len(version) > 4 && version[:4] == "TLSv" {
		version = "TLS" + version[4:]
	}
	return cipher + ", " + version
}

// word makes a word that is safe in a header of what others say.
func word(s string) string {
	b := []byte(s[:min(len(s), maxValue)])
	for i, c := range b {
		if !plain(c) {
			b[i] = '_'
		}
	}
	if len(b) == 0 {
		return "unknown"
	}
	return string(b)
}

const (
	// maxValue is the most bytes of a word that counts.
	maxValue = 64
	// maxDescription is the most bytes of a description. Others' have whole certificates in it.
	maxDescription = 256 << 10
)

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

// Sound reports whether d is what our end says of TLS.
func (d Description) Sound() bool {
	return d.Protocol != "" && d.Cipher != "" && word(d.Protocol) == d.Protocol && word(d.Cipher) == d.Cipher
}

// Environment returns the variables that say d.
func (d Description) Environment() []string {
	return []string{protocolName + "=" + d.Protocol, cipherName + "=" + d.Cipher}
}

// Append appends d as the convention has it: each variable with a NUL behind it, and one more at the end.
func (d Description) Append(b []byte) []byte {
	for _, v := range d.Environment() {
		b = append(append(b, v...), 0)
	}
	return append(b, 0)
}

// ErrDescription says that what somebody says of TLS has no end.
var ErrDescription = errors.New("the description of TLS has no end")

// ReadDescription reads one, and nothing behind it, since that may be the client's first words.
func ReadDescription(r io.Reader) (d Description, err error) {
	var b [1]byte
	var entry []byte
	for n, nuls := 0, 0; n < maxDescription; n++ {
		if _, err = io.ReadFull(r, b[:]); err != nil {
			return d, err
		}
		if b[0] != 0 {
			nuls = 0
			if len(entry) <= len(protocolName)+1+maxValue {
				entry = append(entry, b[0])
			}
			continue
		}
		if nuls++; nuls == 2 {
			return d, nil
		}
		env := []string{string(entry)}
		if v, ok := environ.Get(env, protocolName); ok {
			d.Protocol = v
		}
		if v, ok := environ.Get(env, cipherName); ok {
			d.Cipher = v
		}
		entry = entry[:0]
	}
	return d, ErrDescription
}
