package history

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"qmail/internal/text/qlog"
	"qmail/internal/text/report"
)

func TestEveryLoggersStampIsRead(t *testing.T) {
	at := time.Date(2024, 11, 22, 18, 26, 41, 123456000, time.UTC)
	second := at.Truncate(time.Second)
	now := at.Add(30 * 24 * time.Hour).In(time.FixedZone("TST", 3600))
	tai := fmt.Sprintf("@%016x%08x", uint64(1<<62+10+at.Unix()), at.Nanosecond())
	type lines []struct {
		at   time.Time
		text string
	}
	five := lines{{at, "new msg 5"}}
	for name, c := range map[string]struct {
		in   string
		want lines
	}{
		"syslog":       {"Nov 22 18:26:41 host qmail: 1732300001.123456 new msg 5\n", five},
		"syslog, pid":  {"2024-11-22T18:26:41+00:00 host qmail[77]: 1732300001.123456 new msg 5\n", five},
		"syslog, bare": {"Nov 22 19:26:41 host qmail[7]: new msg 5\n", lines{{second, "new msg 5"}}},
		"syslog, the year before": {"Dec 31 19:26:41 host qmail[7]: new msg 5\n",
			lines{{time.Date(2023, 12, 31, 18, 26, 41, 0, time.UTC), "new msg 5"}}},
		"syslog, a leap day": {"Feb 29 19:26:41 host qmail[7]: new msg 5\n",
			lines{{time.Date(2024, 2, 29, 18, 26, 41, 0, time.UTC), "new msg 5"}}},
		"precise":        {"Nov 22 19:26:41.123456 host qmail[7]: new msg 5\n", five},
		"iso":            {"2024-11-22T19:26:41+0100 host qmail[7]: new msg 5\n", lines{{second, "new msg 5"}}},
		"iso, precise":   {"2024-11-22T13:26:41.123456-05:00 host qmail[7]: new msg 5\n", five},
		"full":           {"Fri 2024-11-22 18:26:41 UTC host qmail[7]: new msg 5\n", lines{{second, "new msg 5"}}},
		"full, our zone": {"Fri 2024-11-22 19:26:41.123456 TST host qmail.service[7]: new msg 5\n", five},
		"unix":           {"1732300001.123456 host qmail[7]: new msg 5\n", five},
		"monotonic":      {"[ 7071.123456] host qmail[7]: new msg 5\n", lines{{time.Time{}, "new msg 5"}}},
		"RFC 5424":       {"<22>1 2024-11-22T18:26:41.123456Z host qmail 7 - - new msg 5\n", five},
		"RFC 5424, data": {"<22>1 2024-11-22T18:26:41.123456Z h qmail 7 x [a@1 b=\"\\\"] c\"][d] \xef\xbb\xbf" +
			"new msg 5\n", five},
		"RFC 5424, twice": {"<22>1 2024-11-22T18:26:42Z host qmail 7 - - 1732300001.123456 new msg 5\n", five},
		"multilog":        {tai + " new msg 5\n", five},
		"svlogd":          {"2024-11-22_18:26:41.123456 new msg 5\n", five},
		"s6-log":          {"2024-11-22 19:26:41.123456000  new msg 5\n", five},
		"bare":            {"new msg 5", lines{{time.Time{}, "new msg 5"}}},
		"boots":           {"-- Boot 0123 --\n-- No entries --\n\nnew msg 5", lines{{time.Time{}, "new msg 5"}}},
		"JSON":            {`{"MESSAGE":"new msg 5","_PID":"7","__REALTIME_TIMESTAMP":"1732300001123456"}` + "\n", five},
		"JSON, binary": {`{"__REALTIME_TIMESTAMP":"1732300001123456","MESSAGE":[110,255]}` + "\n",
			lines{{at, "n\xff"}}},
		"export": {"__CURSOR=a\n__REALTIME_TIMESTAMP=1732300001123456\nPRIORITY=6\nMESSAGE=new msg 5\n\n", five},
		"export, binary": {"__REALTIME_TIMESTAMP=1732300001123456\n" +
			"MESSAGE\n\x09\x00\x00\x00\x00\x00\x00\x00new\x00msg 5\n\nnew msg 6\n",
			lines{{at, "new\x00msg 5"}, {time.Time{}, "new msg 6"}}},
		"stamp twice": {"__REALTIME_TIMESTAMP=1\nMESSAGE=1732300001.123456 new msg 5\n", five},
		"another program's": {"Nov 22 19:26:41 host sshd[7]: user x: new msg 5 1732300001.123456 new msg 6\n",
			lines{{second, "user x: new msg 5 1732300001.123456 new msg 6"}}},
	} {
		var compressed strings.Builder
		z := gzip.NewWriter(&compressed)
		z.Write([]byte(c.in))
		z.Close()
		for _, in := range []string{c.in, compressed.String()} {
			l, err := NewLines(strings.NewReader(in), now)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				got, err := l.Next()
				if err != nil || !got.Time.Equal(want.at) || got.Text != want.text ||
					(got.Event.Kind == qlog.New) != strings.HasPrefix(want.text, "new msg") {
					t.Errorf("%s: got %v %q, %v", name, got.Time, got.Text, err)
				}
			}
			if got, err := l.Next(); err != io.EOF || l.Unread() != nil {
				t.Errorf("%s: %v, %v, %v", name, got, err, l.Unread())
			}
		}
	}
}

