// Package milter asks programs that look at mail what is to become of a message: those that speak the protocol of
// Sendmail's libmilter, version 6, and rspamd by HTTP; see qmail-milter(8).
//
// Whatever such a program says is checked and bounded. What it changes counts only once it has said all, and otherwise
// not at all.
package milter

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	version = 6
	// maxPacket is the longest packet that is read; libmilter sends 64 kB of a body at most.
	maxPacket = 128 << 10
	// chunk is how much of a body is in a packet.
	chunk = 65535
	// maxAnswers is how many packets may come for a message, and maxHeader how many bytes of fields.
	maxAnswers = 10_000
	maxHeader  = 512 << 10
	// maxRecipients is how many a message may have after a milter has added some.
	maxRecipients = 1000
)

// errProtocol says that the other end does not speak the protocol, or says too much.
var errProtocol = errors.New("protocol error")

// What a milter may change, as it asks for it at first.
const (
	mayAddFields uint32 = 1 << iota
	mayReplaceBody
	mayAddRecipients
	mayDeleteRecipients
	mayChangeFields
	mayQuarantine
	mayChangeSender
	mayAddRecipientsWithParameters
	mayNameMacros

	mayAll = mayNameMacros<<1 - 1
)

// What a milter does not want to see, and where it will not answer.
const (
	noConnect uint32 = 1 << iota
	noHelo
	noMail
	noRecipients
	noBody
	noFields
	noEndOfHeader
	silentField
	noUnknown
	noData
	maySkip
	wantsRejected
	silentConnect
	silentHelo
	silentMail
	silentRecipient
	silentData
	silentUnknown
	silentEndOfHeader
	silentBody
	leadingSpace

	stepsAll = (leadingSpace<<1 - 1) &^ wantsRejected
)

// appendPacket appends a packet.
func appendPacket(b []byte, code byte, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)+1))
	return append(append(b, code), data...)
}

// readPacket reads one.
func readPacket(r io.Reader) (code byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 || n > maxPacket {
		return 0, nil, errProtocol
	}
	data = make([]byte, n-1)
	_, err = io.ReadFull(r, data)
	return head[4], data, err
}

// appendText appends strings, each with the NUL that ends it, and with blanks for NULs in it.
func appendText[T string | []byte](b []byte, texts ...T) []byte {
	for _, t := range texts {
		for i := range len(t) {
			if t[i] == 0 {
				b = append(b, ' ')
			} else {
				b = append(b, t[i])
			}
		}
		b = append(b, 0)
	}
	return b
}

// texts returns the strings in b; each must end in NUL.
func texts(b []byte) (list []string, ok bool) {
	for len(b) > 0 {
		i := 0
		for i < len(b) && b[i] != 0 {
			i++
		}
		if i == len(b) {
			return nil, false
		}
		list = append(list, string(b[:i]))
		b = b[i+1:]
	}
	return list, true
}
