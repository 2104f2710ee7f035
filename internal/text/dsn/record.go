package dsn

import (
	"strconv"
	"strings"
)

// A Record is one record of the parameters of a message in the queue: of the message, or of one recipient.
//
// It is a list of fields, each with a semicolon before it: of the message RET, ENVID and REQUIRETLS, of a recipient
// its number in the envelope (N) or its address in xtext (TO), and NOTIFY and ORCPT. A semicolon in a value is +3B.
type Record struct {
	Message
	Recipient
	N  int    // the recipient with this number, from 0; -1: none
	To string // the recipient with this address, where N is -1; "": this is about the message
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
		if r.RequireTLS {
			b = append(b, ";REQUIRETLS"...)
		}
		return b
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
		case "REQUIRETLS":
			r.RequireTLS = true
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
		return r, r.Recipient != Recipient{}
	}
	r.Recipient = Recipient{}
	return r, r.Message != Message{}
}

func semicolons(value string) string { return strings.ReplaceAll(value, "+3B", ";") }

// A Set is what is asked for about a message and its recipients. A nil one asks for nothing.
type Set struct {
	Message
	numbers map[int]Recipient
	to      map[string]Recipient
}

// Add adds a record, as it stands in the queue. Of several about one recipient the first counts.
func (s *Set) Add(record string) *Set {
	r, ok := ParseRecord(record)
	if !ok {
		return s
	}
	if s == nil {
		s = new(Set)
	}
	switch {
	case r.N >= 0:
		if _, again := s.numbers[r.N]; !again {
			if s.numbers == nil {
				s.numbers = make(map[int]Recipient)
			}
			s.numbers[r.N] = r.Recipient
		}
	case r.To != "":
		s.Name(r.To, r.Recipient)
	default:
		s.Message = r.Message
	}
	return s
}

// Name says what is asked for about the recipient with an address.
func (s *Set) Name(to string, r Recipient) {
	if _, again := s.to[to]; again {
		return
	}
	if s.to == nil {
		s.to = make(map[string]Recipient)
	}
	s.to[to] = r
}

// Number returns what is asked for about the recipient with a number.
func (s *Set) Number(n int) Recipient {
	if s == nil {
		return Recipient{}
	}
	return s.numbers[n]
}

// To returns what is asked for about the recipient with an address.
func (s *Set) To(addr string) Recipient {
	if s == nil {
		return Recipient{}
	}
	return s.to[addr]
}

// Named calls f for each recipient that is known by its address.
func (s *Set) Named(f func(addr string, r Recipient)) {
	if s != nil {
		for a, r := range s.to {
			f(a, r)
		}
	}
}
