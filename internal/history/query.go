package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/getopt"
)

// A Query is what qmail-log is asked.
type Query struct {
	Filter
	Each    bool     // for what happened to each message, not for totals
	Trouble bool     // for the alerts and warnings, not for totals
	JSON    bool     // to answer in JSON
	HTML    bool     // to answer with a page
	Top     int      // how many lines of each table
	Files   []string // the logs, or folders of logs; none: what an Input says
}

const usage = "qmail-log: usage: qmail-log " +
	"[-afjow] [-m [name]] [-i id] [-q qp] [-s sender] [-r recipient] [-b since] [-e until] [-n top] [file ...]"

// ParseArgs reads the arguments of qmail-log, without the program's name.
func ParseArgs(args []string) (q Query, err error) {
	q.Top = 20
	g := getopt.New("qmail-log", args, "afjmowi:q:s:r:b:e:n:")
	for err == nil && g.Next() {
		switch g.Letter {
		case 'a':
			q.Trouble = true
		case 'f':
			q.Failed = true
		case 'j':
			q.JSON = true
		case 'm':
			q.Each = true
		case 'o':
			q.Open = true
		case 'w':
			q.HTML = true
		case 'i':
			q.ID, err = number(g.Value)
		case 'q':
			q.QP, err = number(g.Value)
		case 's':
			q.Sender = g.Value
		case 'r':
			q.Recipient = g.Value
		case 'b':
			q.Since, err = parseTime(g.Value)
		case 'e':
			q.Until, err = parseTime(g.Value)
		case 'n':
			var n uint64
			n, err = number(g.Value)
			q.Top = int(min(n, 1<<31-1))
		}
	}
	if g.Mistake != "" {
		err = errors.New(g.Mistake + "\n" + usage)
	} else if err != nil {
		err = fmt.Errorf("qmail-log: -%c %w", g.Letter, err)
	}
	q.Files = g.Rest()
	return q, err
}

// nameAfterM takes the argument behind -m for a message's name where no log has that name: a number, or what has an @
// inside.
func (q *Query) nameAfterM(exists func(file string) bool) {
	if !q.Each || len(q.Files) == 0 {
		return
	}
	name := q.Files[0]
	_, err := strconv.ParseUint(name, 10, 64)
	if (err == nil || strings.IndexByte(name, '@') > 0) && !exists(name) {
		q.Name, q.Files = name, q.Files[1:]
	}
}

func number(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: no number", s)
	}
	return n, nil
}

func parseTime(s string) (time.Time, error) {
	for _, form := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: no time; write it as 2006-01-02 or 2006-01-02T15:04:05", s)
}

// Answer reads the logs and writes the answer. It goes on after an error, and returns the first.
func (q Query) Answer(in Input, out io.Writer) (failed error) {
	q.nameAfterM(func(file string) bool { _, err := os.Stat(file); return err == nil })
	q.Each = q.Each || !q.HTML && (q.ID != 0 || q.QP != 0)
	keep := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	streams, err := in.streams(q.Files)
	if err != nil {
		return err
	}
	totals := NewTotals()
	r := Reader{Peer: totals.AddPeer, Done: func(m *Message) {
		switch {
		case !q.Match(m):
		case q.Each && q.JSON:
			keep(WriteMessageJSON(out, m))
		case q.Each:
			keep(WriteMessage(out, m))
		default:
			totals.Add(m)
		}
	}}
	if q.Trouble {
		r.Trouble = func(l Line) {
			_, err := fmt.Fprintln(out, l.Time.UTC().Format(time.RFC3339), l.Text)
			keep(err)
		}
	}
	keep(merge(streams, r.Event))
	r.Close()
	switch {
	case q.Each || q.Trouble:
	case q.HTML:
		keep(totals.WriteHTML(out, "qmail-log", q.Top))
	case q.JSON:
		keep(totals.WriteJSON(out, q.Top))
	default:
		keep(totals.WriteText(out, q.Top))
	}
	return failed
}
