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
	"qmail/internal/send/messages"
	"qmail/internal/send/sendctl"
	"qmail/internal/text/exit"
)

func site(t *testing.T) (dir string, list messages.List) {
	dir = t.TempDir()
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
		101: {"Fjoe@here\x00", "Tann@here\x00", ""}, 102: {"Fjoe@here\x00", "", "Tx@far\x00Dy@far\x00"},
		103: {"F\x00", "", "Tx@far\x00"},
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
	return dir, messages.List{
		Queue: queue.Open(dir, nil),
		Route: func(s string) (string, queue.Channel) { return s + "@far", queue.Remote },
	}
}

func TestAToolAsksForTheMessagesThatAreMeant(t *testing.T) {
	dir, list := site(t)
	var asked []string
	done := make(chan string, 100)
	err := sendctl.Listen(dir, func(q sendctl.Request) sendctl.Answer {
		done <- string(rune(q.Verb)) + strconv.FormatUint(q.ID, 10)
		if q.ID == 999 {
			return sendctl.Unknown
		}
		return sendctl.Done
	})
	if err != nil {
		t.Fatal(err)
	}
	rm, run := tools()[0], tools()[3]
	for _, c := range []struct {
		tool tool
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
		code := c.tool.run(strings.Fields(c.args), dir, list, &out)
		asked = nil
		for len(done) > 0 {
			asked = append(asked, <-done)
		}
		if got := strings.Join(asked, " "); got != c.want || code != c.code {
			t.Errorf("%s %s: asked %q, exit %d, said %q", c.tool.name, c.args, got, code, out.String())
		}
	}
}

func TestWithoutQmailSendNothingIsDone(t *testing.T) {
	dir, list := site(t)
	var out bytes.Buffer
	code := tools()[0].run([]string{"101"}, dir, list, &out)
	if code != exit.Temp || !strings.Contains(out.String(), "qmail-send is not running") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
