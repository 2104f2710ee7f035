package attack

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// A victim is a system in which users may run programs.
type victim struct {
	t   *testing.T
	log string // the file that the logger writes
}

// newVictim makes a system that delivers to Maildirs, with control files given by name and text.
func newVictim(t *testing.T, control ...string) *victim {
	t.Helper()
	v := &victim{t, "/run/log"}
	control = append(control, "me", testqmail.Host+"\n", "locals", testqmail.Host+"\n", "rcpthosts", "")
	for i := 0; i < len(control); i += 2 {
		v.write(filepath.Join(conf.Home(), "control", control[i]), control[i+1], 0o644)
	}
	v.write(filepath.Join(conf.Home(), "rc"), `#!/bin/sh
exec env - PATH="`+conf.Home()+`/bin:$PATH" qmail-start ./Maildir/ sh -c 'exec cat >>`+v.log+`'
`, 0o755)
	v.write(v.log, "", 0o666)
	return v
}

func (v *victim) write(path, text string, mode os.FileMode) {
	v.t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		v.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		v.t.Fatal(err)
	}
}

// own writes a file of a user's home.
func (v *victim) own(user, name, text string) {
	v.t.Helper()
	path := filepath.Join(testqmail.HomeOf(user), name)
	v.write(path, text, 0o600)
	uid, gid, _ := testqmail.Account(user)
	if err := os.Chown(path, uid, gid); err != nil {
		v.t.Fatal(err)
	}
}

func (v *victim) read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// inject sends a message.
func (v *victim) inject(text string, to ...string) {
	v.t.Helper()
	cmd := exec.Command(filepath.Join(conf.Home(), "bin/qmail-inject"), to...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		v.t.Fatalf("%v %s", err, out)
	}
}

// wait waits until fn is true.
func (v *victim) wait(what string, fn func() bool) {
	v.t.Helper()
	poll.Until(v.t, what, fn, func() string { return v.read(v.log) })
}

func (v *victim) waitLog(text string) {
	v.t.Helper()
	v.wait(text, func() bool { return strings.Contains(v.read(v.log), text) })
}

// start starts the system without a terminal; stop ends it.
func (v *victim) start() (stop func()) {
	v.t.Helper()
	cmd := exec.Command(filepath.Join(conf.Home(), "rc"))
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.waitLog("status:")
	return func() {
		v.t.Helper()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			v.t.Error(err)
		}
	}
}

// A task is a process of a world.
type task struct {
	pid, session, tty int
	name              string
}

// tasks returns the processes that run our programs, and what starts with one of names.
func tasks(names ...string) (list []task) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		exe, _ := os.Readlink(dir + "/exe")
		args, _ := os.ReadFile(dir + "/cmdline")
		stat, err := os.ReadFile(dir + "/stat")
		open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if err != nil || shut < 0 {
			continue
		}
		named := slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(string(args), n) })
		fields := strings.Fields(string(stat[shut+1:])) // state parent group session terminal
		if !named && !strings.HasPrefix(exe, filepath.Join(conf.Home(), "bin")+"/") || fields[0] == "Z" {
			continue
		}
		x := task{name: string(stat[open+1 : shut])}
		x.pid, _ = strconv.Atoi(filepath.Base(dir))
		x.session, _ = strconv.Atoi(fields[3])
		x.tty, _ = strconv.Atoi(fields[4])
		list = append(list, x)
	}
	return list
}

// A shell is root's, with job control, on a terminal.
type shell struct {
	keys io.WriteCloser
	mu   sync.Mutex
	seen bytes.Buffer
}

func (s *shell) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Write(b)
}

func (s *shell) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

func (s *shell) typed(line string) { io.WriteString(s.keys, line) }

// rootShell starts one.
func (v *victim) rootShell() *shell {
	v.t.Helper()
	for _, args := range [][]string{
		{"mkdir", "/dev/pts"}, {"mount", "-t", "devpts", "-o", "newinstance,ptmxmode=666", "devpts", "/dev/pts"},
		{"ln", "-s", "pts/ptmx", "/dev/ptmx"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			v.t.Fatalf("%v %s", err, out)
		}
	}
	s := new(shell)
	cmd := exec.Command("script", "-qfc", "bash --norc -i", "/dev/null")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TERM=dumb", "PS1=ready "}
	cmd.Stdout, cmd.Stderr = s, s
	var err error
	if s.keys, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	v.wait("a prompt", func() bool { return strings.HasSuffix(s.text(), "ready ") })
	return s
}

