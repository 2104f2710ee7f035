package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/net/client"
	"qmail/internal/net/listener"
)

func TestOptionsAreReadAsGetoptDoes(t *testing.T) {
	type want struct {
		ident      bool
		timeout    time.Duration
		limit, per int
		program    string
	}
	std := want{false, 30 * time.Second, listener.DefaultLimit, 50, "p a"}
	asks := std
	asks.ident = true
	for line, w := range map[string]want{
		"p a":               std,
		"-r p a":            asks,
		"-R p a":            {false, std.timeout, std.limit, std.per, "p a"},
		"-Rr p a":           asks,
		"-vc80 p a":         {false, std.timeout, 80, 10, "p a"},
		"-c20 -v p a":       {false, std.timeout, 20, 10, "p a"},
		"-t5 p a":           {false, 5 * time.Second, std.limit, std.per, "p a"},
		"-t 5 -R p -r":      {false, 5 * time.Second, std.limit, std.per, "p -r"},
		"-Rt5 p":            {false, 5 * time.Second, std.limit, std.per, "p"},
		"-c20 -a 3 -- -p":   {false, std.timeout, 20, 3, "-p"},
		"-c99999999999 p a": {false, std.timeout, listener.MaxLimit, listener.MaxLimit / 8, "p a"},
		"- a":               {false, std.timeout, std.limit, std.per, "- a"},
	} {
		o, ok := parse(strings.Fields(line))
		got := want{o.peer.Ident, o.peer.Timeout, o.limit, o.perAddress, strings.Join(o.program, " ")}
		if !ok || got != w {
			t.Errorf("%q: %+v, %v; want %+v", line, got, ok, w)
		}
		again, ok := client.ParseArgs(o.peer.Args())
		if !ok || again.Ident != o.peer.Ident || o.peer.Ident && again != o.peer {
			t.Errorf("%q: %+v became %+v", line, o.peer, again)
		}
	}
	for _, line := range []string{"", "-r", "-z p", "-t", "-tx p", "-t -5 p", "-c0 p", "-a 0 p", "--"} {
		if o, ok := parse(strings.Fields(line)); ok {
			t.Errorf("%q: %+v", line, o)
		}
	}
}

func TestSystemdSocketsAreForThisProcessOnly(t *testing.T) {
	env := []string{"A=1", "LISTEN_PID=" + strconv.Itoa(os.Getpid()+1), "LISTEN_FDS=1", "LISTEN_FDNAMES=x"}
	if fds, rest := sockets(env); len(fds) > 0 || !slices.Equal(rest, []string{"A=1"}) {
		t.Errorf("%v, %q", fds, rest)
	}
}
