package check

import (
	"os"
	"sync"
	"time"

	"qmail/internal/sys"
)

const (
	// maxRunning bounds the programs that run at once.
	maxRunning = 16
	// programTime is how long a program may take.
	programTime = 30 * time.Second
	// answerTime is how long an answer may take, with the wait for a place.
	answerTime = 50 * time.Second
)

// A Client asks the process that starts the programs. It is for any number of goroutines.
type Client struct {
	socket *os.File
	places chan struct{}
	mu     sync.Mutex
	next   uint32
	asked  map[uint32]chan Verdict
	gone   chan struct{} // closed when nobody answers any more
}

// NewClient makes a Client of the first of a sys.PacketPair.
func NewClient(socket *os.File) *Client {
	c := &Client{socket: socket, places: make(chan struct{}, maxRunning), asked: map[uint32]chan Verdict{},
		gone: make(chan struct{})}
	go c.listen()
	return c
}

// Gone is closed when the other end is no longer there.
func (c *Client) Gone() <-chan struct{} { return c.gone }

func (c *Client) listen() {
	defer close(c.gone)
	b := make([]byte, answerSize+1)
	for {
		n, _, err := sys.ReceivePacket(c.socket, b, 0)
		if err != nil {
			return
		}
		id, v, err := parseAnswer(b[:n])
		if err != nil {
			return
		}
		c.mu.Lock()
		if to := c.asked[id]; to != nil {
			to <- v
			delete(c.asked, id)
		}
		c.mu.Unlock()
	}
}

// Ask has a name and what goes with it checked.
func (c *Client) Ask(kind Kind, name string, secret []byte) Verdict {
	end := time.NewTimer(answerTime)
	defer end.Stop()
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-end.C:
		return Temporary
	case <-c.gone:
		return Temporary
	}
	answer := make(chan Verdict, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	c.asked[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.asked, id)
		c.mu.Unlock()
	}()
	b := request{id, kind, []byte(name), secret}.append(nil)
	defer clear(b)
	if _, err := parseRequest(b); err != nil {
		return No // no program can be told so
	}
	if sys.SendPacket(c.socket, b) != nil {
		return Temporary
	}
	select {
	case v := <-answer:
		return v
	case <-end.C:
	case <-c.gone:
	}
	return Temporary
}
