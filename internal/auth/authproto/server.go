package authproto

import (
	"bufio"
	"strconv"
	"sync"
	"time"
)

// A Mechanism is what a server says of one.
type Mechanism struct {
	Name      string
	Plaintext bool // the server sees the password
}

// A Kind is what a client wants.
type Kind uint8

const (
	// Auth begins an exchange.
	Auth Kind = iota
	// Cont goes on with one.
	Cont
	// Cancel gives one up.
	Cancel
)

// A Command is a line of a client.
type Command struct {
	Kind     Kind
	ID       uint32
	Request  Request // of Auth
	Response []byte  // of Cont
}

// A Failure says why nobody was let in.
type Failure struct {
	User      string
	Temporary bool
}

// A Server is the server's end of one connection. Next is for one goroutine, the answers for any.
type Server struct {
	conn Conn
	in   *bufio.Reader
	mu   sync.Mutex
	bad  error
	line []byte
}

// NewServer greets a client, which is the id-th of this process pid, and reads its greeting.
func NewServer(conn Conn, mechs []Mechanism, pid int, id uint32) (*Server, error) {
	s := &Server{conn: conn, in: bufio.NewReaderSize(conn, maxLine)}
	b := []byte("VERSION\t" + major + "\t" + minor + "\n")
	for _, m := range mechs {
		b = append(append(b, "MECH\t"...), m.Name...)
		if m.Plaintext {
			b = append(b, "\tplaintext"...)
		} else {
			b = append(b, "\tmutual-auth"...)
		}
		if plus(m.Name) {
			b = append(b, "\t"+exporter...)
		}
		b = append(b, '\n')
	}
	b = strconv.AppendInt(append(b, "SPID\t"...), int64(pid), 10)
	b = strconv.AppendUint(append(b, "\nCUID\t"...), uint64(id), 10)
	// The cookie is for those who ask about a login afterwards, which nobody may here.
	b = append(b, "\nCOOKIE\t00000000000000000000000000000000\nDONE\n"...)
	if err := s.write(b); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(greeting)); err != nil {
		return nil, err
	}
	f, err := readLine(s.in)
	if err == nil {
		err = version(f)
	}
	if err != nil {
		return nil, err
	}
	if f, err = readLine(s.in); err != nil {
		return nil, err
	}
	if len(f) != 2 || string(f[0]) != "CPID" {
		return nil, ErrProtocol
	}
	_, err = number(f[1])
	return s, err
}

// Next reads a command, which may take until end. A client that sends anything else is not one to go on with.
func (s *Server) Next(end time.Time) (c Command, err error) {
	if err := s.conn.SetReadDeadline(end); err != nil {
		return c, err
	}
	f, err := readLine(s.in)
	if err != nil {
		return c, err
	}
	if len(f) < 2 {
		return c, ErrProtocol
	}
	if c.ID, err = number(f[1]); err != nil {
		return c, err
	}
	switch string(f[0]) {
	case "AUTH":
		c.Request, err = parseRequest(f[2:])
	case "CONT":
		if c.Kind = Cont; len(f) != 3 {
			return c, ErrProtocol
		}
		c.Response, err = decode(f[2])
	case "CANCEL":
		if c.Kind = Cancel; len(f) != 2 {
			return c, ErrProtocol
		}
	default:
		return c, ErrProtocol
	}
	return c, err
}

// Continue asks for a response to challenge.
func (s *Server) Continue(id uint32, challenge []byte) error {
	return s.say("CONT", id, func(b []byte) []byte { return appendBase64(b, "", challenge) })
}

// OK says that the client is user.
func (s *Server) OK(id uint32, user string) error {
	return s.say("OK", id, func(b []byte) []byte { return appendField(b, "user=", user) })
}

// Fail says that nobody is let in.
func (s *Server) Fail(id uint32, f Failure) error {
	return s.say("FAIL", id, func(b []byte) []byte {
		if f.User != "" && printable(f.User, maxUser) {
			b = appendField(b, "user=", f.User)
		}
		if f.Temporary {
			b = append(b, "\ttemp\tcode=temp_fail"...)
		}
		return b
	})
}

func (s *Server) say(verb string, id uint32, rest func([]byte) []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = append(rest(appendID(append(s.line[:0], verb...), id)), '\n')
	return s.write(s.line)
}

// write writes b, which a client that reads nothing keeps for no longer than a greeting may take.
func (s *Server) write(b []byte) error {
	if s.bad == nil {
		s.bad = s.conn.SetWriteDeadline(time.Now().Add(greeting))
	}
	if s.bad == nil {
		_, s.bad = s.conn.Write(b)
	}
	return s.bad
}
