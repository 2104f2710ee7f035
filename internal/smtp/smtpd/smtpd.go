// Package smtpd is the server's side of an SMTP session; see qmail-smtpd(8).
package smtpd

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"qmail/internal/net/ipme"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

const (
	// maxCommand is the most bytes of a command line. It must exceed maxAddress by much: what follows an address is
	// not used, but a client may say a lot there.
	maxCommand = 64 << 10
	// maxHelo is the most bytes of the name in HELO and EHLO; no name in the DNS is longer.
	maxHelo = 255
	// maxErrors is how many replies of 5xx a client may earn until it has a message accepted.
	maxErrors = 100
	// maxIdle is how many commands but RCPT a client may give until then, and maxCommands how many with them.
	maxIdle, maxCommands = 1000, 100_000
	// maxTalk is how long that may take, without the time in which a message comes.
	maxTalk = time.Hour
	// maxMessageTime is how long one message may take to come. It must not exceed the time after which qmail-queue
	// gives up.
	maxMessageTime = 24 * time.Hour
	// replyRoom is how many bytes of replies wait until they are sent, or until the client has to speak.
	replyRoom = 4096
)

// ended is the exit code of a session that did not end by QUIT.
const ended exit.Code = 1

// A Server has what a session needs from its process.
type Server struct {
	Control control.Dir
	Env     []string
	Queue   *submit.Client
	Now     func() time.Time
	Sleep   func(time.Duration)      // nil: time.Sleep
	Mine    func() (ipme.Set, error) // nil: ipme.Mine
	Log     *peerlog.Log             // of what is refused, and what it came to
	Room    func() bool              // whether there is room for a message; nil: there is
	// StartTLS readies TLS for one client; an error means that there is none now. Nil: the session knows no TLS.
	StartTLS func() (Handshake, error)
	// Login asks who the user is that logs in, for one session; nil: nobody can.
	Login Login
	// Submission makes it a server for users, by Login; nil: it is one for other hosts.
	Submission *Submission
	// Doors returns what else may refuse the client, in the order in which it is asked; nil: nothing. An error means
	// that the session cannot be held now.
	Doors func() ([]Door, error)
	// Plugins returns what is asked before everything else; it may be nil, and so may what it returns.
	Plugins func() (Plugins, error)
	// Tally is told at its end what a session came to; it may be nil.
	Tally func(Tally)
	// In is the one that Serve reads by where it has more than one session, after one another: its memory is. Nil: a
	// new one.
	In *crlf.Reader
}

// A Tally is what a session came to.
type Tally struct {
	Accepted      int    // messages
	Refused       [2]int // replies of 4xx, and of 5xx
	TLS, LoggedIn bool
	LoginsFailed  int
}

// Serve holds one session and returns the exit code. It leaves in and out open.
func (s Server) Serve(in, out *os.File) exit.Code {
	c, ok := readControls(s.Control, s.Env)
	defer c.close()
	conn := sys.NewDialogue(in, out)
	conn.Timeout(max(c.timeout, time.Second))
	var doors []Door
	if ok && s.Doors != nil {
		var err error
		doors, err = s.Doors()
		ok = err == nil
	}
	var plugins Plugins
	if ok && s.Plugins != nil {
		var err error
		plugins, err = s.Plugins()
		ok = err == nil
	}
	if !ok {
		io.WriteString(conn, "421 unable to read controls (#4.3.0)\r\n")
		return ended
	}
	if c.noLogin && s.Submission == nil {
		s.Login = nil
	}
	t := &session{controls: c, server: s, doors: doors, plugins: plugins, conn: conn, wire: conn, timeout: c.timeout}
	if s.In == nil {
		t.in = crlf.NewReader(t)
		return t.run()
	}
	t.in = s.In
	t.in.Reset(t)
	defer t.in.Reset(nil)
	return t.run()
}

func (c *controls) close() {
	if c.hosts != nil {
		c.hosts.Close()
	}
}

// A session is what one client has said so far.
type session struct {
	controls
	server  Server
	doors   []Door
	plugins Plugins
	conn    *sys.Dialogue
	wire    io.ReadWriter // conn, or TLS over it
	tls     Channel       // nil: not yet
	timeout time.Duration
	in      *crlf.Reader
	out     []byte   // replies that wait
	notes   []string // for the front of the next reply
	addrs   ipme.Set
	looked  bool // addrs is set

	helo     string
	greeted  bool // by HELO or EHLO
	enhanced bool // EHLO was told that replies have codes
	dsn      bool // and that reports can be asked for
	// SMTPUTF8 was offered by EHLO, and is what this message came by.
	offeredUTF8, international bool

	mailSeen   bool
	sender     string
	barred     bool
	params     parameters // of MAIL
	wish       wish
	recipients []byte // each with a NUL behind it
	count      int    // of them
	asked      int    // of those that the client named
	full       bool   // there were more
	over       bool
	code       exit.Code
	user       string // who has logged in
	mechanism  string // by which
	logins     int    // that failed
	began      time.Time
	taken      int    // messages
	refused    [2]int // replies of 4xx and 5xx
	slowed     bool   // in the tarpit

	// Until a message is accepted:
	errors, idle, commands int
	noted                  int // refusals in the log
	since                  time.Time
}