// pusher is a program that tries to have root's shell run a command.
const pusher = `#!/usr/bin/perl
use Fcntl;
my $terminal = shift;
sub note { open(my $f, ">>", "answers"); print $f "@_\n" }
sub push_into {
	my ($f, $what) = @_;
	for my $c (split //, "touch /run/bent\n") { my $b = $c; ioctl($f, 0x5412, $b) or return }
	note("pushed into $what");
}
sub look {
	open(my $f, "<", "/proc/self/stat"); my $l = <$f>; $l =~ s/.*\) //; my @f = split(/ /, $l);
	note("session of its own") if $f[3] != $ARGV[0] && $f[3] > 1;
	note("terminal $f[4]") if $f[4] != 0;
}
look();
if (open(my $f, "+<", "/dev/tty")) { note("opens /dev/tty"); push_into($f, "/dev/tty") }
push_into(*STDIN, "descriptor 0");
push_into(*STDOUT, "descriptor 1");
push_into(*STDERR, "descriptor 2");
if (sysopen(my $f, $terminal, O_RDWR)) { note("opens the terminal"); push_into($f, "the terminal") }
look();
note("over");
`

func TestAUsersProgramCannotTypeIntoTheShellThatQmailWasStartedFrom(t *testing.T) {
	testqmail.Need(t, "script", "bash", "perl")
	if !inWorld(t) {
		return
	}
	v := newVictim(t)
	root := v.rootShell()
	root.typed("tty >/run/terminal; chmod 666 $(tty); " + conf.Home() + "/rc &\n")
	v.waitLog("status:")
	terminal := strings.TrimSpace(v.read("/run/terminal"))
	var sessions []string
	for _, x := range tasks("cat\x00") {
		if x.tty != 0 {
			t.Errorf("%s has terminal %d", x.name, x.tty)
		}
		if x.name == "qmail-send" {
			sessions = append(sessions, strconv.Itoa(x.session))
		}
	}
	if len(sessions) != 1 {
		t.Fatal(sessions)
	}
	v.write("/run/push", pusher, 0o755)
	v.own("me", ".qmail", "|/run/push "+terminal+" "+sessions[0]+"\n")
	v.inject("Subject: x\n\nx\n", "me@"+testqmail.Host)
	answers := filepath.Join(testqmail.HomeOf("me"), "answers")
	v.wait("the program", func() bool { return strings.Contains(v.read(answers), "over\n") })
	if got := v.read(answers); got != "session of its own\nopens the terminal\nsession of its own\nover\n" {
		t.Error(got)
	}
	root.typed("echo still $((1+1))\n")
	v.wait("the shell", func() bool { return strings.Contains(root.text(), "still 2") })
	if _, err := os.Stat("/run/bent"); err == nil {
		t.Error("the shell ran what was pushed into it")
	}

	// What INSTALL and an administrator do goes on as it did.
	root.typed("kill %1\n")
	v.waitLog("status: exiting")
	v.wait("the end", func() bool { return len(tasks()) == 0 })
	v.write(v.log, "", 0o666)
	root.typed(conf.Home() + "/rc\n")
	v.waitLog("status:")
	root.typed("\x03")
	v.wait("the end by an interrupt", func() bool { return len(tasks()) == 0 })
}

func TestAUsersProgramEndsInTimeAndNobodyElseWaitsForIt(t *testing.T) {
	if !inWorld(t) {
		return
	}
	v := newVictim(t, "timeoutlocal", "2\n")
	defer v.start()()
	for _, u := range []string{"me", "orcjoe"} {
		maildir := filepath.Join(testqmail.HomeOf(u), "Maildir")
		uid, gid, _ := testqmail.Account(u)
		for _, dir := range []string{"", "/new", "/cur", "/tmp"} {
			if err := os.Mkdir(maildir+dir, 0o700); err != nil {
				t.Fatal(err)
			}
			os.Chown(maildir+dir, uid, gid)
		}
	}
	mailed := func(user string) int {
		all, _ := filepath.Glob(filepath.Join(testqmail.HomeOf(user), "Maildir/new/*"))
		return len(all)
	}
	const late = ": deferral: The_delivery_took_longer_than_control/timeoutlocal_allows,_and_was_ended._"
	ended := func() int {
		text := v.read(v.log)
		return strings.Count(text, late) + strings.Count(text, ": deferral: qmail-local_crashed.")
	}
	programs := []string{
		"sleep 987654",
		"trap '' TERM; sleep 987654; sleep 987654",
		"sleep 987654 & exit 111",
		"kill -STOP $PPID; sleep 987654",
		"setsid sleep 987655 & sleep 987654",
		"(trap '' TERM; exec sleep 987654) & kill -9 $PPID",
		"exec >/dev/null 2>&1 </dev/null; sleep 987654",
		"while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
	}
	for i, p := range programs {
		v.own("me", ".qmail-"+strconv.Itoa(i), "|"+p+"\n")
	}
	v.own("me", ".qmail-good", "|trap 'cat >caught; exit 0' TERM; sleep 987654 & wait\n")
	for round := range 2 { // by processes of their own, and by workers
		before := ended()
		if round > 0 {
			for n := mailed("me"); n < 2; n = mailed("me") {
				v.inject("Subject: x\n\nx\n", "me@"+testqmail.Host)
				v.wait("a message", func() bool { return mailed("me") > n })
			}
		}
		for i := range programs {
			v.inject("Subject: x\n\nx\n", "me-"+strconv.Itoa(i)+"@"+testqmail.Host)
		}
		v.wait("all to be ended", func() bool { return ended() >= before+len(programs) })
		v.wait("the programs to be gone", func() bool {
			return !slices.ContainsFunc(tasks("sleep\x00987654", "/bin/sh\x00-c"), func(x task) bool {
				return x.name == "sh" || x.name == "sleep"
			})
		})
		n := mailed("orcjoe")
		v.inject("Subject: x\n\nx\n", "orcjoe@"+testqmail.Host)
		v.wait("another user's message", func() bool { return mailed("orcjoe") > n })
	}
	v.own("me", ".qmail-score", "|cat /proc/self/oom_score_adj >score\n")
	v.inject("Subject: x\n\nx\n", "me-score@"+testqmail.Host)
	score := filepath.Join(testqmail.HomeOf("me"), "score")
	v.wait("a program", func() bool { return strings.HasSuffix(v.read(score), "\n") })
	if got := v.read(score); got != "500\n" {
		t.Errorf("the kernel would spare a user's program as it does the daemons: %s", got)
	}
	// A program that is done when it is told to end has done what it was to do.
	v.inject("Subject: x\n\nx\n", "me-good@"+testqmail.Host)
	v.waitLog("success: did_0+0+1/")
	// One that has left its group is left alone, but is waited for no longer.
	if !slices.ContainsFunc(tasks("sleep\x00987655"), func(x task) bool { return x.name == "sleep" }) {
		t.Error("what had a session of its own was found: say so in SECURITY")
	}
}

