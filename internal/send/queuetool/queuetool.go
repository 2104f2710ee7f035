// Package queuetool is what qmail-rm, qmail-hold, qmail-release and qmail-run have in common: which messages are
// meant, and asking qmail-send to do it.
package queuetool

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/send/sendctl"
	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

// A Tool is one of them.
type Tool struct {
	Name   string       // of the program
	Verb   sendctl.Verb // what it asks for
	Done   string       // what it says of a message when that is done: "removed"
	Bounce bool         // option -b asks for a bounce
	All    bool         // without arguments it means all messages
}

// A Site is the queue that a tool works on.
type Site struct {
	Queue *queue.Queue
	Dir   string                               // its folder
	Route func(string) (string, queue.Channel) // how qmail-send sees a recipient
}

// Here returns the site whose queue folder we are in.
func Here() Site {
	s := Site{Queue: queue.Open(".", nil), Dir: "."}
	if table, err := route.Read(control.Default()); err == nil {
		s.Route = table.Rewrite
	}
	return s
}

// patterns are the values of an option that may be repeated.
type patterns []string

// A choice says which messages are meant: those that fit one value of each list that is not empty.
type choice struct {
	ids                 []queue.ID
	senders, recipients patterns
}

var errUsage = errors.New("usage")

// Run is the tool: out is told of each message, a line each.
func Run(t Tool, args []string, site Site, out io.Writer) exit.Code {
	w := bufio.NewWriter(out)
	defer w.Flush()
	want, bounce, err := parse(t, args)
	if err != nil {
		w.WriteString("usage: " + t.Name + usage(t) + "\n")
		return exit.Perm
	}
	if bounce {
		t.Verb = sendctl.Bounce
	}
	c, err := sendctl.Dial(site.Dir)
	if err != nil {
		return t.fatal(w, err)
	}
	defer c.Close()
	if t.All && want.empty() {
		if _, err := c.Ask(sendctl.Request{Verb: sendctl.RunAll}); err != nil {
			return t.fatal(w, err)
		}
		return exit.OK
	}
	ids, err := want.find(site)
	if err != nil {
		return t.fatal(w, err)
	}
	return t.ask(w, c, ids)
}

func (t Tool) fatal(w *bufio.Writer, err error) exit.Code {
	w.WriteString(t.Name + ": fatal: " + err.Error() + "; nothing more was done\n")
	return exit.Temp
}

// ask asks for each message, and returns the worst that came of it.
func (t Tool) ask(w *bufio.Writer, c *sendctl.Client, ids []queue.ID) exit.Code {
	code := exit.OK
	for _, id := range ids {
		a, err := c.Ask(sendctl.Request{Verb: t.Verb, ID: uint64(id)})
		if err != nil {
			return t.fatal(w, err)
		}
		w.WriteString(id.String() + " ")
		switch a {
		case sendctl.Done:
			w.WriteString(t.Done)
		case sendctl.Unknown:
			w.WriteString("is not in the queue")
		case sendctl.Held:
			w.WriteString("is held")
		case sendctl.NotHeld:
			w.WriteString("is not held")
		default:
			w.WriteString("not " + t.Done + ": qmail-send cannot now; its log says more")
			code = exit.Temp
		}
		if a != sendctl.Done && code == exit.OK {
			code = exit.Perm
		}
		w.WriteByte('\n')
	}
	return code
}

func usage(t Tool) string {
	s := " [-s sender] [-r recipient] [id ...]"
	if t.Bounce {
		s = " [-b]" + s
	}
	return s
}

// parse reads the arguments. Numbers may stand before options.
func parse(t Tool, args []string) (want choice, bounce bool, err error) {
	for len(args) > 0 {
		g := getopt.New(t.Name, args, "bi:s:r:")
		for g.Next() {
			switch g.Letter {
			case 'b':
				bounce = true
			case 'i':
				err = errors.Join(err, want.addID(g.Value))
			case 's':
				want.senders = append(want.senders, g.Value)
			case 'r':
				want.recipients = append(want.recipients, g.Value)
			}
		}
		if g.Mistake != "" {
			return want, bounce, errUsage
		}
		if args = g.Rest(); len(args) > 0 {
			err = errors.Join(err, want.addID(args[0]))
			args = args[1:]
		}
	}
	if bounce && !t.Bounce || want.empty() && !t.All {
		err = errUsage
	}
	return want, bounce, err
}

func (c *choice) addID(s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return errUsage
	}
	c.ids = append(c.ids, queue.ID(n))
	return nil
}

func (c choice) empty() bool {
	return len(c.ids) == 0 && len(c.senders) == 0 && len(c.recipients) == 0
}

// find returns the messages that are meant. Of those that are named by number alone the queue need not be read.
func (c choice) find(s Site) ([]queue.ID, error) {
	if len(c.senders) == 0 && len(c.recipients) == 0 {
		return c.ids, nil
	}
	var ids []queue.ID
	seen := map[queue.ID]bool{}
	look := func(id queue.ID, fits func(Site, queue.ID) bool) {
		if !seen[id] && (len(c.ids) == 0 || slices.Contains(c.ids, id)) && fits(s, id) {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	err := s.Queue.EachTodo(func(string, error) {}, func(id queue.ID) bool {
		look(id, c.fitsTodo)
		return true
	})
	if err == nil {
		err = s.Queue.EachInfo(func(id queue.ID) { look(id, c.fitsInfo) })
	}
	slices.Sort(ids)
	return ids, err
}

// fitsTodo looks at a message whose only record is in todo.
func (c choice) fitsTodo(s Site, id queue.ID) bool {
	t, err := s.Queue.OpenTodo(id)
	if err != nil {
		return false
	}
	defer t.Close()
	return c.fits(t.Sender, func() (string, error) {
		b, err := t.Next()
		if err != nil {
			return "", err
		}
		to := string(b)
		if s.Route != nil {
			to, _ = s.Route(to)
		}
		return to, nil
	})
}

// fitsInfo looks at a message that has its files.
func (c choice) fitsInfo(s Site, id queue.ID) bool {
	info, err := s.Queue.ReadInfo(id)
	if err != nil {
		return false
	}
	for _, ch := range queue.Channels() {
		r, err := s.Queue.Recipients(ch, id, 0)
		if err != nil {
			continue
		}
		ok := c.fits(info.Sender, func() (string, error) {
			x, err := r.Next()
			return string(x.Addr), err
		})
		r.Close()
		if ok {
			return true
		}
	}
	return len(c.recipients) == 0 && c.senders.fit(info.Sender)
}

func (c choice) fits(sender string, next func() (string, error)) bool {
	if !c.senders.fit(sender) {
		return false
	}
	if len(c.recipients) == 0 {
		return true
	}
	for {
		to, err := next()
		if err != nil {
			return false
		}
		if c.recipients.fit(to) {
			return true
		}
	}
}

func (p patterns) fit(s string) bool {
	for _, x := range p {
		if match(x, s) {
			return true
		}
	}
	return len(p) == 0
}

// match reports whether s is as pattern says, where * stands for any bytes and case does not count.
func match(pattern, s string) bool {
	pattern, s = ascii.LowerString(pattern), ascii.LowerString(s)
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}
