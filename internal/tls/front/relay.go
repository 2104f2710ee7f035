package front

import (
	"errors"
	"io"
	"os"
	"time"

	"qmail/internal/sys"
)

const (
	// room is how many bytes one direction has on its way here; it is a record of TLS.
	room = 16 << 10
	// farewell is how long a server that has said all may take to end, before its client is told that this was all.
	farewell = 5 * time.Second
)

// A Server is the process that serves a client, as this end sees it.
type Server struct {
	To   *os.File // our end of a sys.OneWay
	From *os.File // has deadlines
	// Gone is closed when the process has ended, after Crashed was set.
	Gone    <-chan struct{}
	Crashed *bool
}

// Why a relay ended before the server had said all.
var (
	ErrIdle    = errors.New("nobody says anything")
	ErrCrashed = errors.New("the program has crashed")
)

// Relay carries what both say until the server has said all: only then, and only where it did not crash, is the client
// told that this was the end. The server is told of an end only where the client has announced one; after any error
// it reads an error. Nothing may move for as long as idle says.
func (c *Client) Relay(s Server, idle time.Duration) error {
	limit := time.NewTimer(idle)
	defer limit.Stop()
	moved := func() { limit.Reset(idle) }
	heard, said := make(chan error, 1), make(chan error, 1)
	go func() {
		reading, writing := carry(s.To, c.conn, moved)
		if reading == nil && writing == nil {
			sys.EndOneWay(s.To)
		}
		heard <- reading // a server that does not listen any more may still have something to say
	}()
	go func() {
		reading, writing := carry(c.conn, s.From, moved)
		said <- errors.Join(reading, writing)
	}()
	err := c.wait(heard, said, limit.C)
	if err == nil {
		select {
		case <-s.Gone:
			if *s.Crashed {
				err = ErrCrashed
			}
		case <-time.After(farewell):
		}
	}
	if err == nil {
		err = c.goodbye()
	}
	return err
}

// goodbye tells the client that this was all. One that does not read what it was sent is not waited for long.
func (c *Client) goodbye() error {
	told := make(chan error, 1)
	go func() { told <- c.conn.CloseWrite() }()
	select {
	case err := <-told:
		return err
	case <-time.After(farewell):
		return ErrIdle
	}
}

// wait waits until the server has said all, or one of them has gone.
func (c *Client) wait(heard, said <-chan error, idle <-chan time.Time) error {
	for {
		select {
		case err := <-heard:
			if err != nil {
				return err
			}
			heard = nil
		case err := <-said:
			return err
		case <-idle:
			return ErrIdle
		}
	}
}

// carry copies until an end.
func carry(to io.Writer, from io.Reader, moved func()) (reading, writing error) {
	b := make([]byte, room)
	for {
		n, err := from.Read(b)
		if n > 0 {
			moved()
			if _, writing = to.Write(b[:n]); writing != nil {
				return nil, writing
			}
			moved()
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}
