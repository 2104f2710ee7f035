//go:build linux

package peers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

// A pipeliner is a server that offers PIPELINING and counts the transactions that are under way.
type pipeliner struct {
	mu           sync.Mutex
	running      int
	most         int
	transactions int
	got          map[string]int
}

func (p *pipeliner) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	io.WriteString(c, "220 sink\r\n")
	var rcpts []string
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(l)), " ")
		reply := "250 ok\r\n"
		switch verb {
		case "EHLO":
			reply = "250-sink\r\n250 PIPELINING\r\n"
		case "MAIL":
			p.mu.Lock()
			p.transactions++
			p.running++
			p.most = max(p.most, p.running)
			p.mu.Unlock()
		case "RCPT":
			rcpts = append(rcpts, strings.Trim(l[len("RCPT TO:"):], "<>\r\n"))
		case "DATA":
			io.WriteString(c, "354 go\r\n")
			for l != ".\r\n" {
				if l, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			poll.Within(20*time.Millisecond, func() bool { // so that there are several at a time
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.running > 2
			})
			p.mu.Lock()
			p.running--
			for _, a := range rcpts {
				p.got[a]++
			}
			p.mu.Unlock()
			rcpts = nil
		case "QUIT":
			io.WriteString(c, "221 bye\r\n")
			return
		}
		io.WriteString(c, reply)
	}
}

func TestAListTakesASlotForEachTransactionAndALineForEachRecipient(t *testing.T) {
	if !inside(t) {
		return
	}
	const recipients, slots = 400, 3
	q := here(t)
	q.configure()
	q.control("smtproutes", ":[127.0.0.1]:2525\n")
	q.control("concurrencyremote", fmt.Sprintln(slots))
	l, err := net.Listen("tcp", "127.0.0.1:2525")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &pipeliner{got: map[string]int{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	q.start()
	argv := []string{home("bin/qmail-inject")}
	for i := range recipients {
		argv = append(argv, fmt.Sprintf("u%d@far.test", i))
	}
	if out, err := q.run("me", "Subject: list\n\nhello\n", argv...); err != nil {
		t.Fatalf("%v %s", err, tail(out))
	}
	q.waitEmpty()
	q.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range recipients {
		if a := fmt.Sprintf("u%d@far.test", i); p.got[a] != 1 {
			t.Errorf("%s got it %d times", a, p.got[a])
		}
	}
	if p.most > slots || p.transactions > recipients/2 {
		t.Errorf("%d transactions, %d at a time", p.transactions, p.most)
	}
	log := q.text()
	if a, b := strings.Count(log, "starting delivery"), strings.Count(log, ": success: "); a != recipients ||
		b != recipients {
		t.Errorf("%d deliveries and %d successes in the log", a, b)
	}
	for line := range strings.Lines(log) {
		if _, load, ok := strings.Cut(line, " remote "); ok && strings.Contains(line, "status: local") {
			var c, d int
			if n, _ := fmt.Sscanf(load, "%d/%d", &c, &d); n != 2 || c > d || d != slots {
				t.Errorf("%s", line)
			}
		}
	}
}
