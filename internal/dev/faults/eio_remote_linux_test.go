package faults

import (
	"bufio"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

// sink takes all mail over SMTP and counts it.
func sink(l net.Listener, took *atomic.Int64) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			say := func(line string) { c.Write([]byte(line + "\r\n")) }
			say("220 sink ESMTP")
			data := false
			for r := bufio.NewReader(c); ; {
				line, err := r.ReadString('\n')
				switch {
				case err != nil:
					return
				case data && line == ".\r\n":
					took.Add(1)
					data = false
					say("250 ok")
				case data:
				case strings.HasPrefix(line, "DATA"):
					data = true
					say("354 go")
				default:
					say("250 ok")
				}
			}
		}()
	}
}

func TestQmailRemoteSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.control("smtproutes", "far.test:[127.0.0.1]:2525")
	l, err := net.Listen("tcp", "127.0.0.1:2525")
	w.must(err)
	defer l.Close()
	var took atomic.Int64
	go sink(l, &took)
	run{
		w: w, plain: true, args: []string{conf.Home() + "/bin/qmail-remote", "far.test", sam + "@here.test", "x@far.test"},
		files: func() []*os.File {
			took.Store(0)
			return []*os.File{w.text("/run/text", eioText), w.create("/run/out")}
		},
		judge: func(what string, code int) {
			out, _ := os.ReadFile("/run/out")
			success := false
			for part := range strings.SplitSeq(string(out), "\x00") {
				success = success || strings.HasPrefix(part, "K")
				if strings.HasPrefix(part, "h") || strings.HasPrefix(part, "D") {
					t.Errorf("%s: exit code %d, %q", what, code, out)
				}
			}
			if success && took.Load() == 0 || what == nothingFailed && !success {
				t.Errorf("%s: exit code %d, %q, but the host took %d", what, code, out, took.Load())
			}
		},
	}.all()
}