func TestALineThatCannotBeReadIsNamed(t *testing.T) {
	for _, bad := range []string{
		"@40000000zz new msg 5", "22.11.2024 18:26 new msg 5", `{"MESSAGE":"new msg 5"}`, `{"a`, "what\x1b[1mis this",
	} {
		l, _ := NewLines(strings.NewReader("new msg 4\n"+bad+"\nend msg 4\n"+bad+"\n"), time.Now())
		for range 2 {
			if got, err := l.Next(); err != nil || got.Event.Kind == qlog.Other {
				t.Errorf("%q: %+v, %v", bad, got, err)
			}
		}
		_, err := l.Next()
		unread := l.Unread()
		const want = "line 2 is not in a form that is known, nor are 1 more: "
		if err != io.EOF || unread == nil || !strings.HasPrefix(unread.Error(), want) ||
			strings.Contains(unread.Error(), "\x1b") {
			t.Errorf("%q: %v, %v", bad, err, unread)
		}
	}
}

const story = `1732300000.000000 new msg 7
1732300000.000001 info msg 7: bytes 100 from <a@one.example> qp 11 uid 1000
1732300000.100000 starting delivery 1: msg 7 to local b@two.example
1732300000.200000 starting delivery 2: msg 7 to remote c@three.example
1732300000.300000 delivery 1: success: did_1+0+0/
1732300001.000000 delivery 2: deferral: Connected_to_10.0.0.1_but_connection_died._(#4.4.2)/
1732300400.000000 starting delivery 3: msg 7 to remote c@three.example
1732300401.000000 delivery 3: failure: 10.0.0.1_does_not_like_recipient./Remote_host_said:_550_no/
1732300401.100000 bounce msg 7 qp 12
1732300401.200000 end msg 7
1732300401.300000 new msg 7
1732300401.300001 info msg 7: bytes 700 from <> qp 12 uid 1007
1732300401.400000 starting delivery 4: msg 7 to local a@one.example
1732300401.500000 alert: cannot start: oh
`

