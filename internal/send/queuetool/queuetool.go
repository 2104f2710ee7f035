// Package queuetool is what qmail-rm, qmail-hold, qmail-release and qmail-run are: they find out which messages are
// meant, and ask qmail-send.
package queuetool

import (
	"bufio"
	"errors"
	"io"
	"slices"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/messages"
	"qmail/internal/send/sendctl"
	"qmail/internal/sys"
	"qmail/internal/sys/lower"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

// A tool is one of them.
type tool struct {
	name   string
	verb   sendctl.Verb // what it asks for
	done   string       // what it says of a message when that is done
	bounce bool         // option -b asks for a bounce
	all    bool         // without arguments it means all messages
}

func tools() []tool {
	return []tool{
		{"qmail-rm", sendctl.Remove, "removed", true, false},
		{"qmail-hold", sendctl.Hold, "held", false, false},
		{"qmail-release", sendctl.Release, "released", false, false},
		{"qmail-run", sendctl.Run, "is tried now", false, true},
	}
}

// Run is the tool of that name: out is told of each message, a line each.
func Run(name string, args []string, out, errs io.Writer) exit.Code {
	if err := lower.ToSend(); err != nil {
		io.WriteString(errs, name+": fatal: unable to become who owns the queue: "+sys.Reason(err)+"\n")
		return exit.Temp
	}
	if err := proc.Chdir(conf.Home(), "queue"); err != nil {
		io.WriteString(errs, name+": fatal: unable to chdir: "+sys.Reason(err)+"\n")
		return exit.Temp
	}
	for _, t := range tools() {
		if t.name == name {
			return t.run(args, ".", messages.Here(), out)
		}
	}
	panic("no queue tool " + name)
}

// run is Run for the queue in a folder.
func (t tool) run(args []string, dir string, list messages.List, out io.Writer) exit.Code {
	w := bufio.NewWriter(out)
	defer w.Flush()
	want, bounce, err := t.parse(args)
	if err != nil {
		w.WriteString("usage: " + t.name + t.usage() + "\n")
		return exit.Perm
	}
	if bounce {
		t.verb = sendctl.Bounce
	}
	c, err := sendctl.Dial(dir)
	if err != nil {
		return t.fatal(w, err)
	}
	defer c.Close()
	if t.all && want.Any() {
		if _, err := c.Ask(sendctl.Request{Verb: sendctl.RunAll}); err != nil {
			return t.fatal(w, err)
		}
		return exit.OK
	}
	ids := want.IDs
	if !want.ByNumber() { // then the queue need not be read
		ids = nil
		err = list.Each(func(m *messages.Message) {
			if want.Has(m) {
				ids = append(ids, m.ID)
			}
		})
		if err != nil {
			return t.fatal(w, err)
		}
		slices.Sort(ids)
	}
	return t.ask(w, c, ids)
}

func (t tool) fatal(w *bufio.Writer, err error) exit.Code {
	w.WriteString(t.name + ": fatal: " + err.Error() + "; nothing more was done\n")
	return exit.Temp
}

// ask asks for each message, and returns the worst that came of it.
func (t tool) ask(w *bufio.Writer, c *sendctl.Client, ids []queue.ID) exit.Code {
	code := exit.OK
	for _, id := range ids {
		a, err := c.Ask(sendctl.Request{Verb: t.verb, ID: uint64(id)})
		if err != nil {
			return t.fatal(w, err)
		}
		w.WriteString(id.String() + " ")
		switch a {
		case sendctl.Done:
			w.WriteString(t.done)
		case sendctl.Unknown:
			w.WriteString("is not in the queue")
		case sendctl.Held:
			w.WriteString("is held")
		case sendctl.NotHeld:
			w.WriteString("is not held")
		default:
			w.WriteString("not " + t.done + ": qmail-send cannot now; its log says more")
			code = exit.Temp
		}
		if a != sendctl.Done && code == exit.OK {
			code = exit.Perm
		}
		w.WriteByte('\n')
	}
	return code
}

func (t tool) usage() string {
	s := " [-s sender] [-r recipient] [id ...]"
	if t.bounce {
		s = " [-b]" + s
	}
	return s
}

var errUsage = errors.New("usage")

// parse reads the arguments. Numbers may stand before options.
func (t tool) parse(args []string) (want messages.Choice, bounce bool, err error) {
	for len(args) > 0 {
		g := getopt.New(t.name, args, "bi:s:r:")
		for g.Next() {
			bounce = bounce || g.Letter == 'b'
			err = errors.Join(err, want.Set(g.Letter, g.Value))
		}
		if g.Mistake != "" {
			return want, bounce, errUsage
		}
		if args = g.Rest(); len(args) > 0 {
			err = errors.Join(err, want.Set('i', args[0]))
			args = args[1:]
		}
	}
	if bounce && !t.bounce || want.Any() && !t.all {
		err = errUsage
	}
	return want, bounce, err
}