// Read sends the replies that wait, and then waits for the client. So replies to pipelined commands go out together.
func (s *session) Read(b []byte) (int, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	return s.wire.Read(b)
}

// flush sends the replies that wait. Where it cannot, the session is over: no command counts whose reply nobody gets.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.wire.Write(s.out)
	s.out = s.out[:0]
	if err != nil {
		s.end(ended)
	}
	return err
}

func (s *session) say(text string) {
	if text[0] == '5' {
		s.errors++
	}
	if text[0] == '4' || text[0] == '5' {
		s.refused[text[0]-'4']++
	}
	if s.enhanced || s.server.Submission != nil {
		text = enhanced(text)
	}
	s.put(text)
}

// put is say for a line that has no code of RFC 2034.
func (s *session) put(text string) {
	for _, n := range s.notes {
		s.out = append(append(append(append(s.out, text[:3]...), '-'), n...), '\r', '\n')
	}
	s.notes = nil
	s.out = append(append(s.out, text...), '\r', '\n')
	if len(s.out) > replyRoom {
		s.flush()
	}
}

// refuse says no, and says so in the log, with what the client wanted.
func (s *session) refuse(reply string, wanted ...string) {
	s.note(reply, wanted...)
	s.say(reply)
}

// end ends the session with code.
func (s *session) end(code exit.Code) { s.over, s.code = true, code }

func (s *session) run() exit.Code {
	s.began = s.server.Now()
	s.accepted(s.began)
	defer s.told()
	if s.implicit() {
		s.secure()
	}
	s.connected()
	for !s.over {
		now := s.server.Now()
		if s.exhausted(now) {
			break
		}
		s.conn.Within(now.Add(s.timeout))
		line, err := s.in.Line(maxCommand)
		if err != nil {
			s.lost(err)
			break
		}
		s.command(line)
	}
	s.flush()
	s.hangUp()
	return s.code
}

// connected greets the client where it may come in.
func (s *session) connected() {
	if s.over {
		return
	}
	if _, ok := s.consult(AtConnect, "", "", false); ok && s.admits(AtConnect, "", "") && s.waits() {
		s.put("220 " + s.greeting + " ESMTP")
	}
}

// told says in the log what the session was.
func (s *session) told() {
	s.server.Log.Session(s.server.Now().Sub(s.began), strconv.Itoa(s.taken)+" accepted, "+
		strconv.Itoa(s.refused[0]+s.refused[1])+" refused", "helo", s.helo, "user", s.user)
	if s.server.Tally != nil {
		s.server.Tally(Tally{Accepted: s.taken, Refused: s.refused, TLS: s.tls != nil, LoggedIn: s.user != "",
			LoginsFailed: s.logins})
	}
}

// accepted begins anew what bounds a session.
func (s *session) accepted(now time.Time) {
	s.errors, s.idle, s.commands, s.noted, s.since = 0, 0, 0, 0, now
}

// exhausted ends a session that goes on and on without a message.
func (s *session) exhausted(now time.Time) bool {
	switch {
	case s.errors > maxErrors:
		s.fail("421 too many errors (#4.7.0)")
	case s.idle > maxIdle || s.commands > maxCommands:
		s.fail("421 too many commands (#4.7.0)")
	case now.Sub(s.since) > maxTalk:
		s.fail("421 this takes too long (#4.7.0)")
	}
	return s.over
}

// lost ends a session that cannot go on.
func (s *session) lost(err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.refuse("451 timeout (#4.4.2)")
	case err == crlf.ErrTooLong:
		s.refuse("500 line too long (#5.5.2)")
	case err == crlf.ErrBareLF:
		s.refuse("451 See https://cr.yp.to/docs/smtplf.html.")
	}
	s.end(ended)
}

// command does what a line says.
func (s *session) command(line []byte) {
	verb, arg := crlf.Verb(line)
	var known [8]byte
	word := known[:copy(known[:], verb)]
	ascii.Lower(word)
	if len(verb) > len(known) {
		word = nil
	}
	s.commands++
	if string(word) != "rcpt" {
		s.idle++
	}
	if s.locked(string(word)) {
		s.refuse("530 STARTTLS first (#5.7.0)")
		return
	}
	switch string(word) {
	case "rcpt":
		s.rcpt(arg)
	case "mail":
		s.mail(arg)
	case "data":
		s.data()
	case "helo":
		s.greet(arg, false)
	case "ehlo":
		s.greet(arg, true)
	case "rset":
		s.mailSeen = false
		s.say("250 flushed")
	case "noop":
		s.say("250 ok")
	case "vrfy":
		s.say("252 send some mail, i'll try my best")
	case "help":
		s.say("214 qmail home page: https://cr.yp.to/qmail.html")
	case "quit":
		s.say("221 " + s.greeting)
		s.end(exit.OK)
	case "starttls":
		s.startTLS(arg)
	case "auth":
		s.auth(arg)
	default:
		s.say("502 unimplemented (#5.5.1)")
	}
}
