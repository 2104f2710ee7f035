package dns

import (
	"errors"

	"golang.org/x/net/dns/dnsmessage"

	"qmail/internal/text/ascii"
)

// A Resolver asks the servers of one reading of resolv.conf. Several goroutines may use it.
type Resolver struct {
	conf   config
	budget *budget // nil: there is no bound but those of each lookup
}

// SystemConf is where the system says which servers to ask.
const SystemConf = "/etc/resolv.conf"

// Open reads a resolv.conf. It is read anew for each job, since a machine may change its network
// while a worker waits.
func Open(path string) *Resolver { return &Resolver{conf: readConf(path)} }

// lookup asks for the records of one type at name and hands each to take, following CNAMEs.
func (r *Resolver) lookup(name string, t dnsmessage.Type, take func(dnsmessage.ResourceBody)) error {
	_, err := r.follow(name, t, take)
	return err
}

// canonical returns the name at the end of the CNAMEs, if it has a record of type t.
func (r *Resolver) canonical(name string, t dnsmessage.Type) (string, error) {
	end, err := r.follow(name, t, func(dnsmessage.ResourceBody) {})
	return end.name, err
}

// An end is where CNAMEs lead. Secure, also beside ErrNotFound, says that DNSSEC vouches for all the way there, by a
// server that we trust.
type end struct {
	name   string
	secure bool
	exists bool // beside ErrNotFound: the name is there, without a record of that type
}

func (r *Resolver) follow(name string, t dnsmessage.Type, take func(dnsmessage.ResourceBody)) (end, error) {
	n, ok := wireName(name)
	if !ok {
		return end{}, ErrNotFound
	}
	secure := true
	for hops := 0; ; {
		a, err := r.ask(dnsmessage.Question{Name: n, Type: t, Class: dnsmessage.ClassINET})
		if err != nil {
			return end{}, err
		}
		secure = secure && a.secure
		last, found, err := a.walk(n, t, &hops, take)
		switch {
		case err != nil:
			return end{}, err
		case found:
			return end{name: undot(last.String()), secure: secure, exists: true}, nil
		case same(last, n):
			return end{secure: secure, exists: !a.missing || hops > 0}, ErrNotFound
		case a.missing:
			return end{secure: secure, exists: true}, ErrNotFound // the name that the last CNAME points at
		}
		n = last // the server did not follow the CNAME for us
	}
}

// wireName returns a name as it stands in a question. Names that cannot exist have none.
func wireName(s string) (dnsmessage.Name, bool) {
	s = undot(s)
	if s == "" || s == "." || len(s) > 253 {
		return dnsmessage.Name{}, false
	}
	label := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '.' {
			label++
			continue
		}
		if label == 0 || label > 63 {
			return dnsmessage.Name{}, false
		}
		label = 0
	}
	if label == 0 || label > 63 {
		return dnsmessage.Name{}, false
	}
	n, err := dnsmessage.NewName(s + ".")
	return n, err == nil
}

// same reports whether two names are equal, case aside.
func same(a, b dnsmessage.Name) bool { return ascii.Equal(a.String(), b.String()) }

// An answer is what a server said to one question, checked to belong to it.
type answer struct {
	missing bool // no such name
	secure  bool // DNSSEC vouches for it, says a server that we trust
	records []dnsmessage.Resource
}

var errAnswer = errors.New("malformed DNS answer")

// walk follows the CNAMEs inside an answer from name and takes the records at their end.
func (a *answer) walk(name dnsmessage.Name, t dnsmessage.Type, hops *int,
	take func(dnsmessage.ResourceBody)) (end dnsmessage.Name, found bool, err error) {
	for {
		var next *dnsmessage.CNAMEResource
		for i := range a.records {
			rr := &a.records[i]
			if rr.Header.Class != dnsmessage.ClassINET || !same(rr.Header.Name, name) {
				continue
			}
			if rr.Header.Type == t {
				take(rr.Body)
				found = true
			} else if c, ok := rr.Body.(*dnsmessage.CNAMEResource); ok && next == nil {
				next = c
			}
		}
		if found || next == nil {
			return name, found, nil
		}
		if *hops++; *hops > maxHops {
			return name, false, errLoop
		}
		name = next.CNAME
	}
}

// A head is the header of a packet that answers a question, and whether it repeats the question byte by byte.
type head struct {
	dnsmessage.Header
	echoes bool
}

// parseAnswer reads a packet. Ok is false when it does not answer this question, so that whoever sent it
// can be ignored; err is a server's failure.
func parseAnswer(b []byte, id uint16, q dnsmessage.Question) (a *answer, h head, ok bool, err error) {
	var p dnsmessage.Parser
	h.Header, err = p.Start(b)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return nil, h, false, nil
	}
	got, err := p.Question()
	if errors.Is(err, dnsmessage.ErrSectionDone) && h.RCode != dnsmessage.RCodeSuccess {
		// A server that could not read the question may answer without it.
		h.echoes = true
		return nil, h, true, errServer
	}
	if err != nil || got.Type != q.Type || got.Class != q.Class || !same(got.Name, q.Name) {
		return nil, h, false, nil
	}
	h.echoes = echoed(got.Name, q.Name)
	if err := p.SkipAllQuestions(); err != nil {
		return nil, h, true, errAnswer
	}
	if h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError {
		return nil, h, true, errServer
	}
	if h.Truncated {
		return nil, h, true, nil // to be asked again over TCP; what came is of no use
	}
	a = &answer{missing: h.RCode == dnsmessage.RCodeNameError}
	if err := a.read(&p, q.Type); err != nil {
		return nil, h, true, errAnswer
	}
	if !a.missing && len(a.records) == 0 && !h.Authoritative && !h.RecursionAvailable {
		return nil, h, true, errServer // lame: it neither knows nor asks
	}
	return a, h, true, nil
}

// read keeps the records of the wanted type and the CNAMEs.
func (a *answer) read(p *dnsmessage.Parser, t dnsmessage.Type) error {
	for len(a.records) < maxRecords {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Type != t && h.Type != dnsmessage.TypeCNAME {
			if err := p.SkipAnswer(); err != nil {
				return err
			}
			continue
		}
		body, err := record(p, h.Type)
		if err != nil {
			return err
		}
		a.records = append(a.records, dnsmessage.Resource{Header: h, Body: body})
	}
	return nil
}

func record(p *dnsmessage.Parser, t dnsmessage.Type) (dnsmessage.ResourceBody, error) {
	switch t {
	case dnsmessage.TypeA:
		r, err := p.AResource()
		return &r, err
	case dnsmessage.TypeAAAA:
		r, err := p.AAAAResource()
		return &r, err
	case dnsmessage.TypeMX:
		r, err := p.MXResource()
		return &r, err
	case dnsmessage.TypePTR:
		r, err := p.PTRResource()
		return &r, err
	case dnsmessage.TypeCNAME:
		r, err := p.CNAMEResource()
		return &r, err
	case dnsmessage.TypeTXT:
		r, err := p.TXTResource()
		return &r, err
	case typeTLSA:
		r, err := p.UnknownResource()
		return &r, err
	}
	return nil, errAnswer
}
