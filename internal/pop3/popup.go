// Package pop3 is the server's side of a POP3 session, before the login and after it; see
// qmail-popup(8) and qmail-pop3d(8).
package pop3

import (
	"io"
	"os"
	"strconv"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
	"qmail/internal/text/exit"
)

const (
	// timeout is how long a client may be silent.
	timeout = 1200 * time.Second
	// maxCommand is the most bytes of a command line.
	maxCommand = 4096
	// replyRoom is how many bytes of an answer are collected before they are sent.
	replyRoom = 16 << 10
)

// A dialogue is what both sessions do: read commands and send answers.
type dialogue struct {
	conn *sys.Dialogue
	in   *crlf.Reader
	out  []byte // what waits until the client has to speak
	bad  error  // why out could not be sent
}

func newDialogue(in, out *os.File) *dialogue {
	d := &dialogue{conn: sys.NewDialogue(in, out)}
	d.conn.Timeout(timeout)
	d.in = crlf.NewReader(d)
	return d
}

// Read sends what waits, and then waits for the client.
func (d *dialogue) Read(b []byte) (int, error) {
	if err := d.flush(); err != nil {
		return 0, err
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

func (d *dialogue) ok(text string) { d.say("+OK ", text) }
func (d *dialogue) no(text string) { d.say("-ERR ", text) }

func (d *dialogue) say(kind, text string) {
	d.out = append(append(append(d.out, kind...), text...), '\r', '\n')
	if len(d.out) > replyRoom {
		d.flush()
	}
}

// command reads a command; the verb is folded.
func (d *dialogue) command(now time.Time) (verb string, arg []byte, err error) {
	d.conn.Within(now.Add(timeout))
	line, err := d.in.Line(maxCommand)
	if err != nil {
		return "", nil, err
	}
	v, arg := crlf.Verb(line)
	return ascii.LowerString(string(v)), arg, nil
}

// A Popup has what a session before the login needs from its process.
type Popup struct {
	Host string // of the banner
	Pid  int
	Now  func() time.Time
	// Start starts the program that checks the password, with login as its descriptor 3. wait waits for its end; crashed
	// is for one that a signal ended.
	Start func(login *os.File) (wait func() (code exit.Code, crashed bool), err error)
}

// Serve reads a user's name and password and has the program check them, which then serves the user. It never fails or
// succeeds itself.
func (p Popup) Serve(in, out *os.File) {
	d := newDialogue(in, out)
	banner := "<" + strconv.Itoa(p.Pid) + "." + strconv.FormatInt(p.Now().Unix(), 10) + "@" + p.Host + ">"
	d.ok(banner)
	user, named := "", false
	for {
		verb, arg, err := d.command(p.Now())
		if err != nil {
			d.flush()
			return
		}
		switch verb {
		case "user":
			if len(arg) == 0 {
				d.no("syntax error")
				break
			}
			user, named = string(arg), true
			d.ok("")
		case "pass":
			switch {
			case !named:
				d.no("USER first")
			case len(arg) == 0:
				d.no("syntax error")
			default:
				p.login(d, user, string(arg), banner)
				return
			}
		case "apop":
			name, digest := crlf.Verb(arg)
			if len(digest) == 0 {
				d.no("syntax error")
				break
			}
			p.login(d, string(name), string(digest), banner)
			return
		case "quit":
			d.ok("")
			d.flush()
			return
		default:
			d.no("authorization first")
		}
	}
}

// login has the program check name and password. If it likes them it serves the session on our descriptors, and we
// only wait.
func (p Popup) login(d *dialogue, name, password, banner string) {
	defer d.flush()
	if d.flush() != nil {
		return
	}
	d.conn.Timeout(0) // the client is the program's now
	r, w, err := os.Pipe()
	if err != nil {
		d.no("unable to open pipe")
		return
	}
	wait, err := p.Start(r)
	r.Close()
	if err != nil {
		w.Close()
		d.no("unable to fork")
		return
	}
	if !has0(name) && !has0(password) {
		io.WriteString(w, name+"\x00"+password+"\x00"+banner+"\x00")
	}
	w.Close()
	code, crashed := wait()
	d.conn.Timeout(timeout)
	switch {
	case crashed:
		d.no("aack, child crashed")
	case code != exit.OK:
		d.no("authorization failed")
	}
}

// has0 reports whether s has a NUL, which would tell the program another password.
func has0(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			return true
		}
	}
	return false
}
