// Package listing is qmail-qread.
package listing

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"qmail/conf"
	"qmail/internal/send/messages"
	"qmail/internal/sys"
	"qmail/internal/sys/lower"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

const usage = "qmail-qread: usage: qmail-qread [-j | -l] [-i number] [-s sender] [-r recipient]\n"

// Run lists the messages that args choose.
func Run(args []string, out, errs io.Writer) exit.Code {
	w := bufio.NewWriter(out)
	var want messages.Choice
	var err error
	show := form{each: messages.List.Each, message: plain}
	var count total
	g := getopt.New("qmail-qread", args, "jli:s:r:")
	for err == nil && g.Next() {
		switch g.Letter {
		case 'j':
			show = form{each: messages.List.EachOldestFirst, message: object}
		case 'l':
			show = form{each: messages.List.EachOldestFirst, message: count.detail, end: count.write}
		}
		err = want.Set(g.Letter, g.Value)
	}
	if err != nil || g.Mistake != "" || len(g.Rest()) > 0 {
		io.WriteString(errs, usage)
		return exit.Perm
	}
	code := exit.OK
	if err := lower.ToSend(); err != nil {
		w.WriteString("fatal: unable to become who owns the queue: " + sys.Reason(err) + "\n")
		code = exit.Temp
	} else if err := proc.Chdir(conf.Home(), "queue"); err != nil {
		w.WriteString("fatal: unable to chdir: " + sys.Reason(err) + "\n")
		code = exit.Temp
	} else if err := list(w, messages.Here(), want, show); err != nil {
		w.WriteString("fatal: unable to read queue: " + sys.Reason(err) + "\n")
		code = exit.Temp
	}
	if w.Flush() != nil {
		code = exit.Temp
	}
	return code
}

// A form is how messages are shown.
type form struct {
	each    func(messages.List, func(*messages.Message)) error
	message func(*bufio.Writer, *messages.Message)
	end     func(*bufio.Writer) // nil: nothing follows
}

func list(w *bufio.Writer, l messages.List, want messages.Choice, show form) error {
	err := show.each(l, func(m *messages.Message) {
		if want.Has(m) {
			show.message(w, m)
		}
	})
	if err == nil && show.end != nil {
		show.end(w)
	}
	return err
}

// plain writes a message as qmail-qread(8) always did.
func plain(w *bufio.Writer, m *messages.Message) {
	w.WriteString(stamp(m.Birth) + "  #" + m.ID.String() + "  ")
	w.WriteString(strconv.FormatInt(m.Size, 10) + "  <" + safe(m.Sender) + "> ")
	if m.Bouncing {
		w.WriteString(" bouncing")
	}
	w.WriteByte('\n')
	for _, r := range m.Recipients {
		if r.Done {
			w.WriteString("  done")
		}
		w.WriteString("\t" + r.Channel.String() + "\t" + safe(r.Address) + "\n")
	}
}

// A total is what was shown in detail.
type total struct{ messages, waiting, held, bytes int64 }

// detail writes a message as plain does, and below each recipient who waits, why and for how long.
func (t *total) detail(w *bufio.Writer, m *messages.Message) {
	plain(w, m)
	t.messages++
	t.bytes += m.Size
	for _, r := range m.Recipients {
		if r.Done {
			continue
		}
		t.waiting++
		if r.Held {
			t.held++
			w.WriteString("\t\t" + safe(r.Address) + " is held\n")
		}
		if r.Why != "" {
			w.WriteString("\t\t" + safe(r.Address) + " deferred " + stamp(r.Tried) + ": " + printable(r.Why) + "\n")
		}
		if !r.Next.IsZero() {
			w.WriteString("\t\t" + safe(r.Address) + " is tried again " + stamp(r.Next) + "\n")
		}
	}
}

func (t *total) write(w *bufio.Writer) {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	w.WriteString("total: " + number(t.messages) + " messages, " + number(t.bytes) + " bytes, " + number(t.waiting) +
		" recipients wait, " + number(t.held) + " of them held\n")
}

func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05") + " GMT" }

// printable makes a text that a host has said safe for a terminal; line ends become slashes, as in the log.
func printable(s string) string {
	b := []byte(strings.TrimRight(s, "\n"))
	for i, c := range b {
		switch {
		case c == '\n':
			b[i] = '/'
		case c < 32 || c > 126:
			b[i] = '?'
		}
	}
	return string(b)
}

// safe makes text safe for a terminal.
func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 33 || c > 126 {
			b[i] = '_'
		}
	}
	return string(b)
}

// The JSON form. Names and meaning are those of qmail-qread(8).
type jsonMessage struct {
	ID         uint64          `json:"id"`
	Birth      time.Time       `json:"birth"`
	Size       int64           `json:"size"`
	Sender     string          `json:"sender"`
	State      string          `json:"state"` // todo or queued
	Bouncing   bool            `json:"bouncing"`
	Recipients []jsonRecipient `json:"recipients"`
}

type jsonRecipient struct {
	Channel   string     `json:"channel"`
	Recipient string     `json:"recipient"`
	State     string     `json:"state"` // waiting, held, done or failed
	Next      *time.Time `json:"next_attempt,omitempty"`
	Failure   string     `json:"last_failure,omitempty"`
	Deferral  string     `json:"last_deferral,omitempty"`
	Deferred  *time.Time `json:"deferred,omitempty"` // when that was
}

// object writes a message as one line of JSON.
func object(w *bufio.Writer, m *messages.Message) {
	j := jsonMessage{ID: uint64(m.ID), Birth: m.Birth.UTC(), Size: m.Size, Sender: m.Sender, State: "queued",
		Bouncing: m.Bouncing, Recipients: []jsonRecipient{}}
	if m.Todo {
		j.State = "todo"
	}
	for _, r := range m.Recipients {
		o := jsonRecipient{Channel: r.Channel.String(), Recipient: r.Address, State: "waiting", Failure: r.Failure}
		if r.Failure != "" {
			o.State = "failed"
		} else if r.Done {
			o.State = "done"
		} else if r.Held {
			o.State = "held"
		}
		if !r.Next.IsZero() {
			next := r.Next.UTC()
			o.Next = &next
		}
		if r.Why != "" {
			tried := r.Tried.UTC()
			o.Deferral, o.Deferred = printable(r.Why), &tried
		}
		j.Recipients = append(j.Recipients, o)
	}
	b, err := json.Marshal(j)
	if err == nil {
		w.Write(append(b, '\n'))
	}
}
