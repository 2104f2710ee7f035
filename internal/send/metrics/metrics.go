// Package metrics is qmail-stats: what qmail has counted and what waits in its queue, as numbers for Prometheus.
package metrics

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/send/messages"
	"qmail/internal/sys"
	"qmail/internal/sys/counters"
	"qmail/internal/sys/lower"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

const usage = "qmail-stats: usage: qmail-stats [-c | -h | -o file]\n"

// Run is qmail-stats. in and out are the client of -h.
func Run(args []string, in, out *os.File, errs io.Writer) exit.Code {
	mode, file := byte(0), ""
	g := getopt.New("qmail-stats", args, "cho:")
	for g.Next() {
		if mode != 0 {
			g.Mistake = "one option"
			break
		}
		mode, file = g.Letter, g.Value
	}
	if g.Mistake != "" || len(g.Rest()) > 0 || mode == 'o' && file == "" {
		io.WriteString(errs, usage)
		return exit.Perm
	}
	if err := run(mode, file, in, out); err != nil {
		io.WriteString(errs, "qmail-stats: fatal: "+err.Error()+"\n")
		return exit.Temp
	}
	return exit.OK
}

func run(mode byte, file string, in, out *os.File) error {
	if mode == 'c' {
		ids, err := passwd.QmailIDs()
		if err != nil {
			return err
		}
		return create(conf.Home(), ids)
	}
	if err := lower.ToSend(); err != nil {
		return errors.New("unable to become who owns the queue: " + sys.Reason(err))
	}
	if file != "" {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	if err := proc.Chdir(conf.Home(), "queue"); err != nil {
		return errors.New("unable to chdir: " + sys.Reason(err))
	}
	if mode == 'h' {
		return serve(in, out, page)
	}
	b, err := page()
	if err != nil {
		return errors.New("unable to read queue: " + sys.Reason(err))
	}
	if mode == 'o' {
		return write(file, b)
	}
	_, err = out.Write(b)
	return err
}

// write makes the file at once, so that nobody reads half of it.
func write(path string, b []byte) error {
	dir, err := sys.OpenFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(filepath.Base(path), b, 0o644, -1, -1)
}

// create makes the files in which is counted, where there are none. What stands there besides is left alone.
func create(home string, ids passwd.IDs) error {
	top, err := sys.OpenFolder(home)
	if err != nil {
		return err
	}
	defer top.Close()
	if err := top.Mkdir("stats", 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := top.Walk("", "stats")
	if err != nil {
		return err
	}
	defer dir.Close()
	for _, r := range [...]struct {
		role  counters.Role
		owner int
	}{{counters.Send, ids.Send}, {counters.Session, ids.Daemon}} {
		name := string(r.role)
		st, err := dir.Lstat(name)
		switch {
		case err == nil && st.Mode.IsRegular():
			err = dir.Give(name, r.owner, ids.Qmail, 0o640)
		case err == nil:
			return errors.New(filepath.Join(home, "stats", name) + " is no file")
		case errors.Is(err, fs.ErrNotExist):
			err = dir.Replace(name, make([]byte, counters.Size), 0o640, r.owner, ids.Qmail)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// page returns all numbers. What is not counted is left out.
func page() ([]byte, error) {
	l := messages.Here()
	l.Reasons = nil
	waits, err := look(l, time.Now().Add(maxWalk))
	if err != nil {
		return nil, err
	}
	var t text
	t.queue(waits)
	if s, ok := counters.Load(counters.Send); ok {
		t.sending(&s)
	}
	if s, ok := counters.Load(counters.Session); ok {
		t.sessions(&s)
	}
	return t.b, nil
}