func read(t *testing.T, r *Reader, in string) {
	t.Helper()
	l, err := NewLines(strings.NewReader(in), time.Now())
	for err == nil {
		var line Line
		if line, err = l.Next(); err == nil {
			r.Event(line)
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	r.Close()
}

func messages(t *testing.T, in string) (list []*Message, trouble []Line) {
	t.Helper()
	r := Reader{Done: func(m *Message) { list = append(list, m) }, Trouble: func(l Line) { trouble = append(trouble, l) }}
	read(t, &r, in)
	return list, trouble
}

func TestNumberUsedAgainIsAnotherMessage(t *testing.T) {
	list, trouble := messages(t, story)
	if len(list) != 2 || len(trouble) != 1 {
		t.Fatalf("%d messages, %d alerts", len(list), len(trouble))
	}
	m := list[0]
	if m.Info.Sender != "a@one.example" || len(m.Deliveries) != 3 || m.Bounce != 12 || m.End.IsZero() {
		t.Errorf("first: %+v", m)
	}
	if d := m.Deliveries[1]; d.Result != report.Deferral || d.End.Sub(d.Start) != 800*time.Millisecond {
		t.Errorf("deferral: %+v", d)
	}
	if m = list[1]; m.Info.Sender != "" || !m.Known || !m.End.IsZero() || m.Deliveries[0].Result != 0 {
		t.Errorf("second: %+v", m)
	}
}

func TestFiltersSelectByEachProperty(t *testing.T) {
	list, _ := messages(t, story)
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "12"},
		{Filter{QP: 11}, "1"},
		{Filter{Sender: "A@ONE.*"}, "1"},
		{Filter{Recipient: "*@three.example"}, "1"},
		{Filter{Recipient: "*@two.example", Failed: true}, ""},
		{Filter{Recipient: "c@*", Failed: true}, "1"},
		{Filter{Open: true}, "2"},
		{Filter{Since: time.Unix(1732300402, 0)}, "2"},
		{Filter{Until: time.Unix(1732300300, 0)}, "1"},
		{Filter{ID: 8}, ""},
	} {
		got := ""
		for i, m := range list {
			if c.f.Match(m) {
				got += fmt.Sprint(i + 1)
			}
		}
		if got != c.want {
			t.Errorf("%+v selects %q, want %q", c.f, got, c.want)
		}
	}
}

func TestALogWithoutTimesSaysWhatIsOver(t *testing.T) {
	bare := regexp.MustCompile(`(?m)^\d+\.\d+ `).ReplaceAllString(story, "")
	list, _ := messages(t, bare)
	if len(list) != 2 || !list[0].Over || list[1].Over || !list[0].End.IsZero() {
		t.Fatalf("%+v", list)
	}
	sum := NewTotals()
	sum.Add(list[0])
	sum.Add(list[1])
	if sum.Open != 1 || (Filter{Open: true}).Match(list[0]) || !(Filter{Open: true}).Match(list[1]) {
		t.Errorf("%+v", sum)
	}
}

func TestTotalsAddUp(t *testing.T) {
	list, _ := messages(t, story)
	sum := NewTotals()
	for _, m := range list {
		sum.Add(m)
	}
	if sum.Messages != 2 || sum.Deliveries != 4 || sum.Successes+sum.Deferrals+sum.Failures != 3 || sum.Open != 1 ||
		sum.Bytes != 800 {
		t.Errorf("%+v", sum)
	}
	if w := sum.Worst(); len(w) != 1 || w[0].Name != "three.example" || w[0].Deferrals != 1 || w[0].Failures != 1 {
		t.Errorf("worst: %+v", w)
	}
	if r := sum.DeferralReasons(); len(r) != 1 || r[0].Text != "Connected_to_N.N.N.N_but_connection_died._(#4.4.2)/" {
		t.Errorf("reasons: %+v", r)
	}
	var out strings.Builder
	if err := sum.WriteJSON(&out, 5); err != nil || !json.Valid([]byte(out.String())) {
		t.Errorf("JSON: %v\n%s", err, out.String())
	}
}

