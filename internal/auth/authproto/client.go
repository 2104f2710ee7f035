package authproto

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"qmail/internal/sys"
)

const (
	// greeting is how long a server may take until it can be asked.
	greeting = 10 * time.Second
	// patience is how long an answer may take. It must exceed the delay of a failure, at Dovecot and at qmail-authd, and
	// be less than the two minutes in which a submission server should answer.
	patience = 100 * time.Second
	// maxGreeting and maxStray bound the lines of a greeting, and those before an answer that are not for this request.
	maxGreeting, maxStray = 256, 256
	// maxReason is the most bytes of a failure's reason.
	maxReason = 200
)

var (
	// ErrMechanism says that the server does not have the mechanism, or not for such a request. The client is as it was.
	ErrMechanism = errors.New("authproto: no such mechanism")
	// ErrState says that there is no exchange that could go on, or one that has not ended. The client is as it was.
	ErrState = errors.New("authproto: not in this state of the exchange")
)

// A State is what a client has to do next.
type State uint8

const (
	// Fail ends an exchange: nobody was let in.
	Fail State = iota
	// Continue asks for a response to the challenge.
	Continue
	// OK ends an exchange: it is the user.
	OK
)

// A Step is the server's answer to a request or a response.
type Step struct {
	State     State
	Challenge []byte // of Continue
	User      string // of OK, never empty; of Fail, where the server told
	Temporary bool   // of Fail: nobody knows whether it is the user. The client may try again later
	Reason    string // of Fail, where the server told: printable, for a log
}

// A Client asks a server, one exchange after another. It is for one goroutine. After an error that is neither
// ErrMechanism nor ErrState it is of no more use, and nothing is known about the user: a temporary failure.
type Client struct {
	conn     Conn
	in       *bufio.Reader
	mechs    []string
	binding  bool // a -PLUS mechanism that takes ours
	id       uint32
	open     bool // request id waits for a response
	bad      error
	line     []byte
	patience time.Duration
}

// connections numbers the clients of this process.
var connections atomic.Uint32

// Path is the socket that control/authsocket names, below the qmail home where it is no whole path.
func Path(home, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(home, name)
}

// Dial connects to the socket at path and reads the greeting.
func Dial(path string) (*Client, error) {
	f, err := sys.DialLocal(path, greeting)
	if err != nil {
		return nil, err
	}
	return NewClient(f)
}

