// Package inject turns what a user wrote into a message in the queue: it completes the header, makes the addresses
// whole and finds the recipients; see qmail-inject(8) and qmail-header(5).
package inject

import (
	"bufio"
	"errors"
	"io"
	"path/filepath"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
)

// Bounds on what one message may make us hold; all else streams.
const (
	maxHeader    = 256 << 20 // the whole header: a million lines of 256 bytes
	maxAddresses = 16 << 20  // one field of addresses, of which the tokens are held as well
)

// A trouble is why a message is not injected: a text for the user and an exit code.
type trouble struct {
	code exit.Code
	text string
}

func (t *trouble) Error() string { return t.text }

var (
	errRead       = &trouble{exit.Temp, "read error\n"}
	errWrite      = &trouble{exit.Temp, "write error\n"}
	errLongHeader = &trouble{exit.Perm, "header too long\n"}
	errLongField  = &trouble{exit.Perm, "header field too long\n"}
	errNobody     = &trouble{exit.Perm, "the message has no recipient\n"}
	errControl    = &trouble{exit.Perm, "an address holds a control character\n"}
)

// unparsable is the trouble with a text that should hold addresses and does not.
func unparsable(s string) error {
	return &trouble{exit.Perm, "unable to parse this line:\n" + s}
}

// A World is what an injection needs from around it.
type World struct {
	Home    string // relative names of files mean files here
	Control control.Dir
	Env     []string
	Input   io.Reader      // the message
	Output  io.Writer      // where Options.Show prints it
	Trouble io.Writer      // gets one line when it is not injected
	Queue   *submit.Client // takes it
	Now     time.Time
	Pid     int // for the generated Message-ID
}

// An injection is one message on its way.
type injection struct {
	World
	Options
	set        settings
	lists      control.Set // the addresses of QMAILMFTFILE
	header     header
	recipients []string // of the arguments
	sender     string
	line       []byte
	in         *bufio.Reader
}

// Run injects one message and returns the exit code of qmail-inject.
func Run(w World, o Options) exit.Code {
	in := &injection{World: w, Options: o}
	err := in.run()
	if err == nil {
		return exit.OK
	}
	var t *trouble
	if !errors.As(err, &t) {
		t = &trouble{exit.Temp, err.Error() + "\n"}
		if report.Of(err).Kind == report.Failure {
			t.code = exit.Perm
		}
	}
	io.WriteString(w.Trouble, "qmail-inject: fatal: "+t.text)
	return t.code
}

func (in *injection) run() (err error) {
	if in.set, err = readSettings(in.Control, in.Env); err != nil {
		return err
	}
	if err = in.readLists(); err != nil {
		return err
	}
	if in.Sender != nil {
		if in.sender, err = in.set.address(*in.Sender); err != nil {
			return err
		}
	}
	if in.Whom != FromHeader {
		for _, a := range in.Options.Recipients {
			r, err := in.set.address(a)
			if err != nil {
				return &trouble{exit.Perm, "unable to parse address: " + a + "\n"}
			}
			in.recipients = append(in.recipients, r)
		}
	}
	if in.Whom == Default {
		in.Whom = FromHeader
		if len(in.recipients) > 0 {
			in.Whom = FromArgs
		}
	}
	in.in = bufio.NewReaderSize(in.Input, 16<<10)
	if in.Sendmail {
		if in.in, err = linesOf(in.in); err != nil {
			return err
		}
	}
	in.header = header{set: &in.set, list: len(in.lists) > 0, lenient: in.Sendmail && in.Whom == FromArgs}
	first, err := in.readHeader()
	if err != nil {
		return err
	}
	if err = in.setSender(); err != nil {
		return err
	}
	if in.Show {
		return in.show(first)
	}
	return in.submit(first)
}

// readLists reads the user's list of mailing lists.
func (in *injection) readLists() error {
	if in.set.mftFile == "" {
		return nil
	}
	path := in.set.mftFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.Home, path)
	}
	lines, _, err := control.Dir(filepath.Dir(path)).List(filepath.Base(path))
	if err != nil {
		return errRead
	}
	in.lists = control.NewSet(lines)
	return nil
}

// setSender finds the envelope sender: the option's, else Return-Path's, else the user's.
func (in *injection) setSender() (err error) {
	switch h := &in.header; {
	case in.Sender != nil:
	case h.pathIsGiven:
		in.sender = h.path
		if in.set.perRecipient && in.sender != "" {
			in.sender += verpMark
		}
	default:
		in.sender, err = in.set.defaultSender(in.Now, in.Pid)
	}
	return err
}

// show prints the message as it would be queued, after a Return-Path field.
func (in *injection) show(first []byte) error {
	w := bufio.NewWriterSize(in.Output, 8192)
	w.WriteString("Return-Path: <" + ascii.OneLine(rfc822.Quote(in.sender)) + ">\n")
	if err := in.write(w, first); err != nil {
		return err
	}
	if w.Flush() != nil {
		return errWrite
	}
	return nil
}

// submit hands the message to qmail-queue.
func (in *injection) submit(first []byte) error {
	h := &in.header
	fromHeader := h.recipients
	if h.isResent() {
		fromHeader = h.resent
	}
	switch in.Whom {
	case FromArgs:
		fromHeader = nil
	case FromHeader:
		in.recipients = nil
	}
	if in.Sendmail && len(in.recipients)+len(fromHeader) == 0 {
		return errNobody
	}
	if !clean(in.sender) || !clean(in.recipients...) || !clean(fromHeader...) {
		return errControl
	}
	m, err := in.Queue.Open()
	if err != nil {
		return err
	}
	if err := in.write(m, first); err != nil {
		m.Abort()
		return err
	}
	m.From(in.sender)
	for _, r := range in.recipients {
		m.To(r)
	}
	for _, r := range fromHeader {
		m.To(r)
	}
	return m.Commit()
}
