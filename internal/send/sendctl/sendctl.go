// Package sendctl is how the queue tools ask qmail-send to do something to a message. They never touch the
// files of a message themselves, since qmail-send takes those for its own.
//
// It is a SOCK_SEQPACKET socket in a folder of the queue that only root and qmails may enter. A request is one packet:
// its verb and the message's number in decimal. It is answered by one packet of one byte, in order.
package sendctl

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"qmail/internal/sys"
)

// A Verb is what to do.
type Verb byte

const (
	Remove  Verb = 'r' // remove the message; nobody is told
	Bounce  Verb = 'b' // remove it and tell its sender that those who have not got it will not
	Hold    Verb = 'h' // do not try it until it is released, by this qmail-send or a later one
	Release Verb = 'l' // try a held message again, now
	Run     Verb = 'n' // try the message now
	RunAll  Verb = 'a' // try all messages now, as SIGALRM; the number is 0
)

// An Answer is what became of it.
type Answer byte

const (
	Done      Answer = '+' // it is done
	Unknown   Answer = '-' // there is no such message, or it is finished
	Held      Answer = 'h' // the message is held: not run
	NotHeld   Answer = 'n' // the message is not held: not released
	Trouble   Answer = '!' // not now: the log says more
	Malformed Answer = 'x' // the request made no sense
)

// A Request is one.
type Request struct {
	Verb Verb
	ID   uint64
}

// ErrNotRunning says that no qmail-send is there to be asked.
var ErrNotRunning = errors.New("qmail-send is not running")

// maxPacket bounds both packets.
const maxPacket = 32

// Append appends the request as it goes over the socket.
func (q Request) Append(b []byte) []byte {
	return strconv.AppendUint(append(b, byte(q.Verb)), q.ID, 10)
}

// Parse reads a request.
func Parse(b []byte) (Request, bool) {
	if len(b) < 2 {
		return Request{}, false
	}
	switch Verb(b[0]) {
	case Remove, Bounce, Hold, Release, Run, RunAll:
	default:
		return Request{}, false
	}
	id, err := strconv.ParseUint(string(b[1:]), 10, 64)
	return Request{Verb(b[0]), id}, err == nil && b[1] != '+'
}

func path(queueDir string) string { return filepath.Join(queueDir, "sendctl", "socket") }

// Listen begins to take requests for the queue in queueDir. ask is called from goroutines of its own and returns
// the answer. An error means that the tools cannot be served, and nothing more.
func Listen(queueDir string, ask func(Request) Answer) error {
	l, err := sys.ListenPackets(path(queueDir), 0o600)
	if err != nil {
		return err
	}
	go func() {
		for {
			f, _, err := l.Accept()
			if err != nil {
				return
			}
			go serve(f, ask)
		}
	}()
	return nil
}

func serve(f *os.File, ask func(Request) Answer) {
	defer f.Close()
	buf := make([]byte, maxPacket)
	for {
		n, _, err := sys.ReceivePacket(f, buf, 0)
		if err != nil {
			return
		}
		a := Malformed
		if q, ok := Parse(buf[:n]); ok {
			a = ask(q)
		}
		if sys.SendPacket(f, []byte{byte(a)}) != nil {
			return
		}
	}
}

// A Client is a tool's end.
type Client struct{ f *os.File }

// Dial connects to the qmail-send of the queue in queueDir; ErrNotRunning when there is none, or one that takes no
// requests.
func Dial(queueDir string) (*Client, error) {
	f, err := sys.DialPackets(path(queueDir))
	if err == sys.ErrNobody {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	return &Client{f}, nil
}

// Ask sends a request and waits for its answer, which comes when the thing is done: to remove a message that is
// being delivered takes until that delivery has ended.
func (c *Client) Ask(q Request) (Answer, error) {
	if err := sys.SendPacket(c.f, q.Append(nil)); err != nil {
		return 0, err
	}
	var buf [maxPacket]byte
	n, _, err := sys.ReceivePacket(c.f, buf[:], 0)
	if err == io.EOF || err == nil && n != 1 {
		return 0, ErrNotRunning
	}
	return Answer(buf[0]), err
}

// Close ends the conversation.
func (c *Client) Close() error { return c.f.Close() }
