package send

import (
	"io"
	"os"

	"qmail/internal/send/route"
	"qmail/internal/submit"
)

// injectors is how many bounces are handed to qmail-queue at once.
const injectors = 4

// queueing injects by qmail-queue. A client serves one message at a time.
type queueing chan *submit.Client

// NewInjector returns an Injector that starts qmail-queue with this environment; stderr is its descriptor 2.
func NewInjector(env []string, stderr *os.File) Injector {
	q := make(queueing, injectors)
	c := submit.New(env, stderr)
	c.Keep(submit.How{Soon: true})
	for range injectors {
		q <- c.With(env)
	}
	return q
}

func (q queueing) Inject(sender, recipient string, write func(io.Writer) error) (uint64, error) {
	c := <-q
	defer func() { q <- c }()
	m, err := c.Open()
	if err != nil {
		return 0, err
	}
	if err := write(m); err != nil {
		m.Abort()
		return 0, err
	}
	m.From(sender)
	m.To(recipient)
	if err := m.Commit(); err != nil {
		return 0, err
	}
	return m.QP(), nil
}

// bounceOrder keeps new messages back that may be bounces on their way: a bounce is a new message as soon as it is
// queued, but the log tells first what it is about.
type bounceOrder struct {
	last    int              // number of the latest
	going   map[int]struct{} // those whose message has not ended
	waiting []early
	release func(early) // has a message go on that was kept back
}

// An early message may be one of the bounces up to a number.
type early struct {
	f     arrival
	table *route.Table
	until int
}

// keep reports whether a new message is to wait; it goes on by release.
func (b *bounceOrder) keep(f arrival, table *route.Table) bool {
	if len(b.going) == 0 || f.info.Sender != "" && f.info.Sender != "#@[]" {
		return false
	}
	b.waiting = append(b.waiting, early{f, table, b.last})
	return true
}

// began takes note of a bounce, or of an end that may have one, and returns its number.
func (b *bounceOrder) began() int {
	if b.going == nil {
		b.going = map[int]struct{}{}
	}
	b.last++
	b.going[b.last] = struct{}{}
	return b.last
}

// ended lets the messages go on that waited for this bounce.
func (b *bounceOrder) ended(n int) {
	delete(b.going, n)
	oldest := b.last + 1
	for x := range b.going {
		oldest = min(oldest, x)
	}
	keep := b.waiting[:0]
	var now []early
	for _, x := range b.waiting {
		if x.until < oldest {
			now = append(now, x)
		} else {
			keep = append(keep, x)
		}
	}
	clear(b.waiting[len(keep):])
	b.waiting = keep
	for _, x := range now {
		b.release(x)
	}
}
