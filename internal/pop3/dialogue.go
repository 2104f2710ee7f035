package pop3

import (
	"errors"
	"os"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
)

const (
	// timeout is how long a client may be silent.
	timeout = 1200 * time.Second
	// maxCommand is the most bytes of a command line.
	maxCommand = 4096
	// replyRoom is how many bytes of an answer are collected before they are sent.
	replyRoom = 16 << 10
)

// limits bound a session. Those that are 0 do not.
type limits struct {
	errors   int // answers of -ERR
	commands int
	time     time.Duration
}

// A dialogue is what both sessions do: read commands and send answers.
type dialogue struct {
	conn     *sys.Dialogue
	in       *crlf.Reader
	bytewise bool   // nothing is read behind the line that is wanted
	out      []byte // what waits until the client has to speak
	bad      error  // why out could not be sent

	limits
	began           time.Time
	refused, number int
}

// errLimit says that a client has gone past what a session may have.
var errLimit = errors.New("pop3: too much for one session")

func newDialogue(in, out *os.File, l limits) *dialogue {
	d := &dialogue{conn: sys.NewDialogue(in, out), limits: l}
	d.conn.Timeout(timeout)
	d.in = crlf.NewReader(d)
	return d
}

// Read sends what waits, and then waits for the client.
func (d *dialogue) Read(b []byte) (int, error) {
	if err := d.flush(); err != nil {
		return 0, err
	}
	if d.bytewise {
		b = b[:1]
	}
	return d.conn.Read(b)
}

func (d *dialogue) flush() error {
	if len(d.out) > 0 && d.bad == nil {
		_, d.bad = d.conn.Write(d.out)
	}
	d.out = d.out[:0]
	return d.bad
}

// release sends what waits and leaves the client to somebody else.
func (d *dialogue) release() error {
	err := d.flush()
	d.conn.Timeout(0)
	return err
}

func (d *dialogue) ok(text string) { d.say("+OK ", text) }

func (d *dialogue) no(text string) {
	d.refused++
	d.say("-ERR ", text)
}

func (d *dialogue) say(kind, text string) {
	d.out = append(append(append(d.out, kind...), text...), '\r', '\n')
	if len(d.out) > replyRoom {
		d.flush()
	}
}

// command reads a command; the verb is folded. No command counts whose answer nobody gets.
func (d *dialogue) command(now time.Time) (verb string, arg []byte, err error) {
	if d.bad != nil {
		return "", nil, d.bad
	}
	if d.began.IsZero() {
		d.began = now
	}
	d.number++
	if over(d.refused, d.limits.errors) || over(d.number, d.limits.commands) ||
		d.limits.time > 0 && now.Sub(d.began) > d.limits.time {
		d.no("too much for one session")
		return "", nil, errLimit
	}
	d.conn.Within(now.Add(timeout))
	line, err := d.in.Line(maxCommand)
	if err != nil {
		return "", nil, err
	}
	v, arg := crlf.Verb(line)
	return ascii.LowerString(string(v)), arg, nil
}

func over(n, limit int) bool { return limit > 0 && n > limit }
