package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/local/maildir"
	"qmail/internal/submit"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

// A world is a home with a message to deliver to it.
type world struct {
	t    *testing.T
	home string
	text string
	env  []string
	args []string // of qmail-local behind the home
	opts []string
	all  *maildir.Names
}

func newWorld(t *testing.T) *world {
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, home: home, text: "Subject: x\n\nbody\n", env: []string{"PATH=/bin:/usr/bin", "KEEP=1"},
		args: []string{"joe", "", "", "host.test", "s@send.test", "./Mailbox"}, all: maildir.NewNames(),
	}
}

func (w *world) file(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.home, name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.home, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) to(local, dash, ext string) { w.args[0], w.args[1], w.args[2] = local, dash, ext }

// deliver does one job and returns what it printed on both descriptors.
func (w *world) deliver() (code exit.Code, started bool, out, errs string) {
	w.t.Helper()
	dir := w.t.TempDir()
	files := [3]*os.File{}
	for i, text := range [3]string{w.text, "", ""} {
		f, err := os.OpenFile(filepath.Join(dir, string(rune('0'+i))), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			w.t.Fatal(err)
		}
		defer f.Close()
		f.WriteString(text)
		files[i] = f
	}
	code, started = Deliver(Job{
		Args: append(append(w.opts, "--", "joe", w.home), w.args...), Env: w.env,
		Message: files[0], Out: Descriptor(files[1]), Err: Descriptor(files[2]),
		Now: func() time.Time { return time.Unix(1_000_000_000, 0) }, Names: w.all,
		Queue: func(env []string, stderr *os.File) *submit.Client { return submit.NewIn("/", env, stderr) },
	})
	for i, p := range [2]*string{&out, &errs} {
		b, err := os.ReadFile(files[i+1].Name())
		if err != nil {
			w.t.Fatal(err)
		}
		*p = string(b)
	}
	return code, started, out, errs
}

func (w *world) expect(code exit.Code, out, errs string) {
	w.t.Helper()
	gotCode, _, gotOut, gotErr := w.deliver()
	if gotCode != code || gotOut != out || gotErr != errs {
		w.t.Errorf("exit %d %q %q, want %d %q %q", gotCode, gotOut, gotErr, code, out, errs)
	}
}

func TestWithoutADotQmailFileTheStandardDeliveryIsDone(t *testing.T) {
	w := newWorld(t)
	w.expect(exit.OK, "did 1+0+0\n", "")
	want := "From s@send.test Sun Sep  9 01:46:40 2001\nReturn-Path: <s@send.test>\n" +
		"Delivered-To: joe@host.test\nSubject: x\n\nbody\n\n"
	if got := w.read("Mailbox"); got != want {
		t.Errorf("%q", got)
	}
}

func TestAnUnknownExtensionFails(t *testing.T) {
	w := newWorld(t)
	for _, ext := range []string{"x", "x/y", "../etc/passwd", strings.Repeat("a-", 300)} {
		w.to("joe-"+ext, "-", ext)
		w.expect(exit.Perm, "", "No such address. (#5.1.1)\n")
	}
}

