package attack

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

// TestSilentHostsAndASleepingUserDelayAnHonestMessageByLessThanFiveSeconds has each of twenty hosts accept connections
// and never say a word, with more mail for them than there are slots, and a user run programs that never end.
func TestSilentHostsAndASleepingUserDelayAnHonestMessageByLessThanFiveSeconds(t *testing.T) {
	if !inWorld(t) {
		return
	}
	const hosts, each, messages = 20, 10, 10
	var connections atomic.Int32
	routes := ""
	for i := range hosts {
		ip := "127.0.6." + strconv.Itoa(i+1)
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
				connections.Add(1)
				go io.Copy(io.Discard, c)
			}
		}()
		routes += fmt.Sprintf("silent%d.test:[%s]:2525\n", i, ip)
	}
	honest := &fragile{}
	honest.listen(t, "127.0.7.1:2525")
	routes += "honest.test:[127.0.7.1]:2525\n"

	v := newVictim(t, "smtproutes", routes)
	v.own("orcjoe", ".qmail", "|exec sleep 100000\n")
	v.own("orcjoe", ".qmail-default", "|exec sleep 100000\n")
	v.own("orcsam", ".qmail", "./Mailbox\n")
	v.start() // it would wait for the silent hosts at its end; the world ends it
	began := time.Now()
	v.inject("Subject: first\n\n", "first@honest.test")
	v.wait("the first message", func() bool {
		took, _, _ := honest.received()
		return len(took) == 1
	})
	quiet := time.Since(began)
	honest.forget()
	for i := range each {
		var to []string
		for h := range hosts {
			to = append(to, fmt.Sprintf("x%d@silent%d.test", i, h))
		}
		v.inject("Subject: x\n\n", to...)
		v.inject("Subject: x\n\n", "orcjoe@"+testqmail.Host, "orcjoe-"+strconv.Itoa(i)+"@"+testqmail.Host)
	}
	v.wait("all slots to be taken", func() bool { return strings.Contains(v.read(v.log), " remote 20/20") })

	time99 := func(name string, to func(i int) (string, func() bool)) time.Duration {
		var took []time.Duration
		for i := range messages {
			address, there := to(i)
			began := time.Now()
			v.inject("Subject: honest\n\n", address)
			v.wait(name+" mail", there)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("%s mail takes %v at the median, %v at the most", name, took[messages/2], took[messages-1])
		return took[messages-1]
	}
	local := time99("local", func(i int) (string, func() bool) {
		return "orcsam@" + testqmail.Host, func() bool {
			return strings.Count(v.read(testqmail.HomeOf("orcsam")+"/Mailbox"), "Subject: honest") > i
		}
	})
	remote := time99("remote", func(i int) (string, func() bool) {
		return fmt.Sprintf("a%d@honest.test", i), func() bool {
			took, _, _ := honest.received()
			return len(took) > i
		}
	})
	if local > bound(2*time.Second, quiet) || remote > bound(5*time.Second, quiet) {
		t.Errorf("honest mail takes %v and %v", local, remote)
	}
	if n := connections.Load(); n < hosts {
		t.Errorf("only %d connections to the silent hosts", n)
	}
	if log := v.read(v.log); strings.Contains(log, ": failure: ") {
		t.Errorf("something bounced:\n%s", log)
	}
}
