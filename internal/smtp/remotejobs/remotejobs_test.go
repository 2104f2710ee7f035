package remotejobs

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/ipme"
	"qmail/internal/site/control"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/tcpto"
	"qmail/internal/sys"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

// smtp is a server that offers PIPELINING; commands gets what it hears.
func smtp(l net.Listener, commands chan<- string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		commands <- "connection"
		r := bufio.NewReader(c)
		reply := "220 x\r\n"
		for {
			io.WriteString(c, reply)
			line, err := r.ReadString('\n')
			if err != nil {
				break
			}
			commands <- strings.TrimSuffix(line, "\r\n")
			switch line[:4] {
			case "EHLO":
				reply = "250-x\r\n250 PIPELINING\r\n"
			case "DATA":
				io.WriteString(c, "354 go\r\n")
				for line != ".\r\n" {
					line, _ = r.ReadString('\n')
				}
				reply = "250 ok\r\n"
			default:
				reply = "250 ok\r\n"
			}
		}
		c.Close()
	}
}

// do sends one job and returns the report and the answer.
func do(t *testing.T, parent *os.File, args ...string) (string, worker.Answer) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(name, []byte("Subject: x\n\nhello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	message, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := worker.Job{Args: args, Files: []*os.File{message}}.Append(nil, 7)
	err = sys.SendPacket(parent, b, message)
	message.Close()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, worker.MaxAnswer)
	n, _, err := sys.ReceivePacket(parent, buf, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := worker.ParsePart(buf[:n], 7)
	if err != nil || !p.Ended {
		t.Fatal(p, err)
	}
	return string(p.Output), p.Answer
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(list)
}

func TestWorkerSendsOneMessageAfterTheOtherOnOneConnectionAndQuits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	commands := make(chan string, 100)
	go smtp(l, commands)

	home := t.TempDir()
	os.WriteFile(filepath.Join(home, "me"), []byte("me.test\n"), 0o644)
	os.WriteFile(filepath.Join(home, "smtproutes"), []byte(":[127.0.0.1]:"+l.Addr().String()[len("127.0.0.1:"):]+"\n"),
		0o644)
	r := &remote.Remote{
		Control: control.Dir(home), Dead: tcpto.Table(home), Now: time.Now, Ours: ipme.Ours,
		Dial: remote.Connect,
	}
	parent, child, err := sys.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan exit.Code)
	go func() { ended <- Serve(worker.Accept(child), r) }()
	buf := make([]byte, 100)
	if n, _, err := sys.ReceivePacket(parent, buf, 0); err != nil || string(buf[:n]) != worker.Greeting {
		t.Fatalf("%q, %v", buf[:n], err)
	}

	open := 0
	for i := range 5 {
		report, a := do(t, parent, "far.test", "a@b.test", "c@far.test")
		if report != "r\x00K127.0.0.1 accepted message.\nRemote host said: 250 ok\n\x00" || a.Code != 0 || a.Last ||
			string(a.Note) != "127.0.0.1" {
			t.Errorf("%q, %+v", report, a)
		}
		if i == 0 {
			open = openFiles(t)
		} else if n := openFiles(t); n != open {
			t.Errorf("%d files are open, then %d", open, n)
		}
	}
	if report, a := do(t, parent, "far.test"); !strings.HasPrefix(report, "DI (qmail-remote) was invoked") ||
		a.Code != 0 || len(a.Note) != 0 {
		t.Errorf("%q, %+v", report, a)
	}
	parent.Close()
	if code := <-ended; code != exit.OK {
		t.Error(code)
	}
	heard := map[string]int{}
	for last := ""; last != "QUIT"; {
		last = <-commands
		heard[last]++
	}
	if heard["connection"] != 1 || heard["EHLO me.test"] != 1 || heard["DATA"] != 5 {
		t.Error(heard)
	}
}
