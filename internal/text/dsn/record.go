package dsn

import (
	"strconv"
	"strings"
)

// A Record is what is asked for about a message, about one of its recipients, or, in one delivery, about both.
//
// It is a list of fields, each with a semicolon before it: of the message RET and ENVID, of a recipient its number in
// the envelope (N) or its address in xtext (TO), and NOTIFY and ORCPT. A semicolon in a value is +3B.
type Record struct {
	Message
	Recipient
	N  int    // the recipient with this number, from 0; -1: none. Then there is nothing about the message.
	To string // the same for the recipient with this address; "": none
}

// Append appends the record.
func (r Record) Append(b []byte) []byte {
	field := func(name, value string) {
		b = append(append(append(b, ';'), name...), '=')
		b = append(b, strings.ReplaceAll(value, ";", "+3B")...)
	}
	switch {
	case r.N >= 0:
		field("N", strconv.Itoa(r.N))
	case r.To != "":
		field("TO", Xtext(r.To))
	default:
		if r.Ret != "" {
			field("RET", r.Ret)
		}
		if r.EnvID != "" {
			field("ENVID", r.EnvID)
		}
	}
	if r.Notify != 0 {
		field("NOTIFY", r.Notify.String())
	}
	if r.Orcpt != "" {
		field("ORCPT", r.Orcpt)
	}
	return b
}

// ParseRecord reads a record. A field that makes no sense is as if it were not there: it must not keep a message from
// being delivered. ok is false for a record of which nothing is left.
func ParseRecord(s string) (r Record, ok bool) {
	r.N = -1
	if len(s) > MaxRecord {
		return r, false
	}
	whose := false
	for _, field := range strings.Split(s, ";") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "RET":
			if ret, good := ParseRet(value); good {
				r.Ret = ret
			}
		case "ENVID":
			if value = semicolons(value); IsEnvID(value) {
				r.EnvID = value
			}
		case "N":
			if n, err := strconv.ParseUint(value, 10, 31); err == nil && !whose {
				r.N, whose = int(n), true
			}
		case "TO":
			if isXtext(value) && !whose {
				r.To, whose = Text(value), true
			}
		case "NOTIFY":
			if n, good := ParseNotify(value); good {
				r.Notify = n
			}
		case "ORCPT":
			if value = semicolons(value); IsOrcpt(value) {
				r.Orcpt = value
			}
		}
	}
	if whose {
		r.Message = Message{}
	}
	return r, r.Message != Message{} || r.Recipient != Recipient{}
}

func semicolons(value string) string { return strings.ReplaceAll(value, "+3B", ";") }

// A Set is what is asked for about a message and its recipients, by their addresses. A nil one asks for nothing.
type Set struct {
	Message
	to   map[string]Recipient
	size int // of the records
}

// Add adds a record about the message or about a recipient by its address. Of several about one of them the first
// counts, and none when there are too many.
func (s *Set) Add(r Record) *Set {
	if s == nil {
		s = new(Set)
	}
	s.size += len(r.To) + len(r.Orcpt) + len(r.EnvID) + len(";TO=;NOTIFY=;ORCPT=")
	switch _, again := s.to[r.To]; {
	case s.size > maxSet || again:
	case r.To == "":
		if s.Message == (Message{}) {
			s.Message = r.Message
		}
	default:
		if s.to == nil {
			s.to = make(map[string]Recipient)
		}
		s.to[r.To] = r.Recipient
	}
	return s
}

// To returns what is asked for about the recipient with an address.
func (s *Set) To(addr string) Recipient {
	if s == nil {
		return Recipient{}
	}
	return s.to[addr]
}

// Delivery returns the record of a delivery to the recipient with an address, empty where nothing is asked for.
func (s *Set) Delivery(addr string) string {
	if s == nil {
		return ""
	}
	return string(Record{Message: s.Message, Recipient: s.to[addr], N: -1}.Append(nil))
}

// Each calls f for each recipient about whom something is asked for.
func (s *Set) Each(f func(addr string, r Recipient)) {
	if s != nil {
		for a, r := range s.to {
			f(a, r)
		}
	}
}
