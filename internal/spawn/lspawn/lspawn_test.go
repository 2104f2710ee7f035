package lspawn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
	"qmail/internal/send/sendproto"
	"qmail/internal/site/users"
	"qmail/internal/spawn"
	"qmail/internal/sys/passwd"
	"qmail/internal/text/cdb"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// site makes a qmail home with the two programs as shell scripts, and users/cdb where assign is not empty.
func site(t *testing.T, getpw, local, assign string) *Deliverer {
	t.Helper()
	home := t.TempDir()
	for _, dir := range []string{filepath.Dir(home), home} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "users"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range map[string]string{"qmail-getpw": getpw, "qmail-local": local} {
		if err := os.WriteFile(filepath.Join(home, "bin", name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if assign != "" {
		w, err := cdb.Create(users.File(home) + ".tmp")
		if err == nil {
			err = users.Build(strings.NewReader(assign), w)
		}
		if err == nil {
			err = w.Commit(users.File(home))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &Deliverer{
		Runner: spawn.Runner{Bin: filepath.Join(home, "bin"), Env: []string{"PATH=/usr/bin:/bin"}},
		IDs:    passwd.IDs{Passwd: 61, NoFiles: 62}, Home: home, Default: "./Mailbox", Log: os.Stderr,
	}
}

// deliver delivers a message to an address and returns letter and text.
func deliver(t *testing.T, l *Deliverer, recipient string) string {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	local, host, _ := strings.Cut(recipient, "@")
	kind, text := l.deliver(&spawn.Delivery{
		Order: sendproto.Order{Sender: "sender@far", Recipient: recipient}, Local: local, Host: host, Message: f,
	})
	return string(rune(kind)) + string(text)
}

const (
	joe     = `printf 'joe\0%s\0%s\0/home/joe\0-\0ext\0' 71 72`
	sayArgs = `echo "$@"; pwd; id -u; id -G`
)

func TestQmailLocalGetsTheAnswerOfGetpwAndBecomesTheUser(t *testing.T) {
	testqmail.NeedRoot(t)
	l := site(t, `[ "$*" = "Joe-ext" ] && [ $(id -u) = 61 ] && [ "$(id -G)" = 62 ] && `+joe, sayArgs, "")
	want := "K-- joe /home/joe Joe-ext - ext host sender@far ./Mailbox\n" + l.Home + "\n71\n72\n"
	if got := deliver(t, l, "Joe-ext@host"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestUsersCdbComesBeforeGetpw(t *testing.T) {
	testqmail.NeedRoot(t)
	l := site(t, joe, sayArgs, "+list-:lists:81:82:/home/lists:-:pre-:\n=root:root:0:0:/root:::\n.\n")
	want := "K-- lists /home/lists list-X - pre-X host sender@far ./Mailbox\n" + l.Home + "\n81\n82\n"
	if got := deliver(t, l, "list-X@host"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := deliver(t, l, "other@host"); !strings.HasPrefix(got, "K-- joe ") {
		t.Errorf("%q", got)
	}
	if got := deliver(t, l, "root@host"); got != "ZNot allowed to perform deliveries as root.\n" {
		t.Errorf("%q", got)
	}
}

func TestAnAddressWithoutALocalPartIsThrownAway(t *testing.T) {
	if got := deliver(t, &Deliverer{Home: "/none"}, "@host"); got != "K" {
		t.Errorf("%q", got)
	}
}

func TestADamagedUsersCdbDefers(t *testing.T) {
	l := site(t, "exit 0", "exit 0", "")
	if err := os.WriteFile(users.File(l.Home), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := deliver(t, l, "joe@host"); got != "ZTrouble reading users/cdb in qmail-lspawn.\n" {
		t.Errorf("%q", got)
	}
}

func TestGetpwThatFailsOrLiesDefers(t *testing.T) {
	testqmail.NeedRoot(t)
	for _, getpw := range []string{
		"exit 111", "exit 100", "exit 2", "exit 1", "kill -9 $$", "exit 0", `printf 'joe\0'`, `printf 'joe\0x\0y\0/\0-\0\0'`,
		`printf 'joe\00071\00072\0/home/joe\0-\0ext'`, joe + `; exit 111`, "yes", `printf '\0'; head -c 100000 /dev/zero`,
	} {
		if getpw == "yes" {
			getpw = "yes | head -c 1000000"
		}
		got := deliver(t, site(t, getpw, "echo delivered", ""), "joe@host")
		if got != "ZTemporary failure in qmail-lspawn.\n" {
			t.Errorf("%s: %q", getpw, got)
		}
	}
}

func TestGetpwCannotMakeAnybodyRoot(t *testing.T) {
	testqmail.NeedRoot(t)
	l := site(t, `printf 'root\0%s\0%s\0/root\0\0\0' 0 0`, "echo delivered", "")
	if got := deliver(t, l, "joe@host"); got != "ZNot allowed to perform deliveries as root.\n" {
		t.Errorf("%q", got)
	}
}

func TestAMissingProgramDefers(t *testing.T) {
	testqmail.NeedRoot(t)
	l := site(t, joe, "", "")
	os.Remove(filepath.Join(l.Home, "bin", "qmail-local"))
	if got := deliver(t, l, "joe@host"); got != "ZUnable to run qmail-local.\n" {
		t.Errorf("%q", got)
	}
	os.Remove(filepath.Join(l.Home, "bin", "qmail-getpw"))
	if got := deliver(t, l, "sam@host"); got != "ZUnable to run qmail-getpw.\n" {
		t.Errorf("%q", got)
	}
}

func TestEachExitCodeOfQmailLocalHasItsMeaning(t *testing.T) {
	for code, want := range map[exit.Code]report.Kind{
		0: report.Success, 99: report.Failure, 100: report.Failure, 1: report.Failure, 255: report.Failure,
		112: report.Failure,
		111: report.Deferral, 71: report.Deferral, 74: report.Deferral, 75: report.Deferral,
	} {
		if kind, text := read(spawn.Outcome{Code: code, Output: []byte("text\n")}); kind != want || string(text) != "text\n" {
			t.Errorf("%d: %c %q", code, kind, text)
		}
	}
}

func TestACrashedQmailLocalDefersAndItsTraceIsNotShown(t *testing.T) {
	testqmail.NeedRoot(t)
	for _, local := range []string{"echo half; kill -9 $$", "echo half; kill -ABRT $$", "echo panic; exit 2"} {
		if got := deliver(t, site(t, joe, local, ""), "joe@host"); got != "Zqmail-local crashed.\n" {
			t.Errorf("%s: %q", local, got)
		}
	}
}

func TestALongReportIsCutAndSaysSo(t *testing.T) {
	const tooLong = "\nError report too long, sorry.\n"
	long := strings.Repeat("x", maxOutput)
	if _, text := read(spawn.Outcome{Output: []byte(long)}); string(text) != long {
		t.Errorf("%d bytes of %d", len(text), len(long))
	}
	_, text := read(spawn.Outcome{Output: []byte(long), Cut: true})
	if !strings.HasSuffix(string(text), tooLong) || len(text) != maxOutput-3 {
		t.Errorf("%d bytes: %q", len(text), text[2900:])
	}
}

func TestOutputThatCouldNotBeReadWholeSaysSo(t *testing.T) {
	if _, text := read(spawn.Outcome{Output: []byte("half"), Cut: true}); string(
		text,
	) != "half\nError report too long, sorry.\n" {
		t.Errorf("%q", text)
	}
}

func TestAReportEndsAtItsFirstNul(t *testing.T) {
	if _, text := read(spawn.Outcome{Output: []byte("a\x00b")}); string(text) != "a" {
		t.Errorf("%q", text)
	}
}

func TestADeliveryThatTookTooLongIsTriedAgainUnlessItSucceeded(t *testing.T) {
	for _, c := range []struct {
		o    spawn.Outcome
		kind report.Kind
		text string
	}{
		{spawn.Outcome{Late: true, Crashed: true, Output: []byte("x\n")}, report.Deferral, tooLate + "x\n"},
		{spawn.Outcome{Late: true, Code: exit.Temp}, report.Deferral, tooLate},
		{spawn.Outcome{Late: true, Code: exit.Perm, Output: []byte("x\n")}, report.Deferral, tooLate + "x\n"},
		{spawn.Outcome{Late: true, Output: []byte("did 0+0+1\n")}, report.Success, "did 0+0+1\n"},
	} {
		if kind, text := read(c.o); kind != c.kind || string(text) != c.text {
			t.Errorf("%+v: %c %q", c.o, kind, text)
		}
	}
}
