package listing

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/messages"
	"qmail/internal/send/reasons"
	"qmail/internal/text/exit"
)

// tree makes a queue with the given files, all changed at the second 1000000000.
func tree(t *testing.T, files map[string]string) (dir string) {
	dir = t.TempDir()
	for i := range conf.Split() {
		for _, d := range []string{"mess", "info", "local", "remote"} {
			os.MkdirAll(filepath.Join(dir, d, strconv.FormatUint(i, 10)), 0o755)
		}
	}
	for _, d := range []string{"bounce", "todo"} {
		os.Mkdir(filepath.Join(dir, d), 0o755)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(path, time.Unix(1e9, 0), time.Unix(1e9, 0))
	}
	return dir
}

func listed(t *testing.T, l messages.List, want messages.Choice, show form) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	l.Now = time.Unix(1e9+500, 0)
	if err := list(w, l, want, show); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	return b.String()
}

var (
	classic = form{each: messages.List.Each, message: plain}
	objects = form{each: messages.List.EachOldestFirst, message: object}
)

func aQueue(t *testing.T) string {
	return tree(t, map[string]string{
		"mess/2/25": "0123456789", "info/2/25": "Fa@b\x00", "local/2/25": "Tc@d\x00Dv-e f@g\x00", "remote/2/25": "Tx@y\x00",
		"bounce/25": "<e f@g>:\nSorry.\nReally.\n\n",
		"mess/3/26": "012", "info/3/26": "F\x00", "remote/3/26": "Dx@y\x00Tz@y\x00",
		"mess/4/27": "0", "todo/27": "u1000\x00p77\x00Fq@r\x00Ts@t\x00",
		"mess/5/28": "0", "info/5/28": "damaged",
		"info/6/29": "Fgone@b\x00",
	})
}

func TestTheListReadsAsItAlwaysDid(t *testing.T) {
	const want = "9 Sep 2001 01:46:40 GMT  #25  10  <a@b>  bouncing\n" +
		"\tlocal\tc@d\n  done\tlocal\tv-e_f@g\n\tremote\tx@y\n" +
		"9 Sep 2001 01:46:40 GMT  #26  3  <> \n  done\tremote\tx@y\n\tremote\tz@y\n" +
		"9 Sep 2001 01:46:40 GMT  #27  1  <q@r> \n\tlocal\ts@t\n"
	if got := listed(t, messages.List{Queue: queue.Open(aQueue(t), nil)}, messages.Choice{}, classic); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestTheJSONFormTellsWhatIsNextAndWhatFailed(t *testing.T) {
	const want = `{"id":25,"birth":"2001-09-09T01:46:40Z","size":10,"sender":"a@b","state":"queued",` +
		`"bouncing":true,"recipients":[` +
		`{"channel":"local","recipient":"c@d","state":"waiting","next_attempt":"2001-09-09T02:01:40Z"},` +
		`{"channel":"local","recipient":"v-e f@g","state":"failed","last_failure":"Sorry.\nReally.\n"},` +
		`{"channel":"remote","recipient":"x@y","state":"waiting","next_attempt":"2001-09-09T02:13:20Z"}]}` + "\n"
	l := messages.List{Queue: queue.Open(aQueue(t), nil)}
	if got := listed(t, l, messages.Choice{IDs: []queue.ID{25}}, objects); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestMessagesAreSelectedByNumberSenderAndRecipient(t *testing.T) {
	for _, c := range []struct {
		want messages.Choice
		ids  string
	}{
		{messages.Choice{}, "25 26 27 "},
		{messages.Choice{IDs: []queue.ID{26, 27, 99}}, "26 27 "},
		{messages.Choice{Senders: []string{""}}, "26 "},
		{messages.Choice{Senders: []string{"*@B"}}, "25 "},
		{messages.Choice{Recipients: []string{"*@y"}}, "25 26 "},
		{messages.Choice{Senders: []string{"a@b"}, Recipients: []string{"z@y"}}, ""},
	} {
		ids := form{each: messages.List.Each,
			message: func(w *bufio.Writer, m *messages.Message) { w.WriteString(m.ID.String() + " ") }}
		got := listed(t, messages.List{Queue: queue.Open(aQueue(t), nil)}, c.want, ids)
		if got != c.ids {
			t.Errorf("%+v: %s, want %s", c.want, got, c.ids)
		}
	}
}

func TestAWrongUsageIsSaid(t *testing.T) {
	for _, args := range []string{"-x", "-i", "-i x", "-i 0", "x"} {
		var out, errs strings.Builder
		if code := Run(strings.Fields(args), &out, &errs); code != exit.Perm || errs.String() != usage || out.Len() > 0 {
			t.Errorf("%q: exit %d, %q", args, code, errs.String())
		}
	}
}

func TestAMessageThatIsHeldIsSaidToBe(t *testing.T) {
	q := queue.Open(aQueue(t), nil)
	if err := q.NextTry(queue.Remote, 26, time.Unix(1<<31-1, 0)); err != nil {
		t.Fatal(err)
	}
	got := listed(t, messages.List{Queue: q}, messages.Choice{IDs: []queue.ID{26}}, objects)
	if !strings.Contains(got, `{"channel":"remote","recipient":"z@y","state":"held"}`) {
		t.Error(got)
	}
}

func TestTheQueueSaysWhyItWaitsTheOldestFirst(t *testing.T) {
	folder := aQueue(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sendctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	table := reasons.Create(dir)
	table.Note([]reasons.Deferral{
		{ID: 26, Channel: queue.Remote, Address: "z@y", Time: time.Unix(1e9+100, 0), Text: "It\x1b[2J is\nslow.\n"},
		{ID: 25, Channel: queue.Remote, Address: "x@y", Time: time.Unix(1e9-100, 0), Text: "another message's"},
	})
	var count total
	long := form{each: messages.List.EachOldestFirst, message: count.detail, end: count.write}
	l := messages.List{Queue: queue.Open(folder, nil), Reasons: table}
	got := listed(t, l, messages.Choice{}, long)
	for _, want := range []string{
		"\t\tz@y deferred 9 Sep 2001 01:48:20 GMT: It?[2J is/slow.\n", "\t\tc@d is tried again 9 Sep 2001 02:01:40 GMT\n",
		"\ntotal: 3 messages, 14 bytes, 4 recipients wait, 0 of them held\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "another") {
		t.Errorf("a reason from before the message is told:\n%s", got)
	}
	got = listed(t, l, messages.Choice{IDs: []queue.ID{26}}, objects)
	if want := `"last_deferral":"It?[2J is/slow.","deferred":"2001-09-09T01:48:20Z"`; !strings.Contains(got, want) {
		t.Errorf("%s", got)
	}
	old := time.Unix(1e9-5000, 0)
	if err := os.Chtimes(filepath.Join(folder, "info/3/26"), old, old); err != nil {
		t.Fatal(err)
	}
	got = listed(t, l, messages.Choice{}, objects)
	if strings.Index(got, `"id":26`) > strings.Index(got, `"id":25`) {
		t.Errorf("the oldest is not first:\n%s", got)
	}
}
