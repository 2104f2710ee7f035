package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
)

// tree makes a queue with the given files, all changed at the second 1000000000.
func tree(t *testing.T, files map[string]string) *queue.Queue {
	dir := t.TempDir()
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
	return queue.Open(dir, nil)
}

func list(t *testing.T, q *queue.Queue, want selection, show func(*bufio.Writer, *message)) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	err := lister{q: q, now: time.Unix(1e9+500, 0)}.each(func(m *message) {
		if want.has(m) {
			show(w, m)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Flush()
	return b.String()
}

func aQueue(t *testing.T) *queue.Queue {
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
	if got := list(t, aQueue(t), selection{}, plain); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestTheJSONFormTellsWhatIsNextAndWhatFailed(t *testing.T) {
	const want = `{"id":25,"birth":"2001-09-09T01:46:40Z","size":10,"sender":"a@b","state":"queued",` +
		`"bouncing":true,"recipients":[` +
		`{"channel":"local","recipient":"c@d","state":"waiting","next_attempt":"2001-09-09T02:01:40Z"},` +
		`{"channel":"local","recipient":"v-e f@g","state":"failed","last_failure":"Sorry.\nReally.\n"},` +
		`{"channel":"remote","recipient":"x@y","state":"waiting","next_attempt":"2001-09-09T02:13:20Z"}]}` + "\n"
	if got := list(t, aQueue(t), selection{ids: patterns{"25"}}, object); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestMessagesAreSelectedByNumberSenderAndRecipient(t *testing.T) {
	for _, c := range []struct {
		want selection
		ids  string
	}{
		{selection{}, "25 26 27 "},
		{selection{ids: patterns{"26", "27", "99"}}, "26 27 "},
		{selection{senders: patterns{""}}, "26 "},
		{selection{senders: patterns{"*@B"}}, "25 "},
		{selection{recipients: patterns{"*@y"}}, "25 26 "},
		{selection{senders: patterns{"a@b"}, recipients: patterns{"z@y"}}, ""},
	} {
		got := list(t, aQueue(t), c.want, func(w *bufio.Writer, m *message) { w.WriteString(m.id.String() + " ") })
		if got != c.ids {
			t.Errorf("%+v: %s, want %s", c.want, got, c.ids)
		}
	}
}

func TestAStarStandsForAnything(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"*", "", true}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abbc", true},
		{"a*c", "ab", false},
		{"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false}, {"A", "a", true}, {"a", "ab", false}, {"**", "x", true},
	} {
		if match(c.pattern, c.s) != c.want {
			t.Errorf("%q, %q", c.pattern, c.s)
		}
	}
}
