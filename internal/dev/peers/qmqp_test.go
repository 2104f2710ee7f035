//go:build linux

package peers

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// queueHost makes a machine that takes messages by QMQP for mail.test.
func queueHost(t *testing.T, n int) *qmail {
	t.Helper()
	q := boot(t, fmt.Sprintf("q%d.test", n), fmt.Sprint(20+n))
	q.configure()
	q.control("locals", "mail.test\n")
	q.maildir("me")
	q.serveQMQP()
	return q
}

func (q *qmail) serveQMQP() {
	q.t.Helper()
	q.start()
	uid, gid, _ := testqmail.Account("qmaild")
	q.daemon("root", "tcpserver", "-RHl0", "-c200", "-u", fmt.Sprint(uid), "-g", fmt.Sprint(gid), "0", "628",
		home("bin/qmail-qmqpd"))
	waitPort(q.t, q.IP4+":628")
}

func TestNothingAcceptedIsLostWhenAQueueHostDies(t *testing.T) {
	if !inside(t, "tcpserver", "dnsmasq", "ip", "setpriv") {
		return
	}
	network(t)
	hosts := []*qmail{queueHost(t, 1), queueHost(t, 2), queueHost(t, 3)}
	client := boot(t, "null.test", "20")
	client.control("me", "null.test\n", "qmqpservers", "10.9.0.21\n10.9.0.22\n10.9.0.23\n")
	client.sh("rm " + home("bin/qmail-queue") + " && ln -s qmail-qmqpc " + home("bin/qmail-queue"))
	// A dead neighbour is found out in a second, not in a minute.
	client.sh("cd /proc/sys/net/ipv4/neigh/eth0; echo 500 >base_reachable_time_ms; echo 1 >delay_first_probe_time; " +
		"echo 200 >retrans_time_ms")

	var mu sync.Mutex
	accepted := map[string]bool{}
	var count, refused atomic.Int64
	var load sync.WaitGroup
	stop := make(chan struct{})
	for w := range 6 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d-%d", w, n)
				if _, err := client.run("me", "Number: "+id+"\nTo: me@mail.test\n\nhello\n", home("bin/qmail-inject")); err != nil {
					refused.Add(1)
					continue
				}
				mu.Lock()
				accepted[id] = true
				mu.Unlock()
				count.Add(1)
			}
		})
	}
	reached := func(n int64) {
		t.Helper()
		poll.Until(t, fmt.Sprintf("%d messages are accepted", n), func() bool { return count.Load() >= n })
	}
	reached(60)
	hosts[0].Kill() // all messages went to the first one so far
	reached(count.Load() + 20)
	if err := hosts[0].Boot(); err != nil {
		t.Fatal(err)
	}
	reached(count.Load() + 30)
	hosts[1].Kill()
	hosts[0].serveQMQP()
	reached(count.Load() + 40)
	close(stop)
	load.Wait()
	if err := hosts[1].Boot(); err != nil {
		t.Fatal(err)
	}
	hosts[1].serveQMQP()
	for _, q := range hosts {
		q.waitDone()
	}
	delivered, of := map[string]bool{}, make([]int, 3)
	for i, q := range hosts {
		for _, m := range q.messages("me") {
			for _, id := range header(q.read(m), "Number") {
				delivered[id] = true
				of[i]++
			}
		}
	}
	for id := range accepted {
		if !delivered[id] {
			t.Errorf("message %s was accepted and is lost", id)
		}
	}
	if of[0] < 60 || of[1] < 10 {
		t.Errorf("messages of the hosts: %v", of)
	}
	t.Logf("%d accepted, %d refused, %v delivered", len(accepted), refused.Load(), of)
}

func TestMessageIsRefusedWhileNoQueueHostTakesIt(t *testing.T) {
	if !inside(t, "tcpserver", "dnsmasq", "ip", "setpriv") {
		return
	}
	network(t)
	client := boot(t, "null.test", "20")
	client.control("me", "null.test\n", "qmqpservers", "10.9.0.1\n")
	client.sh("rm " + home("bin/qmail-queue") + " && ln -s qmail-qmqpc " + home("bin/qmail-queue"))
	out, err := client.run("me", "To: me@mail.test\n\nhello\n", home("bin/qmail-inject"))
	if exitCode(err) != 111 || out == "" {
		t.Errorf("%v: %q", err, out)
	}
}
