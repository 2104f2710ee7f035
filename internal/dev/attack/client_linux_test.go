package attack

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// A fragile is an SMTP server that does not bear what others do.
type fragile struct {
	limit    int    // recipients that it takes in one transaction; 0: any number
	over     string // what it says to one more, or silence or close
	lockstep bool   // it loses what comes in one packet with another command
	greets   string // what it says to EHLO in the place of an answer, or silence or close

	mu     sync.Mutex
	took   []string // recipients, by accepted message
	ahead  int      // packets that were more than a command
	groups []int    // recipients asked for in each transaction
}

func (f *fragile) listen(t *testing.T, addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
}

func (f *fragile) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(s string) bool {
		switch s {
		case "close":
			return false
		case "silence":
			for {
				if _, err := r.ReadString('\n'); err != nil {
					return false
				}
			}
		}
		_, err := c.Write([]byte(s + "\r\n"))
		return err == nil
	}
	var to []string
	asked := 0
	for ok := say("220 fragile"); ok; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if r.Buffered() > 0 {
			f.mu.Lock()
			f.ahead++
			f.mu.Unlock()
			if f.lockstep {
				r.Discard(r.Buffered())
			}
		}
		switch {
		case strings.HasPrefix(line, "EHLO") && f.greets != "":
			ok = say(f.greets)
		case strings.HasPrefix(line, "EHLO"):
			ok = say("250-fragile\r\n250-PIPELINING\r\n250 SIZE 10000000")
		case strings.HasPrefix(line, "MAIL"):
			to, asked = nil, 0
			ok = say("250 ok")
		case strings.HasPrefix(line, "RCPT"):
			if asked++; f.limit > 0 && len(to) == f.limit {
				ok = say(f.over)
				break
			}
			to = append(to, line[len("RCPT TO:<"):strings.IndexByte(line, '@')])
			ok = say("250 ok")
		case strings.HasPrefix(line, "DATA") && len(to) > 0:
			say("354 go")
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			f.mu.Lock()
			f.took, f.groups = append(f.took, to...), append(f.groups, asked)
			f.mu.Unlock()
			ok = say("250 taken")
		case strings.HasPrefix(line, "DATA"):
			ok = say("503 nobody")
		case strings.HasPrefix(line, "QUIT"):
			return
		default:
			ok = say("250 ok")
		}
	}
}

// received returns who has got a message, in order, and what it took.
func (f *fragile) received() (to []string, groups []int, ahead int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.took)), slices.Clone(f.groups), f.ahead
}

func (f *fragile) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took, f.groups, f.ahead = nil, nil, 0
}

func control(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(conf.Home()+"/control/"+name, []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNoFragileHostGetsMailLateTwiceOrNotAtAll sends a message for six to hosts with faults. All six must have it
// once, at the first try, and the host is spared from then on what it did not bear.
func TestNoFragileHostGetsMailLateTwiceOrNotAtAll(t *testing.T) {
	hosts := map[string]*fragile{
		"552.test": {limit: 3, over: "552 5.5.3 too many recipients"}, "550.test": {limit: 3, over: "550 no"},
		"452.test": {limit: 3, over: "452 4.5.3 later"}, "503.test": {limit: 1, over: "503 what?"},
		"closes.test": {limit: 2, over: "close"}, "hangs.test": {limit: 2, over: "silence"},
		"loses.test":   {lockstep: true},
		"no-ehlo.test": {greets: "550 what?"}, "ends-at-ehlo.test": {greets: "close"},
		"hangs-at-ehlo.test": {greets: "silence"},
	}
	if !inWorld(t) {
		return
	}
	control(t, "me", testqmail.Host)
	control(t, "locals", testqmail.Host)
	control(t, "timeoutremote", "8")
	var routes []string
	for name, f := range hosts {
		ip := "127.0.5." + strconv.Itoa(len(routes)+1)
		f.listen(t, ip+":2525")
		routes = append(routes, name+":["+ip+"]:2525")
	}
	control(t, "smtproutes", strings.Join(routes, "\n"))
	log, err := os.Create("/run/log")
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(conf.Home()+"/bin/qmail-start", "./Mailbox")
	daemon.Env, daemon.Dir, daemon.Stdout, daemon.Stderr = []string{"PATH=/usr/bin:/bin"}, "/", log, log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Process.Kill() })
	shown := map[string]bool{} // what a host does not bear has been met
	for round := range 3 {
		for name := range hosts {
			args := []string{"-f", "root@" + testqmail.Host}
			for _, c := range "abcdef" {
				args = append(args, string(c)+"@"+name)
			}
			inject := exec.Command(conf.Home()+"/bin/qmail-inject", args...)
			inject.Stdin = strings.NewReader("Subject: x\n\nhello\n")
			if out, err := inject.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		want := 6 * len(hosts) * (round + 1)
		text := ""
		poll.Until(t, fmt.Sprintf("%d deliveries in round %d", want, round), func() bool {
			b, _ := os.ReadFile("/run/log")
			text = string(b)
			if strings.Contains(text, ": failure: ") || strings.Contains(text, ": deferral: ") {
				t.Fatalf("round %d:\n%s", round, text)
			}
			return strings.Count(text, ": success: ") >= want
		}, func() string { return text })
		for name, f := range hosts {
			to, groups, ahead := f.received()
			if strings.Join(to, "") != "abcdef" {
				t.Errorf("%s, round %d: %q have a message", name, round, to)
			}
			broken := f.limit > 0 && slices.Max(groups) > f.limit || f.lockstep && ahead > 0
			if broken && shown[name] {
				t.Errorf("%s gets groups of %v, and %d packets of many commands, again", name, groups, ahead)
			}
			shown[name] = shown[name] || broken
			f.forget()
		}
	}
}
