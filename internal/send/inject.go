package send

import (
	"io"
	"os"

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

func (q queueing) Inject(sender, recipient string, write func(io.Writer) error) (int, error) {
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
	return m.Pid(), nil
}
