package queuetool

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/sendctl"
	"qmail/internal/text/exit"
)

func TestAPatternsStarStandsForAnything(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a@b", "A@B", true}, {"a@b", "a@bc", false}, {"*", "", true}, {"", "", true}, {"", "x", false},
		{"*@far.test", "x@FAR.test", true}, {"*@far.test", "x@far.test.", false}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "acb", false},
		{"a*a", "a", false}, {"*a*a*", "xaya", true},
	} {
		if got := match(c.pattern, c.s); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.s, got)
		}
	}
}

func site(t *testing.T) Site {
	dir := t.TempDir()
	for _, d := range []string{"todo", "intd", "sendctl"} {
		os.Mkdir(filepath.Join(dir, d), 0o700)
	}
	for _, d := range []string{"mess", "info", "local", "remote"} {
		for n := range conf.Split() {
			os.MkdirAll(filepath.Join(dir, d, strconv.FormatUint(n, 10)), 0o700)
		}
	}
	put := func(name, text string) { os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	for id, m := range map[queue.ID][3]string{
		101: {"Fjoe@here\x00", "Tann@here\x00", ""}, 102: {"Fjoe@here\x00", "", "Tx@far\x00Dy@far\x00"}, 103: {"F\x00", "", "Tx@far\x00"},
	} {
		put(queue.Mess(id), "x")
		put(queue.Info(id), m[0])
		for c, text := range m[1:] {
			if text != "" {
				put(queue.Channel(c).File(id), text)
			}
		}
	}
	put(queue.Mess(104), "x")
	put(queue.Todo(104), "u1\x00p2\x00Fjoe@here\x00Tx\x00")
	return Site{
		Queue: queue.Open(dir, nil),
		Dir:   dir,
		Route: func(s string) (string, queue.Channel) { return s + "@far", queue.Remote },
	}
}

func TestAToolAsksForTheMessagesThatAreMeant(t *testing.T) {
	s := site(t)
	var asked []string
	done := make(chan string, 100)
	err := sendctl.Listen(s.Dir, func(q sendctl.Request) sendctl.Answer {
		done <- string(rune(q.Verb)) + strconv.FormatUint(q.ID, 10)
		if q.ID == 999 {
			return sendctl.Unknown
		}
		return sendctl.Done
	})
	if err != nil {
		t.Fatal(err)
	}
	rm := Tool{Name: "qmail-rm", Verb: sendctl.Remove, Done: "removed", Bounce: true}
	run := Tool{Name: "qmail-run", Verb: sendctl.Run, Done: "run", All: true}
	for _, c := range []struct {
		tool Tool
		args string
		want string
		code exit.Code
	}{
		{rm, "7 -i 8", "r7 r8", exit.OK},
		{rm, "-b 7", "b7", exit.OK},
		{rm, "999 7", "r999 r7", exit.Perm},
		{rm, "-s joe@*", "r101 r102 r104", exit.OK},
		{rm, "-r x@FAR", "r102 r103 r104", exit.OK},
		{rm, "-s joe@here -r *@far", "r102 r104", exit.OK},
		{rm, "-s joe@here 101 103", "r101", exit.OK},
		{rm, "-r nobody@*", "", exit.OK},
		{rm, "", "", exit.Perm},
		{rm, "x", "", exit.Perm},
		{rm, "-s", "", exit.Perm},
		{run, "", "a0", exit.OK},
		{run, "5", "n5", exit.OK},
		{run, "-b 5", "", exit.Perm},
	} {
		var out bytes.Buffer
		code := Run(c.tool, strings.Fields(c.args), s, &out)
		asked = nil
		for len(done) > 0 {
			asked = append(asked, <-done)
		}
		if got := strings.Join(asked, " "); got != c.want || code != c.code {
			t.Errorf("%s %s: asked %q, exit %d, said %q", c.tool.Name, c.args, got, code, out.String())
		}
	}
}

func TestWithoutQmailSendNothingIsDone(t *testing.T) {
	s := site(t)
	var out bytes.Buffer
	code := Run(Tool{Name: "qmail-rm", Verb: sendctl.Remove}, []string{"101"}, s, &out)
	if code != exit.Temp || !strings.Contains(out.String(), "qmail-send is not running") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
