package cases

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/sys"
)

// A system is the running daemons of a case.
type system struct {
	bed     *bed
	c       *Case
	servers map[string]*server
	log     *os.File
	all     []*daemon
	steps   []any
}

// A daemon is one qmail-start, which becomes qmail-send.
type daemon struct {
	pid  int
	done chan struct{}
	code any
}

// system runs a whole-system case.
func (e *bed) system(c *Case, servers map[string]*server) (map[string]any, error) {
	log, err := os.Create(e.top + "/log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s := &system{bed: e, c: c, servers: servers, log: log, steps: []any{}}
	defer emptyQueue()
	if !c.NoStart {
		if err := s.start(); err != nil {
			return nil, err
		}
		poll.Within(poll.Limit, func() bool { return s.all[0].ended() || strings.Contains(s.text(), "status:") })
	}
	for _, a := range c.Actions {
		if err = s.act(a); err != nil {
			break
		}
	}
	s.stop()
	if err != nil {
		return nil, err
	}
	rest()
	files, err := e.collect(c)
	return map[string]any{"steps": s.steps, "log": e.normalLog(c, s.text()), "files": files}, err
}

func (s *system) start() error {
	args := s.c.StartArgs
	if args == nil {
		args = []string{"./Mailbox"}
	}
	argv := []string{conf.Home() + "/bin/qmail-start"}
	for _, a := range args {
		argv = append(argv, s.bed.fill(raw(a)))
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + conf.Home() + "/bin:/usr/local/bin:/usr/bin:/bin"},
		Files: []*os.File{null, s.log, s.log}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	d := &daemon{pid: p.Pid, done: make(chan struct{})}
	go func() {
		st, err := p.Wait()
		if err == nil {
			d.code = exitCode(st)
		}
		close(d.done)
	}()
	s.all = append(s.all, d)
	return nil
}

// ended reports whether it has: there are systems that cannot start.
func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// stop ends every daemon and waits for the helpers.
func (s *system) stop() {
	for _, d := range s.all {
		if !d.ended() {
			syscall.Kill(d.pid, syscall.SIGTERM)
			select {
			case <-d.done:
			case <-time.After(poll.Limit):
				syscall.Kill(-d.pid, syscall.SIGKILL)
				<-d.done
			}
		}
		poll.Within(poll.Limit, func() bool { return !groupAlive(d.pid) })
	}
}

// groupAlive buries the dead of a process group, which are ours to bury, and reports whether anyone is left.
func groupAlive(group int) bool {
	for {
		pid, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR || pid > 0 {
			continue
		}
		return syscall.Kill(-group, 0) == nil
	}
}

func (s *system) text() string {
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// limit is how long something may take: as the case says, or as long as a busy machine needs.
func limit(seconds float64) time.Duration {
	if seconds == 0 {
		return poll.Limit
	}
	return time.Duration(seconds * float64(time.Second))
}

// rest waits until all other processes of this world have done what there is to do.
func rest() {
	poll.Within(poll.Limit, func() bool {
		for range 3 {
			all, _ := filepath.Glob("/proc/[0-9]*")
			for _, p := range all {
				if pid, _ := strconv.Atoi(filepath.Base(p)); pid != os.Getpid() && !poll.Asleep(pid) {
					return false
				}
			}
			time.Sleep(10 * time.Millisecond) // what they have said to each other has arrived
		}
		return true
	})
}

func (s *system) step(name string, v any) { s.steps = append(s.steps, map[string]any{name: v}) }

// act does one step.
func (s *system) act(a Action) error {
	switch a.Do {
	case "run":
		r, err := s.bed.command(s.c, a.Command, a.Timeout)
		if err != nil {
			return err
		}
		if a.Check == nil || *a.Check {
			s.steps = append(s.steps, r)
		}
	case "wait_idle":
		s.step("idle", s.waitIdle(limit(a.Timeout)))
	case "wait_log":
		re, err := regexp.Compile(raw(a.Regex))
		if err != nil {
			return err
		}
		s.step("log", poll.Within(limit(a.Timeout), func() bool {
			return len(re.FindAllString(s.text(), -1)) >= max(a.Count, 1)
		}))
	case "wait_wire":
		s.step("wire", poll.Within(limit(a.Timeout), func() bool {
			return strings.Contains(strings.Join(s.servers[a.Server].sent(), ""), a.Text)
		}))
	case "signal":
		sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "ALRM": syscall.SIGALRM,
			"KILL": syscall.SIGKILL}
		return syscall.Kill(s.all[len(s.all)-1].pid, sig[a.Sig])
	case "sleep":
		time.Sleep(time.Duration(a.Secs * float64(time.Second)))
		rest()
	case "put":
		return s.bed.put(a.Put)
	case "start":
		err := s.start()
		time.Sleep(300 * time.Millisecond)
		rest()
		return err
	case "wait_exit":
		d := s.all[len(s.all)-1]
		select {
		case <-d.done:
			s.step("exit", d.code)
		case <-time.After(limit(a.Timeout)):
			s.step("exit", "timeout")
		}
	case "queue_state":
		s.step("queue", s.queueState())
	case "age_info":
		files, _ := filepath.Glob(conf.Home() + "/queue/info/*/*")
		t := time.Now().Add(-time.Duration(a.Secs * float64(time.Second)))
		for _, f := range files {
			os.Chtimes(f, t, t)
		}
	default:
		return fmt.Errorf("no action is called %q", a.Do)
	}
	return nil
}

// waitIdle waits until the queue is empty and the log has been still for a while.
func (s *system) waitIdle(d time.Duration) bool {
	size, since := -1, time.Now()
	return poll.Within(d, func() bool {
		if n := len(s.text()); n != size || len(queueFiles()) > 0 {
			size, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
}

// queueState lists the files of the queue.
func (s *system) queueState() []any {
	re := regexp.MustCompile(`([up])\d+\x00`)
	list := []any{}
	for _, f := range queueFiles() {
		fi, err := os.Lstat(f)
		if err != nil {
			continue
		}
		folder, _, _ := strings.Cut(strings.TrimPrefix(f, conf.Home()+"/queue/"), "/")
		uid, _ := sys.Owner(fi)
		entry := []any{folder, mode(fi), s.bed.who.owner(uid)}
		if folder != "mess" && folder != "pid" {
			b, _ := os.ReadFile(f)
			entry = append(entry, re.ReplaceAllString(s.bed.normal(string(b), s.c), "${1}@N@\x00"))
		}
		list = append(list, entry)
	}
	return list
}

// syslog runs a command with a reader on /dev/log.
func (e *bed) syslog(c *Case) (map[string]any, error) {
	const path = "/dev/log"
	l, err := listenLog(path)
	if err != nil {
		return nil, err
	}
	defer os.Remove(path)
	defer l.Close()
	r, err := e.command(c, c.Command, c.Timeout)
	if err != nil {
		return nil, err
	}
	date := regexp.MustCompile(`^(<\d+>)\w{3} [ \d]\d \d\d:\d\d:\d\d `)
	stamp := regexp.MustCompile(`\d{9,10}\.\d{6}`)
	got := []any{}
	b := make([]byte, 16384)
	for {
		l.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := l.Read(b)
		if err != nil {
			break
		}
		line := date.ReplaceAll(bytes.Clone(b[:n]), []byte("${1}@DATE@ "))
		got = append(got, string(stamp.ReplaceAll(line, []byte("@STAMP@"))))
	}
	r["syslog"] = got
	return r, nil
}
