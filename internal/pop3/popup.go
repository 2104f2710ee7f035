// Package pop3 is the server's side of a POP3 session, before the login and after it; see
// qmail-popup(8) and qmail-pop3d(8).
package pop3

import (
	"os"
	"strconv"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/crlf"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

// A Popup has what a session before the login needs from its process.
type Popup struct {
	Host string // of the banner
	Pid  int
	Now  func() time.Time
	Log  *peerlog.Log // of who was let in, and who was not
	TLS  TLS
	// Start starts the program that checks the password, with login as its descriptor 3. wait waits for its end; crashed
	// is for one that a signal ended.
	Start func(login *os.File) (wait func() (code exit.Code, crashed bool), err error)
}

// TLS is what can be had of it. The zero value is none, and then nothing is different from what it was without.
type TLS struct {
	On   bool // the connection has it
	Must bool // nobody says who he is without it
	// Begin puts it over the connection that d is on, and has d go on with it. Nil: it is not offered.
	Begin func(d *sys.Dialogue) error
}

// A Login is what the program that checks passwords reads: the user's name, the password or digest and the banner's
// time stamp, each with a NUL behind it; or nothing, which it refuses, where one of them had a NUL.
type Login string

// MaxLogin is the most bytes of a Login.
const MaxLogin = 3 * maxCommand

// Sound reports whether l is what Ask can return.
func (l Login) Sound() bool {
	ends := 0
	for i := 0; i < len(l); i++ {
		if l[i] == 0 {
			ends++
		}
	}
	return l == "" || len(l) <= MaxLogin && ends == 3 && l[len(l)-1] == 0
}

// user returns the name in it.
func (l Login) user() string {
	for i := 0; i < len(l); i++ {
		if l[i] == 0 {
			return string(l[:i])
		}
	}
	return ""
}

// Ask holds the session until the client has said who it is; ok is false for one that never does. It reads nothing
// behind that: a client that does not wait for the answer has what it says then read by who serves it.
func (p Popup) Ask(in, out *os.File) (l Login, ok bool) {
	d := newDialogue(in, out, limits{errors: 100, commands: 1000, time: timeout})
	d.bytewise = true
	a := &asking{Popup: p, dialogue: d, client: in}
	a.banner = "<" + strconv.Itoa(p.Pid) + "." + strconv.FormatInt(p.Now().Unix(), 10) + "@" + p.Host + ">"
	d.ok(a.banner)
	for !a.over {
		verb, arg, err := d.command(p.Now())
		if err != nil {
			break
		}
		a.command(verb, arg)
	}
	if a.said {
		return a.login, d.release() == nil
	}
	d.flush()
	return "", false
}

// An asking is a session before the login.
type asking struct {
	Popup
	*dialogue
	client *os.File // in the clear
	banner string
	user   string
	named  bool // by USER
	over   bool
	said   bool // who it is
	login  Login
}

func (a *asking) command(verb string, arg []byte) {
	if a.locked(verb) {
		a.no("STLS first")
		return
	}
	switch verb {
	case "user":
		if len(arg) == 0 {
			a.no("syntax error")
			break
		}
		a.user, a.named = string(arg), true
		a.ok("")
	case "pass":
		switch {
		case !a.named:
			a.no("USER first")
		case len(arg) == 0:
			a.no("syntax error")
		default:
			a.is(a.user, string(arg))
		}
	case "apop":
		name, digest := crlf.Verb(arg)
		if len(digest) == 0 {
			a.no("syntax error")
			break
		}
		a.is(string(name), string(digest))
	case "noop":
		a.ok("")
	case "quit":
		a.ok("")
		a.over = true
	default:
		if !a.extended(verb, arg) {
			a.no("authorization first")
		}
	}
}

// is says who the client is.
func (a *asking) is(name, password string) {
	a.login, a.said, a.over = login(name, password, a.banner), true, true
}

// Nobody says in the log that a session that began so ended without a login.
func (p Popup) Nobody(began time.Time) { p.Log.Session(p.Now().Sub(began), "no login") }

func login(name, password, banner string) Login {
	if l := Login(name + "\x00" + password + "\x00" + banner + "\x00"); l.Sound() {
		return l
	}
	return ""
}

// Check has the program check a login. If it likes it, it serves the session on our descriptors, and we only wait.
func (p Popup) Check(l Login, in, out *os.File) {
	began := p.Now()
	code, crashed, trouble := p.run(l)
	no := ""
	switch {
	case trouble != "":
		no = trouble
	case crashed:
		no = "aack, child crashed"
	case code != exit.OK:
		no = "authorization failed"
	default:
		p.Log.Session(p.Now().Sub(began), "logged in", "user", l.user())
		return
	}
	p.Log.Say("-ERR "+no, "user", l.user())
	d := newDialogue(in, out, limits{})
	d.no(no)
	d.flush()
}

// run runs the program; trouble says why it could not be.
func (p Popup) run(l Login) (code exit.Code, crashed bool, trouble string) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, false, "unable to open pipe"
	}
	wait, err := p.Start(r)
	r.Close()
	if err != nil {
		w.Close()
		return 0, false, "unable to fork"
	}
	w.WriteString(string(l))
	w.Close()
	code, crashed = wait()
	return code, crashed, ""
}
