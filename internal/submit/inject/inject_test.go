package inject

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/text/exit"
)

// A try is one run of qmail-inject in a world of its own.
type try struct {
	args    []string
	env     []string
	control map[string]string
	input   string
}

// A result is what came of it. Envelope is readable: "F<sender> T<recipient>...".
type result struct {
	code     exit.Code
	out      string // printed or queued
	trouble  string
	envelope string
}

// run runs it. What it queues is caught by a shell script in the place of qmail-queue.
func (y try) run(t testing.TB) result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range y.control {
		if text == "DIR" {
			os.Mkdir(filepath.Join(dir, name), 0o755)
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	queue := filepath.Join(dir, "queue")
	script := "#!/bin/sh\ncat >" + dir + "/body\ncat <&1 >" + dir + "/envelope\nexit ${CODE-0}\n"
	if err := os.WriteFile(queue, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	env := append(slices.Clone(y.env), "QMAILQUEUE="+queue, "PATH=/bin:/usr/bin")
	args, bySendmail := y.args, len(y.args) > 0 && y.args[0] == "sendmail"
	if bySendmail {
		args = args[1:]
	}
	o, mistake := ParseArgs(args)
	o.Sendmail = bySendmail
	if mistake != "" {
		return result{code: exit.Perm, trouble: mistake}
	}
	var out, trouble bytes.Buffer
	r := result{code: Run(World{
		Home: dir, Control: control.Dir(dir), Env: env, Input: strings.NewReader(y.input), Output: &out, Trouble: &trouble,
		Queue: submit.NewIn("/", env, os.Stderr), Now: time.Date(2001, 1, 2, 3, 4, 5, 0, time.UTC), Pid: 77,
	}, o)}
	r.out, r.trouble = out.String(), trouble.String()
	if body, err := os.ReadFile(dir + "/body"); err == nil {
		e, _ := os.ReadFile(dir + "/envelope")
		r.out = string(body)
		r.envelope = strings.ReplaceAll(strings.TrimSuffix(string(e), "\x00\x00"), "\x00", " ")
	}
	return r
}

const (
	date = "Date: 2 Jan 2001 03:04:05 -0000\n"
	id   = "Message-ID: <20010102030405.77.qmail@me.test>\n"
	from = "From: joe@me.test\n"
	cc   = "Cc: recipient list not shown: ;\n"
	rp   = "Return-Path: <joe@me.test>\n"
)

var me = map[string]string{"me": "me.test\n"}

func check(t *testing.T, name string, got, want result) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %d %q %q %q\nwant %d %q %q %q", name, got.code, got.out, got.envelope, got.trouble,
			want.code, want.out, want.envelope, want.trouble)
	}
}

func TestAMessageGetsTheFieldsThatItLacksAndNoOther(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"", rp + date + id + from + cc},
		{"\nx", rp + date + id + from + cc + "\nx\n"},
		{"To: a@b.c\nDate: d\nMessage-Id: m\nFrom: f@g.h\n\nx\n",
			rp + "To: a@b.c\nDate: d\nMessage-Id: m\nFrom: f@g.h\n\nx\n"},
		{"Apparently-To: a@b.c\n\n", rp + date + id + from + cc + "Apparently-To: a@b.c\n\n"},
		{"From a b:c\nTo: x@y.z\n\n", rp + date + id + from + "MBOX-Line: From a b:c\nTo: x@y.z\n\n"},
		{"To: x@y.z\n>From a\n", rp + date + id + from + "To: x@y.z\n\n>From a\n"},
		{" To: x\n", rp + date + id + from + cc + "\n To: x\n"},
		{"Content-Length: 7\nBcc: a\nReturn-Path: <r@s.t>\n\n", "Return-Path: <r@s.t>\n" + date + id + from + cc + "\n"},
		{"X: a\n b\n\tc\nTo: x@y.z\n\n", rp + date + id + from + "X: a\n b\n\tc\nTo: x@y.z\n\n"},
		{"Resent-Date: d\nTo: x@y.z\n\n",
			rp + "Resent-" + id + "Resent-" + from + "Resent-" + cc + "Resent-Date: d\nTo: x@y.z\n\n"},
		{"Resent-Foo: d\nTo: x@y.z\n\n", rp + date + id + from + "Resent-Foo: d\nTo: x@y.z\n\n"},
		{"To: x@y.z\r\nX: y\r\n\r\nb\r\n", rp + date + id + from + "To: x@y.z\nX: y\r\n\n\r\nb\r\n"},
	} {
		got := try{[]string{"-n"}, []string{"USER=joe"}, me, c.in}.run(t)
		check(t, c.in, got, result{out: c.out})
	}
}

