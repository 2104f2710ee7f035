//go:build linux

package peers

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
	"qmail/internal/site/srs"
)

// A table is a map of Postfix's that a program of the network looks up.
type table string

// ask returns what a key becomes, itself where there is nothing.
func (a table) ask(t *testing.T, key string) string {
	t.Helper()
	c, err := net.Dial("tcp", string(a))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "get %s\n", key)
	line, err := bufio.NewReader(c).ReadString('\n')
	value, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "200 ")
	if err != nil || !found {
		return key
	}
	return value
}

// collector takes mail at a port of the machine, and tells "SENDER RECIPIENT".
func collector(t *testing.T, address string) <-chan string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "220 collector\r\n")
				from, r, data := "", bufio.NewReader(c), false
				for {
					line, err := r.ReadString('\n')
					line = strings.TrimRight(line, "\r\n")
					address := strings.Trim(line[strings.IndexByte(line, ':')+1:], "<>")
					switch {
					case err != nil:
						return
					case data:
						if line != "." {
							continue
						}
						data = false
					case strings.HasPrefix(line, "MAIL"):
						from = address
					case strings.HasPrefix(line, "RCPT"):
						got <- from + " " + address
					case line == "DATA":
						data = true
						fmt.Fprint(c, "354 go\r\n")
						continue
					}
					fmt.Fprint(c, "250 ok\r\n")
				}
			}()
		}
	}()
	return got
}

func TestAForwarderIsTheSenderAndLetsBouncesThroughAsPostsrsdDoes(t *testing.T) {
	if !inside(t, "postsrsd") {
		return
	}
	q := here(t)
	q.configure()
	q.control("srs_domain", "srs.one.test\n", "virtualdomains", "srs.one.test:alias-srs\n",
		"rcpthosts", q.name+"\nsrs.one.test\n", "smtproutes", ":127.0.0.1:2525\n", "srs_secrets", "one\ntwo\n")
	secrets := home("control/srs_secrets")
	q.sh("chown alias:qmail " + secrets + "; chmod 440 " + secrets)
	if out, err := q.run("me", "", "/bin/cat", secrets); err == nil {
		t.Errorf("a user can read the secrets: %q", out)
	}
	q.write(home("alias/.qmail-srs-default"), "|srsfilter\n")
	q.maildir("me")
	user := testqmail.HomeOf("me")
	q.write(user+"/.qmail-line", "&you@far.test\n")
	q.write(user+"/.qmail-program", "|forward you@far.test\n")
	q.write(user+"/.qmail-when", "|condredirect you@far.test true\n")
	got := collector(t, "127.0.0.1:2525")
	next := func() (heard string) {
		t.Helper()
		select {
		case heard = <-got:
		case <-time.After(time.Minute):
			t.Fatalf("nothing has come: %s", q.text())
		}
		return heard
	}
	session := func(sender, recipient string) {
		t.Helper()
		out := q.feed("qmaild", "EHLO x\r\nMAIL FROM:<"+sender+">\r\nRCPT TO:<"+recipient+
			">\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n", home("bin/qmail-smtpd"))
		if !strings.Contains(out, " qp ") {
			t.Fatal(out)
		}
	}
	q.daemon("root", "postsrsd", "-4", "-s", secrets, "-f", "10001", "-r", "10002", "-d", "srs.one.test")
	forward, reverse := table("127.0.0.1:10001"), table("127.0.0.1:10002")
	waitPort(t, string(forward))
	waitPort(t, string(reverse))
	q.start()

	// The day may change between two who make an address.
	same := func(ours func() string, theirs string) {
		t.Helper()
		var a, b string
		for range 2 {
			if a, b = ours(), forward.ask(t, theirs); a == b {
				return
			}
		}
		t.Errorf("%s: we have %s, postsrsd %s", theirs, a, b)
	}
	for _, extension := range []string{"line", "program", "when"} {
		address := ""
		same(func() string {
			session("Joe@a.test", "me-"+extension+"@"+q.name)
			address, _ = strings.CutSuffix(next(), " you@far.test")
			return address
		}, "Joe@a.test")
		if back := reverse.ask(t, address); back != "Joe@a.test" {
			t.Errorf("%s: to postsrsd %s is %s", extension, address, back)
		}
		session("", strings.ToUpper(address[:12])+address[12:])
		if back := next(); back != " Joe@a.test" {
			t.Errorf("%s: the bounce to %s: %q", extension, address, back)
		}
	}
	// What we did not have to pass on, and who is one of ours.
	session("me@"+q.name, "me-line@"+q.name)
	if s := next(); s != "me@"+q.name+" you@far.test" {
		t.Errorf("our own sender: %q", s)
	}
	session("", "me-line@"+q.name)
	if s := next(); s != " you@far.test" {
		t.Errorf("a bounce: %q", s)
	}
	q.feed("me", "Subject: x\n\nx\n", home("bin/qmail-inject"), "-f", "joe@a.test", "you@far.test")
	if s := next(); s != "joe@a.test you@far.test" {
		t.Errorf("a user's message: %q", s)
	}
	session("", "SRS0=AAAA=AA=a.test=joe@srs.one.test")
	q.waitLog(`failure: srsfilter:_fatal:_Sorry,_the_hash_in_this_SRS_address_is_not_one_of_ours`)

	scheme := &srs.Scheme{Domain: "srs.one.test", Secrets: []string{"one"}, MaxAge: 7, HashLength: 4, HashMin: 4,
		Separator: "="}
	for _, sender := range []string{"a=b@a.test", "A.B-c+d@Sub.A.test", "SRS0=AbCd=Xy=b.test=joe@c.test",
		"SRS0+AbCd=Xy=b.test=joe@c.test", "SRS1=AbCd=d.test==EfGh=Xy=b.test=joe@c.test",
		"srs0-abcd=xy=b.test=joe@c.test", "SRS1-AbCd=d.test=+EfGh=Xy=b.test=joe@c.test"} {
		address := ""
		same(func() string {
			address, _ = scheme.Forward(sender, time.Now())
			return address
		}, sender)
		local, _, _ := strings.Cut(address, "@")
		ours, err := scheme.Reverse(local, time.Now())
		if theirs := reverse.ask(t, address); err != nil || theirs != ours {
			t.Errorf("%s: back to %q, %v, by postsrsd to %q", address, ours, err, theirs)
		}
	}
	q.stop()
	if strings.Contains(q.text(), "deferral:") {
		t.Error(q.text())
	}
}
