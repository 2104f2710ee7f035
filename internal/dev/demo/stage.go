package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// A stage is the running system with its syslog.
type stage struct {
	home, source string
	me           testqmail.User
	mu           sync.Mutex
	log          []string
	shown        int // lines of log printed so far
	send         *exec.Cmd
}

func newStage(source string) *stage {
	s := &stage{home: conf.Home(), source: source}
	for _, u := range testqmail.Users() {
		if u.Name == "me" {
			s.me = u
		}
	}
	return s
}

// syslog plays the system logger on /dev/log.
func (s *stage) syslog() error {
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		return err
	}
	os.Chmod("/dev/log", 0o666)
	go func() {
		b := make([]byte, 8192)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			// <priority>Mmm dd hh:mm:ss qmail: seconds.micros text
			line := string(b[:n])
			if i := strings.Index(line, ">"); i >= 0 && len(line) > i+17 {
				line = line[i+17:]
			}
			s.mu.Lock()
			s.log = append(s.log, strings.TrimSuffix(line, "\n"))
			s.mu.Unlock()
		}
	}()
	return nil
}

// waitLog waits for a line that re finds among those not yet shown, then shows all up to the last idle one.
func (s *stage) waitLog(re string) error {
	find := regexp.MustCompile(re)
	found := poll.Within(time.Minute, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return find.MatchString(strings.Join(s.log[s.shown:], "\n"))
	})
	s.show()
	if !found {
		return fmt.Errorf("the log has no line like %q", re)
	}
	return nil
}

// show prints the new lines of the log.
func (s *stage) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.log[s.shown:] {
		fmt.Println("  ", l)
	}
	s.shown = len(s.log)
}

// do prints a command as in INSTALL.md and runs it as user, root where it is empty.
func (s *stage) do(user, command string) error {
	prompt := "%"
	if user == "" {
		prompt = "#"
	}
	fmt.Println(prompt, strings.ReplaceAll(command, "\n", "\n> "))
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "USER=root"}
	cmd.Dir = "/"
	if user == "me" {
		cmd.Dir = s.me.Home
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.me.Home, "USER=me"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
			Uid: uint32(s.me.UID), Gid: uint32(s.me.UID), Groups: []uint32{testqmail.GroupID},
		}}
	}
	out, err := cmd.CombinedOutput()
	for _, l := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		if l != "" || len(out) > 1 {
			fmt.Println("  ", l)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

// must runs commands as root.
func (s *stage) must(commands ...string) error {
	for _, c := range commands {
		if err := s.do("", c); err != nil {
			return err
		}
	}
	return nil
}

// start starts the daemons by rc, and shows them.
func (s *stage) start() error {
	fmt.Println("#", s.home+"/rc &")
	s.send = exec.Command(s.home + "/rc")
	s.send.Env, s.send.Dir = []string{"PATH=/usr/bin:/bin"}, "/"
	if err := s.send.Start(); err != nil {
		return err
	}
	if err := s.waitLog("status: local 0/10 remote 0/20"); err != nil {
		return err
	}
	fmt.Println("# ps -eo user,args | grep -e qmail -e splogger")
	procs, _ := filepath.Glob("/proc/[0-9]*/exe")
	names := map[string]bool{}
	for _, p := range procs {
		to, err := os.Readlink(p)
		if err != nil || !strings.HasPrefix(to, s.home+"/bin/") {
			continue
		}
		fi, err := os.Stat(filepath.Dir(p))
		if err != nil {
			continue
		}
		names[filepath.Base(to)] = true
		fmt.Printf("   %-8s %s\n", owner(fi), filepath.Base(to))
	}
	for _, n := range []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean", "splogger"} {
		if !names[n] {
			return fmt.Errorf("%s does not run", n)
		}
	}
	return nil
}

// owner returns the name of a file's owner.
func owner(fi os.FileInfo) string {
	uid := fmt.Sprint(fi.Sys().(*syscall.Stat_t).Uid)
	text, _ := os.ReadFile("/etc/passwd")
	for _, l := range strings.Split(string(text), "\n") {
		if f := strings.Split(l, ":"); len(f) > 2 && f[2] == uid {
			return f[0]
		}
	}
	return uid
}