func TestOneUsersForkBombLeavesRoomForTheOthers(t *testing.T) {
	testqmail.Need(t, "perl", "prlimit")
	if !inWorld(t) {
		return
	}
	const most = 150
	v := newVictim(t, "timeoutlocal", "20\n")
	// The kernel counts the processes of a user in all worlds together: the daemons' are without a limit, which would be
	// that of the others as well.
	lspawn := filepath.Join(conf.Home(), "bin/qmail-lspawn")
	if err := os.Rename(lspawn, lspawn+".orig"); err != nil {
		t.Fatal(err)
	}
	v.write(lspawn, "#!/bin/sh\nexec prlimit --nproc="+strconv.Itoa(most)+" "+lspawn+".orig \"$@\"\n", 0o755)
	defer v.start()()
	v.own("orcjoe", ".qmail", "./box\n")
	v.own("me", ".qmail", `|perl -e 'while (1) { fork; select(undef, undef, undef, 0.05) }'`+"\n")
	bomb := func() (n int) {
		for _, x := range tasks("perl\x00") {
			if x.name == "perl" {
				n++
			}
		}
		return n
	}
	v.inject("Subject: x\n\nx\n", "me@"+testqmail.Host)
	v.wait("the bomb", func() bool { return bomb() > most/2 })
	v.inject("Subject: x\n\nx\n", "orcjoe@"+testqmail.Host)
	box := filepath.Join(testqmail.HomeOf("orcjoe"), "box")
	v.wait("another user's message", func() bool { return strings.Contains(v.read(box), "Subject: x\n") })
	if n := bomb(); n > most {
		t.Errorf("%d processes", n)
	}
	v.waitLog("The_delivery_took_longer_than_control/timeoutlocal_allows")
	v.wait("the bomb's end", func() bool { return bomb() == 0 })
}

// Whoever has qmail-queue can queue any address, as QMTP once could.
func TestNoAddressBecomesALineOfAHeader(t *testing.T) {
	if !inWorld(t) {
		return
	}
	v := newVictim(t)
	defer v.start()()
	v.own("me", ".qmail-default", "./box\n&orcjoe\n")
	v.own("orcjoe", ".qmail", "./box\n")
	const evil = "\r\nX-Injected: y\r\n\r\n\x1b[2J\x7f"
	queue := func(sender, recipient string) {
		t.Helper()
		text, envelope, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(envelope, "F"+sender+"\x00T"+recipient+"\x00\x00")
		envelope.Close()
		cmd := exec.Command(filepath.Join(conf.Home(), "bin/qmail-queue"))
		cmd.Stdin = strings.NewReader("Subject: x\n\nx\n")
		cmd.Stdout = text // to be read from
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		text.Close()
	}
	at := "@" + testqmail.Host
	queue("a"+evil+at, "me-x"+evil+at)
	queue("me-bounce"+evil+at, "nobody-here"+evil+at)
	var all string
	v.wait("four messages", func() bool {
		all = v.read(filepath.Join(testqmail.HomeOf("me"), "box")) + v.read(filepath.Join(testqmail.HomeOf("orcjoe"), "box"))
		return strings.Count(all, "\nDelivered-To: me-x") >= 2 && strings.Count(all, "\nDelivered-To: me-bounce") >= 2
	})
	for _, bad := range []string{"\nX-Injected", "\r", "\x1b", "\x7f"} {
		if i := strings.Index(all, bad); i >= 0 {
			t.Errorf("%q in %q", bad, all[max(0, i-200):i+len(bad)])
		}
	}
}