// NewClient reads the greeting of the server at the other end of conn, which it closes with the client or on an error.
func NewClient(conn Conn) (*Client, error) {
	c := &Client{conn: conn, in: bufio.NewReaderSize(conn, maxLine), patience: patience}
	if err := c.greet(); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// greet says who we are, by a number that no other client of the server has, and reads until DONE.
func (c *Client) greet() error {
	if err := c.within(greeting); err != nil {
		return err
	}
	// A process number has 22 bits.
	cpid := uint32(os.Getpid())&(1<<22-1) | connections.Add(1)<<22
	line := append(appendID([]byte("VERSION\t"+major+"\t"+minor+"\nCPID"), cpid), '\n')
	if _, err := c.conn.Write(line); err != nil {
		return err
	}
	versed := false
	for range maxGreeting {
		f, err := readLine(c.in)
		if err != nil {
			return err
		}
		switch string(f[0]) {
		case "VERSION":
			if err := version(f); err != nil {
				return err
			}
			versed = true
		case "MECH":
			c.learn(f[1:])
		case "DONE":
			if !versed {
				return ErrVersion
			}
			return nil
		}
	}
	return ErrProtocol
}

// learn reads a mechanism and what it says of it. Those that let anybody in, or are not for users, are none.
func (c *Client) learn(f [][]byte) {
	if len(f) == 0 {
		return
	}
	name, bound := mechanism(f[0]), false
	for _, p := range f[1:] {
		switch string(p) {
		case "anonymous", "private":
			return
		case exporter:
			bound = true
		}
	}
	if name == "" || plus(name) && !bound || slices.Contains(c.mechs, name) {
		return
	}
	c.binding = c.binding || plus(name)
	c.mechs = append(c.mechs, name)
}

// Mechanisms returns the mechanisms of the server, in capitals, in its order. One that ends in -PLUS is for requests
// with a ChannelBinding.
func (c *Client) Mechanisms() []string { return c.mechs }

// Begin begins an exchange.
func (c *Client) Begin(q Request) (Step, error) {
	name := mechanism(q.Mechanism)
	switch {
	case c.bad != nil:
		return Step{}, c.bad
	case c.open:
		return Step{}, ErrState
	case name == "" || !slices.Contains(c.mechs, name) || plus(name) && len(q.ChannelBinding) == 0:
		return Step{}, ErrMechanism
	}
	if c.id++; c.id == 0 {
		c.id = 1
	}
	return c.ask(q.append(c.line[:0], c.id, c.binding))
}

// Continue answers a challenge.
func (c *Client) Continue(response []byte) (Step, error) {
	switch {
	case c.bad != nil:
		return Step{}, c.bad
	case !c.open:
		return Step{}, ErrState
	}
	b := appendID(append(c.line[:0], "CONT"...), c.id)
	return c.ask(append(appendBase64(b, "", response), '\n'))
}

// Cancel ends an exchange that the client at the other side of the session has given up. What the server still says to
// it is not heard.
func (c *Client) Cancel() error {
	switch {
	case c.bad != nil:
		return c.bad
	case !c.open:
		return ErrState
	}
	c.open = false
	b := append(appendID(append(c.line[:0], "CANCEL"...), c.id), '\n')
	if err := c.within(greeting); err != nil {
		return c.fail(err)
	}
	if _, err := c.conn.Write(b); err != nil {
		return c.fail(err)
	}
	return nil
}

// within bounds all that is said from now on, however slowly.
func (c *Client) within(d time.Duration) error {
	end := time.Now().Add(d)
	if err := c.conn.SetReadDeadline(end); err != nil {
		return err
	}
	return c.conn.SetWriteDeadline(end)
}

// Close ends the connection.
func (c *Client) Close() error {
	if c.bad == nil {
		c.bad = os.ErrClosed
	}
	return c.conn.Close()
}

func (c *Client) fail(err error) error {
	c.bad, c.open = err, false
	return c.bad
}

// ask sends a line and waits for what the server says to this request. Answers to earlier ones may come first: they
// were cancelled, and their failures were delayed.
func (c *Client) ask(line []byte) (Step, error) {
	c.open, c.line = false, line[:0]
	if len(line) > maxLine {
		return Step{}, c.fail(errLong)
	}
	if err := c.within(c.patience); err != nil {
		return Step{}, c.fail(err)
	}
	_, err := c.conn.Write(line)
	clear(line) // there may be a password in it
	if err != nil {
		return Step{}, c.fail(err)
	}
	for range maxStray {
		f, err := readLine(c.in)
		if err != nil {
			return Step{}, c.fail(err)
		}
		var state State
		switch string(f[0]) {
		case "OK":
			state = OK
		case "FAIL":
			state = Fail
		case "CONT":
			state = Continue
		default:
			continue
		}
		if len(f) < 2 {
			return Step{}, c.fail(ErrProtocol)
		}
		id, err := number(f[1])
		if err != nil {
			return Step{}, c.fail(err)
		}
		if id != c.id {
			continue
		}
		s, err := parseStep(state, f[2:])
		if err != nil {
			return Step{}, c.fail(err)
		}
		c.open = s.State == Continue
		return s, nil
	}
	return Step{}, c.fail(ErrProtocol)
}

// parseStep reads what stands behind the id of an answer.
func parseStep(state State, f [][]byte) (s Step, err error) {
	s.State = state
	if state == Continue {
		if len(f) == 0 {
			return s, nil
		}
		s.Challenge, err = decode(f[0])
		return s, err
	}
	for _, p := range f {
		key, value, _ := bytes.Cut(p, []byte("="))
		switch string(key) {
		case "user":
			s.User = string(value)
		case "temp":
			s.Temporary = true
		case "code":
			s.Temporary = s.Temporary || string(value) == "temp_fail"
		case "reason":
			s.Reason = string(value[:min(len(value), maxReason)])
		}
	}
	if !printable(s.Reason, maxReason) {
		s.Reason = ""
	}
	switch {
	case state == OK && (s.User == "" || !printable(s.User, maxUser)):
		return s, ErrProtocol
	case state == Fail && !printable(s.User, maxUser):
		s.User = ""
	}
	return s, nil
}
