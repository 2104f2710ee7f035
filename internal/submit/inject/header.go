package inject

import (
	"strconv"

	"qmail/internal/text/ascii"
	"qmail/internal/text/rfc822"
)

// A header collects the fields of a message that have been read.
type header struct {
	set         *settings
	seen        [rfc822.Fields]bool
	kept        held
	recipients  []string // of To, Cc, Bcc and Apparently-To
	resent      []string // of the fields that begin with Resent-
	listed      []string // of To and Cc, where a Mail-Followup-To may be needed
	list        bool
	lenient     bool   // a field that is no list of addresses stays as it is
	path        string // what Return-Path says
	pathIsGiven bool
}

// add handles one whole field, its newlines included.
func (h *header) add(field []byte) error {
	n, body, ok := rfc822.FieldName(field)
	if !ok {
		return unparsable(string(field))
	}
	f := rfc822.FieldOf(field[:n])
	switch {
	case f == rfc822.From && h.set.deleteFrom,
		f == rfc822.MessageID && h.set.deleteID,
		f == rfc822.ReturnPath && h.set.ignorePath,
		f == rfc822.ContentLength:
		return nil
	}
	h.seen[f] = true
	if !f.Addresses() {
		return h.kept.add(field)
	}
	return h.addresses(f, field, string(field[:n]), field[body:])
}

func (h *header) addresses(f rfc822.Field, field []byte, name string, body []byte) error {
	if len(body) > maxAddresses {
		return errLongField
	}
	list, err := rfc822.Tokenize(string(body))
	if err == nil {
		list, err = rfc822.RewriteList(list, func(addr []rfc822.Token) []rfc822.Token {
			addr = h.set.rewrite(addr)
			h.note(f, addr)
			return addr
		})
	}
	if err != nil && !h.lenient {
		return unparsable(string(field))
	}
	switch f {
	case rfc822.Bcc, rfc822.ResentBcc, rfc822.ReturnPath:
		return nil
	}
	if err != nil {
		return h.kept.add(field)
	}
	return h.kept.add(rfc822.AppendField(make([]byte, 0, len(field)+len(field)/4), name, list))
}

// note records what an address of field f means for the envelope.
func (h *header) note(f rfc822.Field, addr []rfc822.Token) {
	switch {
	case f == rfc822.ReturnPath:
		if !h.pathIsGiven {
			h.pathIsGiven = true
			h.path = rfc822.Text(addr)
		}
	case !f.Recipients():
	case f.Resent():
		h.resent = append(h.resent, rfc822.Text(addr))
	default:
		a := rfc822.Text(addr)
		h.recipients = append(h.recipients, a)
		if h.list && (f == rfc822.To || f == rfc822.Cc) {
			h.listed = append(h.listed, a)
		}
	}
}

// isResent reports whether the message is being sent again: then only its Resent- fields count.
func (h *header) isResent() bool {
	for f := range rfc822.Fields {
		if f.Resent() && h.seen[f] {
			return true
		}
	}
	return false
}

// generate returns the fields that the message should have and has not.
func (h *header) generate(in *injection) ([]byte, error) {
	date, id, from, to, cc := rfc822.Date, rfc822.MessageID, rfc822.From, rfc822.To, rfc822.Cc
	prefix := ""
	if h.isResent() {
		date, id, from, to, cc = rfc822.ResentDate, rfc822.ResentMessageID, rfc822.ResentFrom, rfc822.ResentTo,
			rfc822.ResentCc
		prefix = "Resent-"
	}
	b := make([]byte, 0, 512)
	if !h.seen[date] {
		b = append(append(b, prefix...), "Date: "...)
		b = append(rfc822.AppendDate(b, in.Now), '\n')
	}
	if !h.seen[id] {
		b = append(append(b, prefix...), "Message-ID: <"...)
		b = in.Now.UTC().AppendFormat(b, "20060102150405.")
		b = strconv.AppendInt(b, int64(in.Pid), 10)
		b = append(append(append(b, ".qmail@"...), h.set.idHost...), ">\n"...)
	}
	if !h.seen[from] {
		list, err := h.set.from()
		if err != nil {
			return nil, err
		}
		b = rfc822.AppendField(b, prefix+"From", list)
	}
	if !h.seen[to] && !h.seen[cc] {
		b = append(append(b, prefix...), "Cc: recipient list not shown: ;\n"...)
	}
	if prefix == "" && !h.seen[rfc822.MailFollowupTo] {
		b = h.followup(b, in)
	}
	return b, nil
}

// from is the list of a generated From field.
func (s *settings) from() ([]rfc822.Token, error) {
	addr, err := person(s.user, s.host)
	if err != nil {
		return nil, err
	}
	addr = s.rewrite(addr)
	if !clean(rfc822.Text(addr)) {
		return nil, errControl
	}
	if s.name == nil {
		return addr, nil
	}
	name := ascii.OneLine(*s.name)
	if s.nameAsComment {
		return append(addr, rfc822.Token{Kind: rfc822.Comment, Text: name}), nil
	}
	list := append([]rfc822.Token{{Kind: rfc822.Quoted, Text: name}, {Kind: rfc822.Left}}, addr...)
	return append(list, rfc822.Token{Kind: rfc822.Right}), nil
}

// followup appends a Mail-Followup-To field if the message goes to one of the user's mailing lists.
func (h *header) followup(b []byte, in *injection) []byte {
	wanted := false
	for _, a := range h.listed {
		wanted = wanted || in.lists.Has(a)
	}
	if !wanted {
		return b
	}
	b = append(b, "Mail-Followup-To: "...)
	for i := len(h.listed) - 1; i >= 0; i-- {
		b = append(b, ascii.OneLine(rfc822.Quote(h.listed[i]))...)
		if i > 0 {
			b = append(b, ",\n  "...)
		}
	}
	return append(b, '\n')
}

// held is the part of the header that waits until the fields before it are known.
type held struct {
	blocks [][]byte
	size   int
}

// blockSize is how much memory held asks for at a time.
const blockSize = 64 << 10

func (h *held) add(field []byte) error {
	if h.size += len(field); h.size > maxHeader {
		return errLongHeader
	}
	n := len(h.blocks)
	if n == 0 || cap(h.blocks[n-1])-len(h.blocks[n-1]) < len(field) {
		size := blockSize
		if n == 0 {
			size = 2048
		}
		h.blocks = append(h.blocks, make([]byte, 0, max(size, len(field))))
		n++
	}
	h.blocks[n-1] = append(h.blocks[n-1], field...)
	return nil
}

// clean reports whether no address holds a control byte: a NUL no envelope can carry, and the others end or hide lines
// wherever the address is shown.
func clean(addresses ...string) bool {
	for _, a := range addresses {
		if ascii.HasControl(a) {
			return false
		}
	}
	return true
}
