package authd

import (
	"errors"
	"sync"
	"time"

	"qmail/internal/auth/authproto"
)

// A session is one connection.
type session struct {
	*Server
	conn *authproto.Server
	gone chan struct{} // closed when the client is no longer there

	mu        sync.Mutex
	exchanges map[uint32]*exchange
	lost      int // given up, and still busy
}

// converse answers a client until it goes.
func (s *Server) converse(conn authproto.Conn) {
	p, err := authproto.NewServer(conn, s.mechanisms(), s.Pid, s.counted.Add(1))
	if err != nil {
		return
	}
	c := &session{Server: s, conn: p, gone: make(chan struct{}), exchanges: map[uint32]*exchange{}}
	defer close(c.gone)
	for range maxRequests {
		// A session that is kept for the next client may be silent for as long as it likes.
		cmd, err := p.Next(time.Time{})
		if err != nil || c.do(cmd) != nil {
			return
		}
	}
}

var errState = errors.New("authd: not in this state of the exchange")

// do does what a client wants. What takes time is done beside it, so that the client can give it up.
func (c *session) do(cmd authproto.Command) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.exchanges[cmd.ID]
	switch cmd.Kind {
	case authproto.Auth:
		if e != nil || !c.room() {
			return errState
		}
		e = &exchange{session: c, id: cmd.ID, request: cmd.Request, began: time.Now(),
			stop: make(chan struct{})}
		c.exchanges[cmd.ID] = e
		e.next = e.first()
		response, has := cmd.Request.Initial, cmd.Request.HasInitial
		e.request.Initial = nil
		e.step(func() answer { return e.begin(response, has) })
	case authproto.Cont:
		if e == nil || e.busy {
			return errState
		}
		e.step(func() answer { return e.next(cmd.Response) })
	case authproto.Cancel:
		if e != nil {
			delete(c.exchanges, cmd.ID)
			close(e.stop)
			if e.cancelled = true; e.busy {
				c.lost++
			}
		}
	}
	return nil
}

// room reports whether there is room for one more exchange. What a client began long ago and forgot makes room.
func (c *session) room() bool {
	for id, e := range c.exchanges {
		if !e.busy && time.Since(e.began) > exchangeTime {
			delete(c.exchanges, id)
		}
	}
	return len(c.exchanges)+c.lost < maxExchanges
}

// step takes a step of the exchange, and tells the client what came of it. c.mu is held.
func (e *exchange) step(take func() answer) {
	e.busy = true
	go func() {
		a := take()
		c := e.session
		c.mu.Lock()
		defer c.mu.Unlock()
		if e.busy = false; e.cancelled {
			c.lost--
			return
		}
		if a.state != authproto.Continue {
			delete(c.exchanges, e.id)
		}
		switch a.state {
		case authproto.Continue:
			c.conn.Continue(e.id, a.challenge)
		case authproto.OK:
			c.conn.OK(e.id, a.user)
		default:
			c.conn.Fail(e.id, authproto.Failure{User: a.user, Temporary: a.temporary})
		}
	}()
}
