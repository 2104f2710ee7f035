package scenario

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// A system is the daemons of a scenario and their log.
type system struct {
	daemon *exec.Cmd
	log    string // the path of the log
}

type script = testscript.TestScript

func (s *system) commands() map[string]func(*script, bool, []string) {
	return map[string]func(*script, bool, []string){
		"control":  s.control,
		"dotqmail": s.dotQmail,
		"start":    s.start,
		"halt":     s.halt,
		"signal":   s.signal,
		"as":       s.as,
		"logline":  s.logLine,
		"has":      s.has,
		"queue":    s.queue,
	}
}

func user(name string) (u testqmail.User, ok bool) {
	for _, u := range testqmail.Users() {
		if u.Name == name {
			return u, true
		}
	}
	return testqmail.User{Name: "alias", Home: conf.Home() + "/alias"}, name == "alias"
}

// control NAME LINE...: writes a control file; without a line, removes it.
func (s *system) control(ts *script, _ bool, args []string) {
	path := filepath.Join(conf.Home(), "control", args[0])
	if len(args) == 1 {
		os.Remove(path)
		return
	}
	ts.Check(os.WriteFile(path, []byte(strings.Join(args[1:], "\n")+"\n"), 0o644))
}

// dotqmail USER EXT LINE...: writes ~USER/.qmailEXT, where EXT begins with a minus or is empty.
func (s *system) dotQmail(ts *script, _ bool, args []string) {
	u, ok := user(args[0])
	if !ok {
		ts.Fatalf("no user %s", args[0])
	}
	path := filepath.Join(u.Home, ".qmail"+args[1])
	ts.Check(os.WriteFile(path, []byte(strings.Join(args[2:], "\n")+"\n"), 0o644))
	if u.Owned {
		ts.Check(os.Chown(path, u.UID, u.UID))
	}
}

// start [DEFAULT]: starts the daemons and waits until they are ready.
func (s *system) start(ts *script, _ bool, args []string) {
	if len(args) == 0 {
		args = []string{"./Mailbox"}
	}
	s.log = ts.MkAbs("log")
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	defer log.Close()
	s.daemon = exec.Command(conf.Home()+"/bin/qmail-start", args...)
	s.daemon.Env, s.daemon.Dir = []string{"PATH=" + conf.Home() + "/bin:/usr/bin:/bin"}, "/"
	s.daemon.Stdout, s.daemon.Stderr = log, log
	ts.Check(s.daemon.Start())
	s.logLine(ts, false, []string{"status: "})
}

// halt: ends the daemons as the manual says.
func (s *system) halt(ts *script, _ bool, _ []string) {
	ts.Check(s.daemon.Process.Signal(syscall.SIGTERM))
	ts.Check(s.daemon.Wait())
	s.daemon = nil
}

// signal HUP|ALRM|KILL: to qmail-send.
func (s *system) signal(ts *script, _ bool, args []string) {
	sig, ok := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "ALRM": syscall.SIGALRM, "KILL": syscall.SIGKILL}[args[0]]
	if !ok {
		ts.Fatalf("no signal %s", args[0])
	}
	ts.Check(s.daemon.Process.Signal(sig))
	if sig == syscall.SIGKILL {
		s.daemon.Wait()
		s.daemon = nil
	}
}

// as USER [-in FILE] COMMAND...: runs a command, a qmail program where it has no slash, in the user's home.
func (s *system) as(ts *script, neg bool, args []string) {
	u, ok := user(args[0])
	if !ok {
		ts.Fatalf("no user %s", args[0])
	}
	args = args[1:]
	var input []byte
	if args[0] == "-in" {
		input, args = []byte(ts.ReadFile(args[1])), args[2:]
	}
	if !strings.Contains(args[0], "/") {
		args[0] = filepath.Join(conf.Home(), "bin", args[0])
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), ts.Stdout(), ts.Stderr()
	cmd.Dir, cmd.Env = u.Home, []string{"PATH=/usr/bin:/bin", "HOME=" + u.Home, "USER=" + u.Name}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.UID)}}
	if err := cmd.Run(); (err != nil) != neg {
		ts.Fatalf("%v: %v", args, err)
	}
}

// wait waits until find finds something in the files of a pattern. With neg it looks once and must find nothing.
func wait(ts *script, neg bool, pattern, find string) {
	re, err := regexp.Compile("(?m)" + find)
	ts.Check(err)
	limit := poll.Limit
	if neg {
		limit = 0
	}
	var text []byte
	found := poll.Within(limit, func() bool {
		text = nil
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			b, _ := os.ReadFile(f)
			text = append(text, b...)
		}
		return re.Match(text)
	})
	if found == neg {
		ts.Fatalf("%s in %s: %v:\n%s", find, pattern, found, text)
	}
}

// logline REGEXP: waits for a line in the log.
func (s *system) logLine(ts *script, neg bool, args []string) { wait(ts, neg, s.log, args[0]) }

// has USER FILE REGEXP: waits for text in a file of a user.
func (s *system) has(ts *script, neg bool, args []string) {
	u, ok := user(args[0])
	if !ok {
		ts.Fatalf("no user %s", args[0])
	}
	wait(ts, neg, filepath.Join(u.Home, args[1]), args[2])
}

// queue empty: waits until no message is in the queue.
func (s *system) queue(ts *script, neg bool, _ []string) {
	if !poll.Within(poll.Limit, func() bool {
		mess, _ := filepath.Glob(conf.Home() + "/queue/mess/*/*")
		todo, _ := filepath.Glob(conf.Home() + "/queue/todo/*")
		return (len(mess)+len(todo) == 0) != neg
	}) {
		ts.Fatalf("the queue does not become so")
	}
}

// end ends what still runs.
func (s *system) end() {
	if s.daemon != nil {
		s.daemon.Process.Signal(syscall.SIGTERM)
		s.daemon.Wait()
	}
}