func TestPageNeedsNothingBesideIt(t *testing.T) {
	list, _ := messages(t,
		story+"1732300500.000000 starting delivery 5: msg 7 to remote <script>alert(1)</script>@x.example\n")
	sum := NewTotals()
	for _, m := range list {
		sum.Add(m)
	}
	var out strings.Builder
	if err := sum.WriteHTML(&out, "a & b", 10); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, bad := range []string{"<script", "src=", "href=", "http:", "https:", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
	if strings.Count(page, "<svg") != 2 || !strings.Contains(page, "a &amp; b") ||
		!strings.Contains(page, "three.example") {
		t.Errorf("plots, title or table missing:\n%s", page)
	}
}

func TestPercentilesAreRightToATwentieth(t *testing.T) {
	for _, unit := range []time.Duration{20 * time.Microsecond, time.Millisecond, 10 * time.Minute} {
		var d delays
		for i := 1; i <= 1000; i++ {
			d.add(time.Duration(i) * unit)
		}
		for _, p := range []float64{50, 90, 99} {
			exact := time.Duration(p*10) * unit
			if got := d.percentile(p); got < exact || got > exact*21/20 {
				t.Errorf("%v of 100: %v, not %v", p, got, exact)
			}
		}
	}
}

func TestReasonsKeepTheCodesOfSMTP(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1_does_not_like_it./Remote_host_said:_550_5.1.1_<joe12@x.example>:_no_user_4711/":
		/**/ "N.N.N.N_does_not_like_it./Remote_host_said:_550_5.1.1_<joeN@x.example>:_no_user_N/",
		"said:_421-4.7.0_[192.0.2.1]_try_in_300_seconds": "said:_421-4.7.0_[N.N.N.N]_try_in_N_seconds",
		"Connected_to_5.1.1.9_but_died._(#4.4.2)/":       "Connected_to_N.N.N.N_but_died._(#4.4.2)/",
		"4.7.1.":       "4.7.1.",
		"id_550a_x550": "id_Na_xN",
	} {
		if got := reason(text); got != want {
			t.Errorf("%s\nbecame %s\nnot    %s", text, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(story)
	f.Add("__REALTIME_TIMESTAMP=1\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff")
	f.Add("\x1f\x8b\x08")
	f.Add("<22>1 2024-11-22T18:26:41Z host qmail 7 - [a new msg 5\nFri 2024-11-22 18:26:41 X\n{\"MESSAGE\":[9999]}\n")
	f.Add("@4000000000000000 x\nstarting delivery 1: msg 1 to local \ndelivery 1: success: \n")
	f.Fuzz(func(t *testing.T, in string) {
		sum := NewTotals()
		r := Reader{Done: sum.Add}
		l, err := NewLines(strings.NewReader(in), time.Unix(1732300001, 0))
		for err == nil {
			var line Line
			if line, err = l.Next(); err == nil {
				r.Event(line)
			}
		}
		r.Close()
		if err := sum.WriteText(io.Discard, 3); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAQueryThatMakesNoSenseSaysWhatIsWrong(t *testing.T) {
	for args, want := range map[string]string{
		"-x": "qmail-log: illegal option -- x\n" + usage, "-i": "qmail-log: option requires an argument -- i\n" + usage,
		"-i seven": "qmail-log: -i seven: no number", "-n -1": "qmail-log: -n -1: no number",
		"-mb yesterday -n x": "qmail-log: -b yesterday: no time; write it as 2006-01-02 or 2006-01-02T15:04:05",
	} {
		if _, err := ParseArgs(strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", args, err)
		}
	}
	q, err := ParseArgs(strings.Fields("-jmo -i7 -s a@* -e 2024-11-22 -n 3 log -x"))
	if err != nil || !q.JSON || !q.Each || !q.Open || q.ID != 7 || q.Sender != "a@*" || q.Until.Day() != 22 ||
		q.Top != 3 || strings.Join(q.Files, " ") != "log -x" {
		t.Errorf("%+v, %v", q, err)
	}
}
