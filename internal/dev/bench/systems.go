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
	smtpAddr = "127.0.0.1:2500"
	sinkAddr = "127.0.0.1:2525"
	domain   = "bench.test"
	// mailUsers is how many accounts of the world get mail; user returns their names.
	mailUsers = 3

	concurrencyLocal  = 20
	concurrencyRemote = 100
)

// A system is a mail server under test.
type system interface {
	name() string
	folders() []string // of its queue and of mailboxes
	start() error
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

func listening() bool {
	c, err := net.DialTimeout("tcp", smtpAddr, time.Second)
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

func (q *qmail) start() error {
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
	if !q.options.workers {
		if err := mute(); err != nil {
			return err
		}
		env = append(env, "QMAILQUEUE=bin/qmail-queue") // which is never kept
	}
	if err := q.run(env, nil, home+"/bin/qmail-start", "./Maildir/", "cat"); err != nil {
		return err
	}
	uid, gid, err := account(conf.UserNames().Daemon)
	if err != nil {
		return err
	}
	if !q.options.listen {
		err = q.run(env, nil, "tcpserver", "-H", "-R", "-l", "0", "-c", "400", "-b", "400", "-u", uid, "-g", gid,
			"127.0.0.1", "2500", home+"/bin/qmail-smtpd")
	} else {
		var l net.Listener
		if l, err = net.Listen("tcp", smtpAddr); err != nil {
			return err
		}
		defer l.Close()
		var f *os.File
		if f, err = l.(*net.TCPListener).File(); err != nil {
			return err
		}
		defer f.Close()
		err = q.run(env, f, "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--inh-caps=-all",
			"--bounding-set=-all", home+"/bin/tcp-env", home+"/bin/qmail-smtpd")
	}
	if err != nil {
		return err
	}
	return until("SMTP port", 10*time.Second, listening)
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

// postfix is Debian's Postfix, with the limits of the other systems.
type postfix struct{ meter *meter }

func (p *postfix) name() string      { return "postfix" }
func (p *postfix) folders() []string { return []string{"/var/spool/postfix", homes()} }

func (p *postfix) sendmail() []string {
	return []string{"/usr/sbin/sendmail", "-f", "sender@load.test", "user%d@" + domain}
}

// postfixFiles makes the two files that a Postfix lacks which was installed without a configuration.
func postfixFiles() error {
	if _, err := os.Stat("/etc/postfix/main.cf"); err == nil {
		return nil
	}
	if err := os.WriteFile("/etc/postfix/main.cf", []byte("compatibility_level = 3.6\n"), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat("/etc/postfix/master.cf"); err == nil {
		return nil
	}
	return command("cp", "/usr/share/postfix/master.cf.dist", "/etc/postfix/master.cf")
}

func (p *postfix) start() error {
	var table []string
	for i, u := range users() {
		table = append(table, fmt.Sprintf("user%d@%s=%s@%s", i, domain, u.Name, domain))
	}
	settings := []string{
		"compatibility_level=3.6", "myhostname=" + domain, "mydestination=" + domain, "home_mailbox=Maildir/",
		"mynetworks=127.0.0.0/8", "inet_interfaces=127.0.0.1", "inet_protocols=ipv4", "smtp_dns_support_level=disabled",
		"smtpd_peername_lookup=no", "transport_maps=inline:{sink.test=smtp:[127.0.0.1]:2525}", "default_process_limit=400",
		"default_destination_concurrency_limit=" + strconv.Itoa(concurrencyRemote), "initial_destination_concurrency=20",
		"local_destination_concurrency_limit=" + strconv.Itoa(concurrencyLocal), "alias_maps=", "alias_database=",
		"virtual_alias_maps=inline:{" + strings.Join(table, ",") + "}",
		"smtp_host_lookup=native", "maillog_file=/var/log/mail.log", "smtpd_client_connection_count_limit=0",
		"mailbox_size_limit=0", "in_flow_delay=0",
	}
	if err := command("postconf", append([]string{"-e"}, settings...)...); err != nil {
		return err
	}
	exec.Command("postconf", "-M#", "smtp/inet").Run()
	if err := command("postconf", "-M", "2500/inet=2500 inet n - n - - smtpd"); err != nil {
		return err
	}
	for _, s := range []string{"smtp/unix", "local/unix", "cleanup/unix", "qmgr/unix", "rewrite/unix"} {
		if err := command("postconf", "-F", s+"/chroot=n"); err != nil {
			return err
		}
	}
	if out, err := p.meter.command("postfix", "start").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix start: %w: %s", err, out)
	}
	return until("SMTP port", 20*time.Second, listening)
}

func (p *postfix) stop() {
	exec.Command("postfix", "stop").Run()
	time.Sleep(time.Second)
}
