package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/testkill"
	"qmail/internal/local/maildir"
	"qmail/internal/submit"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

// childKey tells this test binary to be qmail-local.
const childKey = "QMAIL_LOCAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childKey) == "" {
		os.Exit(m.Run())
	}
	proc.Begin()
	code, _ := Deliver(Job{
		Args: os.Args[1:], Env: os.Environ(), Message: os.Stdin, Out: Descriptor(os.Stdout), Err: Descriptor(os.Stderr),
		Now: time.Now, Names: maildir.NewNames(), Queue: submit.New,
	})
	proc.Exit(code)
}

// killAtEveryStep delivers again and again, each time killed one system call later, and calls check
// after each; done is whether the delivery said that it succeeded.
func killAtEveryStep(t *testing.T, w *world, check func(done bool)) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(text, []byte(w.text), 0o600); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for n := 1; ; n++ {
		message, err := os.Open(text)
		if err != nil {
			t.Fatal(err)
		}
		o, err := testkill.Before(testkill.Run{
			Path: self, Args: append([]string{self, "--", "joe", w.home}, w.args...),
			Env: append([]string{childKey + "=1"}, w.env...), Files: []*os.File{message, null, null},
		}, n)
		message.Close()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("programs cannot be traced here")
		}
		if err != nil {
			t.Fatal(err)
		}
		if !o.Killed && o.Code != int(exit.OK) {
			t.Fatalf("exit %d", o.Code)
		}
		check(!o.Killed)
		if !o.Killed {
			if n < 5 {
				t.Errorf("only %d steps", n)
			}
			return
		}
	}
}

func TestADeliveryKilledAtAnyStepLeavesOnlyCompleteMessagesInNew(t *testing.T) {
	w := newWorld(t)
	w.text = strings.Repeat("a line of a message\n", 10_000)
	w.args[5] = "./M/"
	dir := w.home + "/M"
	if err := maildir.Make(dir); err != nil {
		t.Fatal(err)
	}
	want := "Return-Path: <s@send.test>\nDelivered-To: joe@host.test\n" + w.text
	count := 0
	killAtEveryStep(t, w, func(done bool) {
		list, err := maildir.Scan(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) < count || done && len(list) <= count {
			t.Errorf("%d messages, there were %d", len(list), count)
		}
		count = len(list)
		for _, e := range list {
			if b, err := os.ReadFile(dir + "/" + e.Path); err != nil || string(b) != want {
				t.Errorf("%s has %d bytes, want %d (%v)", e.Path, len(b), len(want), err)
			}
		}
	})
}

func TestADeliveryKilledAtAnyStepHarmsNoOtherMessageOfAnMbox(t *testing.T) {
	w := newWorld(t)
	w.text = strings.Repeat("a line of a message\n", 10_000)
	before := ""
	killAtEveryStep(t, w, func(done bool) {
		b, err := os.ReadFile(w.home + "/Mailbox")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		added, ok := strings.CutPrefix(string(b), before)
		if !ok {
			t.Error("what was there has changed")
		}
		if whole := strings.HasSuffix(added, w.text+"\n"); done && !whole {
			t.Error("a delivery that succeeded is not there")
		}
		before = string(b)
	})
}