func TestRecipientsComeFromWhereTheOptionsSay(t *testing.T) {
	in := "To: a@a.a, b@b.b\nBcc: c@c.c\nSubject: s\n\nx\n"
	for _, c := range []struct{ args, envelope string }{
		{"", "Fjoe@me.test Tb@b.b Ta@a.a Tc@c.c"},
		{"z", "Fjoe@me.test Tz@me.test"},
		{"-a", "Fjoe@me.test"},
		{"-h z", "Fjoe@me.test Tb@b.b Ta@a.a Tc@c.c"},
		{"-H z y@h+", "Fjoe@me.test Tz@me.test Ty@h.me.test Tb@b.b Ta@a.a Tc@c.c"},
		{"-hA z", "Fjoe@me.test Tz@me.test"},
		{"-nN -fx@y.z z", "Fx@y.z Tz@me.test"},
		{"-f x@y z", "Fx@y.me.test Tz@me.test"},
		{"-- -z", "Fjoe@me.test T-z@me.test"},
		{"z -h", "Fjoe@me.test Tz@me.test T-h@me.test"},
		{"-", "Fjoe@me.test T-@me.test"},
	} {
		got := try{strings.Fields(c.args), []string{"USER=joe"}, me, in}.run(t)
		check(t, c.args, got, result{out: date + id + from + "To: a@a.a, b@b.b\nSubject: s\n\nx\n", envelope: c.envelope})
	}
	got := try{[]string{"-f", "", ""}, []string{"USER=joe"}, me, "\n"}.run(t)
	check(t, "empty", got, result{out: date + id + from + cc + "\n", envelope: "F T"})
}