func TestWhatMayPassIsADeferral(t *testing.T) {
	for what, c := range map[string]struct {
		prepare func(w *world)
		errs    string
	}{
		"home gone":     {func(w *world) { os.Remove(w.home) }, "Unable to switch to HOME: file does not exist. (#4.3.0)\n"},
		"home writable": {func(w *world) { os.Chmod(w.home, 0o775) }, "Uh-oh: home directory is writable. (#4.7.0)\n"},
		"home sticky": {func(w *world) { os.Chmod(w.home, 0o755|os.ModeSticky) },
			"Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n"},
		"no Maildir": {func(w *world) { w.file(".qmail", "./none/\n") }, "Unable to chdir to maildir. (#4.2.1)\n"},
		"no tmp":     {func(w *world) { w.file(".qmail", "./\n") }, "Temporary error on maildir delivery. (#4.3.0)\n"},
		"mbox a folder": {func(w *world) { os.Mkdir(w.home+"/m", 0o755); w.file(".qmail", "./m\n") },
			"Unable to open ./m: is a directory. (#4.2.1)\n"},
		"blank": {func(w *world) { w.file(".qmail", "\n./m\n") },
			"Uh-oh: first line of .qmail file is blank. (#4.2.1)\n"},
		"executable": {func(w *world) { w.file(".qmail", "|true\n"); os.Chmod(w.home+"/.qmail", 0o755) },
			"Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n"},
		"list": {func(w *world) { w.file(".qmail", "+list\n./m\n") },
			"Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\n"},
		"program":        {func(w *world) { w.file(".qmail", "|exit 2\n") }, ""},
		"program killed": {func(w *world) { w.file(".qmail", "|kill -9 $$\n") }, "Aack, child crashed. (#4.3.0)\n"},
		"full": {func(w *world) { w.file(".qmail", "/dev/full\n") },
			"Unable to write /dev/full: out of disk space. (#4.3.0)\n"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			c.prepare(w)
			w.expect(exit.Temp, "", strings.ReplaceAll(c.errs, "HOME", w.home))
		})
	}
}

func TestALoopFailsWhereverInTheHeaderItShows(t *testing.T) {
	w := newWorld(t)
	for _, head := range []string{"", "X: y\n", strings.Repeat("x", 5000) + "\n", strings.Repeat("a: b\n", 10_000)} {
		w.text = head + "Delivered-To: joe@host.test\n\nbody\n"
		w.expect(exit.Perm, "", "This message is looping: it already has my Delivered-To line. (#5.4.6)\n")
	}
	for _, text := range []string{
		"\nDelivered-To: joe@host.test\n", "X: " + strings.Repeat("x", 5000) + "Delivered-To: joe@host.test\n",
		"Delivered-To: joe@host.test", "Delivered-To: joe@host.test\r\n",
	} {
		w.text = text
		w.expect(exit.OK, "did 1+0+0\n", "")
	}
}

func TestAProgramGetsThreeDescriptorsItsHomeAndNothingElse(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no /proc here")
	}
	leak, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	w := newWorld(t)
	// What this test was started with by a careless parent, any child of it has.
	b, err := exec.Command("/bin/sh", "-c", "ls /proc/self/fd | wc -l").Output()
	if err != nil {
		t.Fatal(err)
	}
	proc.CatchPipe() // another test may have started a qmail-queue, for which it was ignored
	ignored, err := exec.Command("/bin/sh", "-c", "grep SigIgn /proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	w.file(".qmail", "|ls /proc/self/fd | wc -l\n|pwd; head -1; umask; echo KEEP=$KEEP; grep SigIgn /proc/self/status\n")
	home, err := filepath.EvalSymlinks(w.home)
	if err != nil {
		t.Fatal(err)
	}
	code, started, out, errs := w.deliver()
	want := string(b) + home + "\nSubject: x\n"
	if code != exit.OK || !started || errs != "" || !strings.HasPrefix(out, want) ||
		!strings.HasSuffix(out, "did 0+0+2\n") {
		t.Errorf("exit %d %v %q %q", code, started, out, errs)
	}
	if !strings.Contains(out, "KEEP=1\n") || !strings.Contains(out, string(ignored)) {
		t.Errorf("%q", out)
	}
}

func TestNothingOfOneJobReachesTheNext(t *testing.T) {
	w := newWorld(t)
	w.file(".qmail-a-default", "|env >&2\n")
	w.file(".qmail-a-b-owner", "")
	w.file(".qmail-c", "|env >&2\n")
	before := strings.Join(w.env, " ")
	w.to("joe-a-b", "-", "a-b")
	_, _, _, first := w.deliver()
	w.to("joe-c", "-", "c")
	w.args[4] = ""
	code, _, _, second := w.deliver()
	if !strings.Contains(first, "DEFAULT=b\n") || !strings.Contains(first, "NEWSENDER=joe-a-b-owner@host.test\n") {
		t.Errorf("%q", first)
	}
	if code != exit.OK || strings.Contains(second, "DEFAULT=") || !strings.Contains(second, "NEWSENDER=\n") ||
		strings.Contains(second, "send.test") || strings.Contains(second, "a-b") {
		t.Errorf("%q", second)
	}
	if got := strings.Join(w.env, " "); got != before {
		t.Errorf("the process's environment is now %s", got)
	}
	for _, name := range []string{"SENDER", "DEFAULT", "EXT"} {
		if v, ok := os.LookupEnv(name); ok && strings.Contains(v, "send.test") {
			t.Error(name, v)
		}
	}
}

func TestAVariableThatIsThereAlreadyIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.env = append(w.env, "SENDER=old", "HOME=/old", "SENDERS=kept", "SENDER=older")
	w.file(".qmail", "|env | grep -c '^SENDER='; env | grep '^SENDERS='; echo $SENDER\n")
	w.expect(exit.OK, "1\nSENDERS=kept\ns@send.test\ndid 0+0+1\n", "")
}

func TestInstructionsTakeEffectInOrderUntilOneStops(t *testing.T) {
	w := newWorld(t)
	if err := maildir.Make(w.home + "/M"); err != nil {
		t.Fatal(err)
	}
	w.file(".qmail", "#\n./M/\n./m\n./M/\n|exit 99\n./never\n")
	w.expect(exit.OK, "did 3+0+1\n", "")
	if list, err := maildir.Scan(w.home + "/M"); err != nil || len(list) != 2 {
		t.Error(list, err)
	}
	if _, err := os.Stat(w.home + "/never"); err == nil {
		t.Error("went on after exit code 99")
	}
}

func TestUnderNInstructionsAreOnlyDescribed(t *testing.T) {
	w := newWorld(t)
	w.opts = []string{"-n"}
	w.file(".qmail", "./M/\n./m\n|exit 1\n&a@b\nc@d\n")
	w.expect(exit.OK, "maildir ./M/\nmbox ./m\nprogram exit 1\nforward a@b\nforward c@d\ndid 2+2+1\n", "")
	if list, err := os.ReadDir(w.home); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
}

func TestUsageIsExplained(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-n"}, {"u", "/", "l", "-", "e", "h", "s"}, {"u", "rel", "l", "-", "e", "h", "s", "d"},
		{"-x", "u", "/", "l", "-", "e", "h", "s", "d"}, {"u", "", "l", "-", "e", "h", "s", "d"},
	} {
		if _, problem := parseArgs(args); !strings.HasSuffix(problem, usage) {
			t.Error(args, problem)
		}
	}
	a, problem := parseArgs([]string{"-nN", "--", "u", "/", "l", "-", "e", "h", "-s", "d"})
	if problem != "" || !a.doit || a.sender != "-s" || a.standard != "d" {
		t.Error(a, problem)
	}
}

func TestAStrangersAddressIsOneLineOfTheTrace(t *testing.T) {
	w := newWorld(t)
	w.args[3], w.args[4] = "host.test", "\"s\r\nX-Injected: y\x1b\n\"@send.test"
	w.to("joe-x\rX-Injected: y\n\r\rtext\x7f", "-", "x\rX-Injected: y\n\r\rtext\x7f")
	w.file(".qmail-default", "./m\n./d/\n|printf %s \"$DTLINE$RPLINE$UFLINE\"; exit 100\n")
	for _, d := range []string{"d", "d/new", "d/cur", "d/tmp"} {
		if err := os.Mkdir(filepath.Join(w.home, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	code, _, out, errs := w.deliver()
	if code != exit.Perm || errs != "" {
		t.Fatalf("exit %d %q", code, errs)
	}
	all, err := filepath.Glob(w.home + "/d/new/*")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for _, text := range []string{out, w.read("m"), w.read("d/new/" + filepath.Base(all[0]))} {
		if !strings.Contains(text, "\nDelivered-To: joe-x_X-Injected: y___text_@host.test\n") &&
			!strings.HasPrefix(text, "Delivered-To: joe-x_X-Injected: y___text_@host.test\n") {
			t.Errorf("%q", text)
		}
		for _, c := range []string{"\nX-", "\r", "\x1b", "\x7f"} {
			if strings.Contains(text, c) {
				t.Errorf("%q in %q", c, text)
			}
		}
	}
}
