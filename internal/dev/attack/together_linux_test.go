package attack

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys/passwd"
)

// The hostile servers, each of which is one of these.
var trap = []func(net.Conn){
	silent,
	func(c net.Conn) { // greets for ever
		for {
			if _, err := io.WriteString(c, "220-x\r\n"); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	},
	func(c net.Conn) { // a line without end
		for {
			if _, err := io.WriteString(c, strings.Repeat("x", 4096)); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	},
	func(c net.Conn) { // says 250 to all, even to the message, and never to its end
		io.WriteString(c, "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n")
		silent(c)
	},
}

// traps listens at twenty addresses and returns their routes, and how many connections there have been.
func traps(t *testing.T) (routes string, caught *atomic.Int32) {
	caught = new(atomic.Int32)
	for i := range 20 {
		ip := fmt.Sprintf("127.0.6.%d", i+1)
		l, err := net.Listen("tcp", ip+":2525")
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
				caught.Add(1)
				go func() { trap[i%len(trap)](c); c.Close() }()
			}
		}()
		routes += fmt.Sprintf("trap%d.test:[%s]:2525\n", i, ip)
	}
	return routes, caught
}

// queue hands a message to qmail-inject.
func queue(t *testing.T, text string, to ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(conf.Home(), "bin/qmail-inject"), to...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// TestAllAttacksAtOnceDelayHonestMailBySecondsAtMost has a hundred hostile clients of four addresses, twenty hostile
// servers and a hostile user at work, while an honest client sends to a Maildir and an honest user to an honest host.
func TestAllAttacksAtOnceDelayHonestMailBySecondsAtMost(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	messages := 10
	if long() {
		messages = 500
	}
	makeMaildir(t)
	routes, caught := traps(t)
	honest := &fragile{}
	honest.listen(t, "127.0.7.1:2525")
	control(t, "smtproutes", routes+"honest.test:[127.0.7.1]:2525")
	sam, err := passwd.Lookup("orcsam")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		".qmail": "|exec sleep 100000\n", ".qmail-default": "|exec yes\n", ".qmail-loop": "orcsam-loop@m.test\n",
	} {
		path := filepath.Join(testqmail.HomeOf("orcsam"), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Chown(path, sam.UID, sam.GID)
	}
	s := start(t)
	toRemote := func(n int) (p99, median time.Duration) {
		t.Helper()
		var took []time.Duration
		for i := range n {
			began := time.Now()
			queue(t, "Subject: honest\n\n", fmt.Sprintf("a%d@honest.test", i))
			poll.Until(t, "a message at the honest host", func() bool {
				got, _, _ := honest.received()
				return len(got) > i
			})
			took = append(took, time.Since(began))
		}
		honest.forget()
		slices.Sort(took)
		return took[(n*99+99)/100-1], took[n/2]
	}
	quietLocal, _ := s.honest("127.0.0.1", 10)
	quietRemote, _ := toRemote(10)

	for i := range 10 {
		var to []string
		for h := range 20 {
			to = append(to, fmt.Sprintf("x%d@trap%d.test", i, h))
		}
		queue(t, "Subject: x\n\n", to...)
		queue(t, "Subject: x\n\n", "orcsam@m.test", fmt.Sprintf("orcsam-%d@m.test", i), "orcsam-loop@m.test")
	}
	s.attack(fourAddresses, 25, silent, drips, floods, neverReads, longLists, endlessText)
	poll.Until(t, "connections to hostile hosts, and programs of the hostile user", func() bool {
		return caught.Load() >= 20 && len(tasks("sleep", "yes")) > 0
	})
	stop, peak := make(chan struct{}), make(chan int)
	go func() { peak <- memory(stop) }()
	local, localMedian := s.honest("127.0.0.1", messages)
	remote, remoteMedian := toRemote(messages)
	close(stop)
	most := <-peak
	t.Logf("SMTP to a Maildir %v at the 99th percentile, %v at the median (quiet %v); to a host %v, %v (quiet %v); "+
		"%d MB in use", local, localMedian, quietLocal, remote, remoteMedian, quietRemote, most>>20)
	if local > bound(2*time.Second, quietLocal) || remote > bound(5*time.Second, quietRemote) {
		t.Errorf("honest mail takes %v and %v", local, remote)
	}
	if most > 800<<20 {
		t.Errorf("%d MB are in use", most>>20)
	}
}
