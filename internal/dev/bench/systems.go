package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/worker"
)

const (
	smtpAddr   = "127.0.0.1:2500"
	submitAddr = "127.0.0.1:2587"
	sinkAddr   = "127.0.0.1:2525"
	domain     = "bench.test"
	// mailUsers is how many accounts of the world get mail; user returns their names.
	mailUsers = 3

	concurrencyLocal  = 20
	concurrencyRemote = 100
)

// A system is a mail server under test.
type system interface {
	name() string
	folders() []string // of its queue and of mailboxes
	start(way) error
	stop()
	sendmail() []string // the injection command; %d stands for a user's number
}

func newSystem(name string, o options, m *meter) (system, error) {
	switch name {
	case "qmail":
		return &qmail{options: o, meter: m}, nil
	case "postfix":
		if _, err := os.Stat("/usr/sbin/postfix"); err != nil {
			return nil, errors.New("not installed")
		}
		return &postfix{meter: m}, postfixFiles()
	}
	return nil, errors.New("no such system; there are qmail and postfix")
}

// users are the accounts that get mail, in their order.
func users() []testqmail.User {
	var list []testqmail.User
	for _, u := range testqmail.Users() {
		if u.Owned && len(list) < mailUsers {
			list = append(list, u)
		}
	}
	return list
}

func homes() string { return filepath.Dir(users()[0].Home) }

// makeMaildirs gives each of them an empty Maildir.
func makeMaildirs() error {
	for _, u := range users() {
		dir := u.Home + "/Maildir"
		os.RemoveAll(dir)
		for _, d := range []string{"", "/tmp", "/new", "/cur"} {
			if err := os.Mkdir(dir+d, 0o700); err != nil {
				return err
			}
			if err := os.Chown(dir+d, u.UID, u.UID); err != nil {
				return err
			}
		}
	}
	return nil
}

// delivered counts the messages in the Maildirs.
func delivered() int {
	n := 0
	for _, u := range users() {
		if d, err := os.Open(u.Home + "/Maildir/new"); err == nil {
			names, _ := d.Readdirnames(-1)
			n += len(names)
			d.Close()
		}
	}
	return n
}

func until(what string, d time.Duration, cond func() bool) error {
	for end := time.Now().Add(d); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("timed out: " + what)
		}
	}
	return nil
}

// listening reports whether something accepts connections at a port of this host.
func listening(port string) bool {
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// qmail is this suite.
type qmail struct {
	options options
	meter   *meter
	procs   []*exec.Cmd
}

func (q *qmail) name() string      { return "qmail" }
func (q *qmail) folders() []string { return []string{conf.Home() + "/queue", homes()} }

func (q *qmail) sendmail() []string {
	return []string{conf.Home() + "/bin/sendmail", "-f", "sender@load.test", "user%d@" + domain}
}

func (q *qmail) start(w way) error {
	home := conf.Home()
	control := map[string]string{
		"me": domain, "locals": domain, "rcpthosts": domain, "smtproutes": "sink.test:[127.0.0.1]:2525",
		"concurrencylocal": strconv.Itoa(concurrencyLocal), "concurrencyremote": strconv.Itoa(concurrencyRemote),
	}
	for n, text := range control {
		if err := os.WriteFile(home+"/control/"+n, []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	var assign strings.Builder
	for i, u := range users() {
		fmt.Fprintf(&assign, "=user%d:%s:%d:%d:%s:::\n", i, u.Name, u.UID, u.UID, u.Home)
	}
	if err := os.WriteFile(home+"/users/assign", []byte(assign.String()+".\n"), 0o644); err != nil {
		return err
	}
	if err := command(home + "/bin/qmail-newu"); err != nil {
		return err
	}
	env := []string{"PATH=" + home + "/bin:" + os.Getenv("PATH"), "RELAYCLIENT="}
	if w.strange() {
		env = env[:1]
	}
	if !q.options.workers {
		if err := mute(); err != nil {
			return err
		}
		env = append(env, "QMAILQUEUE=bin/qmail-queue") // which is never kept
	}
	if err := q.routes(w); err != nil {
		return err
	}
	if err := q.prove(w); err != nil {
		return err
	}
	if err := q.run(env, nil, home+"/bin/qmail-start", "./Maildir/", "cat"); err != nil {
		return err
	}
	switch {
	case w == plain || w == signing || w.strange():
		if err := q.serve(env, "2500", "qmail-smtpd"); err != nil || w != deferring {
			return err
		}
		return pass()
	case w == byLogin:
		if err := q.passwords(env); err != nil {
			return err
		}
		return q.serve(env, "2587", "qmail-submitd")
	}
	return q.serve(env, "2500", "qmail-smtpsd")
}

// serve has connections to a port answered by a program.
func (q *qmail) serve(env []string, port, program string) error {
	program = conf.Home() + "/bin/" + program
	uid, gid, err := account(conf.UserNames().Daemon)
	if err != nil {
		return err
	}
	if !q.options.listen {
		err = q.run(env, nil, "tcpserver", "-H", "-R", "-l", "0", "-c", "400", "-b", "400", "-u", uid, "-g", gid,
			"127.0.0.1", port, program)
	} else {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err != nil {
			return err
		}
		defer l.Close()
		var f *os.File
		if f, err = l.(*net.TCPListener).File(); err != nil {
			return err
		}
		defer f.Close()
		err = q.run(env, f, "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--inh-caps=-all",
			"--bounding-set=-all", conf.Home()+"/bin/tcp-env", program)
	}
	if err != nil {
		return err
	}
	return until("port "+port, 10*time.Second, func() bool { return listening(port) })
}

// mute has no program greet, by another greeting in its file: a parent finds no worker in it then.
func mute() error {
	for _, name := range []string{"qmail-local", "qmail-getpw", "qmail-remote", "qmail-queue", "qmail-smtpd"} {
		path := conf.Home() + "/bin/" + name
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		silent := bytes.ReplaceAll(b, []byte(worker.Greeting), bytes.Repeat([]byte("-"), len(worker.Greeting)))
		if bytes.Equal(silent, b) {
			continue // it was muted before
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(silent)
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *qmail) run(env []string, stdin *os.File, argv ...string) error {
	log, err := os.OpenFile("/run/bench.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c := q.meter.command(argv...)
	c.Env, c.Stdout, c.Stderr = env, log, log
	if stdin != nil {
		c.Stdin = stdin
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	q.procs = append(q.procs, c)
	return c.Start()
}

// stop lets deliveries end that are under way: only qmail-send and the listener are told, and what is killed stays
// in the queue.
func (q *qmail) stop() {
	for _, c := range q.procs {
		if c.Process != nil {
			syscall.Kill(c.Process.Pid, syscall.SIGTERM)
		}
	}
	for _, c := range q.procs {
		kill := time.AfterFunc(15*time.Second, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		c.Wait()
		kill.Stop()
	}
	q.procs = nil
	time.Sleep(500 * time.Millisecond)
}

// account returns the numbers of an account of the world, as text.
func account(name string) (uid, gid string, err error) {
	b, err := os.ReadFile("/etc/passwd")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Split(l, ":"); len(f) > 3 && f[0] == name {
			return f[2], f[3], nil
		}
	}
	return "", "", fmt.Errorf("no account %s (%v)", name, err)
}