func TestEachLetterOfQMAILINJECTDoesWhatItIsFor(t *testing.T) {
	in := "From: f@f.f\nReturn-Path: r@r.r\nMessage-ID: i\nTo: t@t.t\n\n"
	for _, c := range []struct{ env, in, out, envelope string }{
		{"", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fr@r.r Tt@t.t"},
		{"f", in, date + "From: \"N (x)\" <joe@me.test>\nMessage-ID: i\nTo: t@t.t\n\n", "Fr@r.r Tt@t.t"},
		{"fc", in, date + "From: joe@me.test (N \\(x\\))\nMessage-ID: i\nTo: t@t.t\n\n", "Fr@r.r Tt@t.t"},
		{"i", in, date + id + "From: f@f.f\nTo: t@t.t\n\n", "Fr@r.r Tt@t.t"},
		{"s", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fjoe@me.test Tt@t.t"},
		{"r", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fr@r.r-@[] Tt@t.t"},
		{"sr", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fjoe-@me.test-@[] Tt@t.t"},
		{"sm", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fjoe-978404645.77@me.test Tt@t.t"},
		{"srm", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fjoe-978404645.77-@me.test-@[] Tt@t.t"},
		{"m", in, date + "From: f@f.f\nMessage-ID: i\nTo: t@t.t\n\n", "Fr@r.r Tt@t.t"},
		{"r", "Return-Path: <>\nFrom: f\nTo: t@t.t\n", date + id + "From: f@me.test\nTo: t@t.t\n", "F Tt@t.t"},
	} {
		got := try{nil, []string{"USER=joe", "QMAILNAME=N (x)", "QMAILINJECT=" + c.env}, me, c.in}.run(t)
		c.out = strings.ReplaceAll(c.out, `"N (x)"`, `"N \(x\)"`)
		check(t, c.env, got, result{out: c.out, envelope: c.envelope})
	}
}

func TestControlFilesAndTheEnvironmentCompleteAddresses(t *testing.T) {
	files := map[string]string{"me": "me.test\n", "defaultdomain": "dd.test \n", "defaulthost": "dh",
		"plusdomain": "pd.test\n", "idhost": "ih\nx"}
	in := "To: a, b@h, c@h+, d@[1], e@f.g., h@, <@r:i@j>\n\n"
	got := try{nil, []string{"QMAILHOST=qh+", "LOGNAME=l", "QMAILSUSER=s u"}, files, in}.run(t)
	check(t, "files", got, result{
		out: date + "Message-ID: <20010102030405.77.qmail@ih>\nFrom: l@qh.pd.test\n" +
			"To: a@dh.dd.test, b@h.dd.test, c@h.pd.test, d@[1], e@f.g, h@dh.dd.test,\n  <i@j.dd.test>\n\n",
		envelope: "Fs u@qh.pd.test Ti@j.dd.test Th@dh.dd.test Te@f.g Td@[1] Tc@h.pd.test Tb@h.dd.test Ta@dh.dd.test",
	})
	in = "To: a, b@h, c@h+\n\n"
	got = try{nil, []string{"QMAILDEFAULTHOST=eh", "QMAILDEFAULTDOMAIN=ed", "QMAILPLUSDOMAIN=ep", "QMAILIDHOST=ei"},
		files, in}.run(t)
	check(t, "environment", got, result{
		out:      date + "Message-ID: <20010102030405.77.qmail@ei>\nFrom: anonymous@eh.ed\nTo: a@eh.ed, b@h.ed, c@h.ep\n\n",
		envelope: "Fanonymous@eh.ed Tc@h.ep Tb@h.ed Ta@eh.ed",
	})
	got = try{nil, nil, nil, "To: a\n\n"}.run(t)
	check(t, "nothing", got, result{
		out: date + "Message-ID: <20010102030405.77.qmail@idhost>\nFrom: anonymous@defaulthost.defaultdomain\n" +
			"To: a@defaulthost.defaultdomain\n\n",
		envelope: "Fanonymous@defaulthost.defaultdomain Ta@defaulthost.defaultdomain",
	})
}

func TestAMailingListGetsAMailFollowupTo(t *testing.T) {
	files := map[string]string{"me": "me.test\n", "lists": "# mine\nLIST@l.test\n\n"}
	env := []string{"USER=joe", "QMAILMFTFILE=lists"}
	for _, c := range []struct{ in, field string }{
		{"To: list@l.test\n", "Mail-Followup-To: list@l.test\n"},
		{"To: a b@c.test, list@L.test\n", "Mail-Followup-To: a@me.test,\n  b@c.test,\n  list@L.test\n"},
		{"To: a@c.test\nCc: \"x y\"@c.test\n", ""},
		{"To: list@l.test\nMail-Followup-To: k\n", ""},
		{"Bcc: list@l.test\nTo: a@c.test\n", ""},
		{"Resent-To: list@l.test\nTo: list@l.test\n", ""},
	} {
		got := try{[]string{"-n"}, env, files, c.in}.run(t)
		given := strings.Count(c.in, "Mail-Followup-To:")
		made := strings.Count(got.out, "Mail-Followup-To:") - given
		if got.code != 0 || (made == 1) != (c.field != "") || !strings.Contains(got.out, c.field) {
			t.Errorf("%q: %d %q", c.in, got.code, got.out)
		}
	}
}

func TestWhatCannotBeDoneIsSaidWithTheRightExitCode(t *testing.T) {
	for _, c := range []struct {
		y    try
		want result
	}{
		{try{nil, nil, me, "To: a: b\n\n"},
			result{code: 100, trouble: "qmail-inject: fatal: unable to parse this line:\nTo: a: b\n"}},
		{try{nil, nil, me, "X: y\nTo: \"a\n b\nY: z\n\n"},
			result{code: 100, trouble: "qmail-inject: fatal: unable to parse this line:\nTo: \"a\n b\n"}},
		{try{[]string{"-f", "a@(b"}, nil, me, "\n"},
			result{code: 100, trouble: "qmail-inject: fatal: unable to parse this line:\na@(b"}},
		{try{nil, nil, map[string]string{"idhost": "DIR"}, "To: a\n\n"},
			result{code: 111, trouble: "qmail-inject: fatal: read error\n"}},
		{try{[]string{"b@c.d", "a@(b"}, nil, me, "\n"},
			result{code: 100, trouble: "qmail-inject: fatal: unable to parse address: a@(b\n"}},
		{try{[]string{"sendmail", "-H"}, nil, me, "Subject: x\n\n"},
			result{code: 100, trouble: "qmail-inject: fatal: the message has no recipient\n"}},
		{try{[]string{"sendmail", "-a"}, nil, me, "To: a@b.c\n\n"},
			result{code: 100, trouble: "qmail-inject: fatal: the message has no recipient\n"}},
		{try{[]string{"sendmail", "-H"}, nil, me, "To: (a@b.c\n\n"},
			result{code: 100, trouble: "qmail-inject: fatal: unable to parse this line:\nTo: (a@b.c\n"}},
		{try{[]string{"-q"}, nil, me, ""}, result{code: 100, trouble: "qmail-inject: illegal option -- q"}},
		{try{[]string{"-nf"}, nil, me, ""}, result{code: 100, trouble: "qmail-inject: option requires an argument -- f"}},
		{try{nil, []string{"QMAILQUEUE=/nonexistent"}, me, "\n"},
			result{code: 111, trouble: "qmail-inject: fatal: unable to exec qq (#4.3.0)\n"}},
	} {
		check(t, c.y.input, c.y.run(t), c.want)
	}
	for code, want := range map[string]result{
		"31": {code: 100, trouble: "qmail-inject: fatal: mail server permanently rejected message (#5.3.0)\n"},
		"51": {code: 111, trouble: "qmail-inject: fatal: qq out of memory (#4.3.0)\n"},
		"1":  {code: 111, trouble: "qmail-inject: fatal: qq temporary problem (#4.3.0)\n"},
	} {
		got := try{nil, []string{"CODE=" + code}, me, "To: a@b.c\n\n"}.run(t)
		check(t, code, result{code: got.code, trouble: got.trouble}, want)
	}
}

func TestNoControlCharacterIsInAnAddressThatIsQueued(t *testing.T) {
	for _, s := range []string{"\x00", "\x01", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f"} {
		if s == "\n" {
			s = "\\\n " // in a header it may only stand in a folded line
		}
		for _, y := range []try{
			{nil, nil, me, "To: \"a" + s + "b\"@c.d\nX: y\n\n"},
			{nil, nil, me, "To: a@b.c\nReturn-Path: <\"a" + s + "b\"@c.d>\n\n"},
			{nil, nil, me, "Resent-Bcc: \"a" + s + "b\"@c.d\n\n"},
			{[]string{"a" + s + "b@c.d"}, nil, me, "\n"},
			{[]string{"-f", "a" + s + "b@c.d", "a@b.c"}, nil, me, "\n"},
			{[]string{"-f", "a@b.c", "a@b.c"}, []string{"QMAILUSER=a" + s + "b"}, me, "\n"},
			{[]string{"a@b.c"}, []string{"QMAILSUSER=a" + s + "b"}, me, "\n"},
		} {
			check(t, y.input, y.run(t),
				result{code: 100, trouble: "qmail-inject: fatal: an address holds a control character\n"})
		}
	}
	for _, y := range []try{
		{[]string{"a@b.c"}, []string{"QMAILNAME=x\nX-Evil: y\r\nBcc: z"}, me, "\n"},
		{[]string{"a@b.c"}, []string{"QMAILNAME=x\nX-Evil: y\r\nBcc: z", "QMAILINJECT=c"}, me, "\n"},
		{[]string{"-n", "-f", "a\nX-Evil: b@c.d"}, nil, me, "\n"},
	} {
		if r := y.run(t); r.code != 0 || strings.Contains(r.out, "\nX-Evil") || strings.Contains(r.out, "\r") {
			t.Errorf("%q: %q", y.env, r.out)
		}
	}
}

func TestSendmailTakesWhatItsUsersHaveWrittenForAnother(t *testing.T) {
	head, env := date+id+from, "Fjoe@me.test Tx@y.z"
	long := strings.Repeat("0123456789abcde\r", 3*1024)
	for _, c := range []struct {
		args     []string
		in, body string
	}{
		{[]string{"-a", "x@y.z"}, "To: (oops\nCc: a:\nBcc: )\nX: y\n\nb\n", head + "To: (oops\nCc: a:\nX: y\n\nb\n"},
		{[]string{"-a", "x@y.z"}, "To: a@b.c\r\nX: y\r\n z\n\r\nb\rc\r\r\nd\r",
			head + "To: a@b.c\nX: y\n z\n\nb\rc\r\nd\r\n"},
		{[]string{"-a", "x@y.z"}, "To: a@b.c\nX: y\r\n\nb\r\n", head + "To: a@b.c\nX: y\r\n\nb\r\n"},
		{[]string{"-H"}, "To: x@y.z\r\n\r\n" + long + "\r\n" + long[1:] + "\r\n",
			head + "To: x@y.z\n\n" + long + "\n" + long[1:] + "\n"},
	} {
		y := try{append([]string{"sendmail"}, c.args...), []string{"USER=joe"}, me, c.in}
		if got := y.run(t); got.code != 0 || got.envelope != env || got.out != c.body {
			t.Errorf("%.60q: %d %s %q %.200q and %d more bytes", c.in, got.code, got.trouble, got.envelope, got.out,
				len(got.out))
		}
	}
}

type failing struct{ io.Reader }

func (f failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err == io.EOF {
		err = os.ErrInvalid
	}
	return n, err
}

func TestAnInputThatCannotBeReadIsNotTakenForItsEnd(t *testing.T) {
	for _, in := range []string{"", "To: a@b.c\n", "To: a@b.c\n\nbody"} {
		var trouble bytes.Buffer
		code := Run(World{Control: control.Dir(t.TempDir()), Input: failing{strings.NewReader(in)}, Output: io.Discard,
			Trouble: &trouble}, Options{Show: true})
		if code != exit.Temp || trouble.String() != "qmail-inject: fatal: read error\n" {
			t.Errorf("%q: %d %q", in, code, trouble.String())
		}
	}
}

func TestAMillionHeaderLinesPassUnchanged(t *testing.T) {
	in := "To: a@b.c\n" + strings.Repeat("X-Header: some text, as long as such lines are\n", 1_000_000) + "\nbody\n"
	got := try{[]string{"-n"}, []string{"USER=joe"}, me, in}.run(t)
	if got.code != 0 || got.out != rp+date+id+from+in {
		t.Errorf("exit %d, %d bytes", got.code, len(got.out))
	}
}

// FuzzInject holds that the body passes byte for byte, that every line before it is of a header, and that no input
// is a crash.
func FuzzInject(f *testing.F) {
	for _, s := range []string{
		"To: a, b\nFrom: x <y@z>\n\nbody\n", "Resent-To: g: a;\n\n", "From x\n", "\n", "To: \"\n", " x", "A:\n\x00",
		"Bcc: a\nReturn-Path: <>\n", "To : a\n b\n\tc",
	} {
		f.Add(s, "cfimrs")
	}
	dir := f.TempDir()
	os.WriteFile(filepath.Join(dir, "me"), []byte("me.test"), 0o644)
	f.Fuzz(func(t *testing.T, in, flags string) {
		var out, trouble bytes.Buffer
		code := Run(World{
			Control: control.Dir(dir), Env: []string{"QMAILINJECT=" + flags, "USER=joe"}, Input: strings.NewReader(in),
			Output: &out, Trouble: &trouble,
		}, Options{Show: true})
		if code != 0 {
			if code != exit.Perm || out.Len() > 0 || trouble.Len() == 0 {
				t.Fatalf("exit %d, %q, %q", code, out.Bytes(), trouble.Bytes())
			}
			return
		}
		header, body, _ := strings.Cut(out.String(), "\n\n")
		if !strings.HasSuffix(in, "\n") && in != "" {
			in += "\n"
		}
		if !strings.HasSuffix(in, body) {
			t.Errorf("body %q is not the end of %q", body, in)
		}
		for i, l := range strings.Split(strings.TrimSuffix(header, "\n"), "\n") {
			if i == 0 && !strings.HasPrefix(l, "Return-Path: <") || l == "" ||
				l[0] != ' ' && l[0] != '\t' && !strings.Contains(l, ":") {
				if !strings.Contains(header, "\\\n") {
					t.Errorf("line %d of the header is %q: %q", i, l, header)
				}
			}
		}
	})
}
