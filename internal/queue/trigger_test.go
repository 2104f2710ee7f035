package queue

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/sys"
)

func heard(t *Trigger) bool {
	select {
	case <-t.C:
		return true
	case <-time.After(poll.Limit):
		return false
	}
}

func TestEveryPullIsHeardAfterTheEntryIsThere(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir)
	path := filepath.Join(dir, triggerName)
	q := Open(dir, nil)
	q.Pull() // there is no FIFO: no harm
	if err := sys.Mkfifo(path, 0o622); err != nil {
		t.Fatal(err)
	}
	q.Pull() // nobody listens: no harm
	trigger, err := OpenTrigger(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		q.Pull()
		if !heard(trigger) {
			t.Fatalf("pull %d was not heard", i)
		}
	}
	for range 100000 { // more than the FIFO holds
		q.Pull()
	}
	if !heard(trigger) {
		t.Fatal("a burst was not heard")
	}
	// Somebody puts another FIFO in its place.
	for heardNow(trigger) {
	}
	os.Remove(path)
	trigger.Reopen()
	if !heard(trigger) {
		t.Fatal("opening it again was not heard")
	}
	if err := sys.Mkfifo(path, 0o622); err != nil {
		t.Fatal(err)
	}
	trigger.Reopen()
	poll.Until(t, "the new FIFO is open", func() bool {
		f, err := sys.OpenNow(path, os.O_WRONLY)
		if err == nil {
			f.Close()
		}
		return err == nil
	})
	for heardNow(trigger) {
	}
	q.Pull()
	if !heard(trigger) {
		t.Fatal("a pull of the new FIFO was not heard")
	}
}

func heardNow(t *Trigger) bool {
	select {
	case <-t.C:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

func TestATriggerThatIsNoFifoIsRefused(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir)
	if err := os.WriteFile(filepath.Join(dir, triggerName), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTrigger(dir); err == nil {
		t.Error("it was opened")
	}
}

func TestOnlyOneQmailSendGetsTheLock(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "lock/sendmutex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := LockSend(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockSend(dir); err != sys.ErrLocked {
		t.Error(err)
	}
	f.Close()
	g, err := LockSend(dir)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
}

func TestAQmailCleanWaitsForTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/intd", 0o700); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	first, ok := LockClean(dir, r)
	if !ok {
		t.Fatal("the first has no lock")
	}
	second := make(chan *os.File)
	go func() {
		f, _ := LockClean(dir, r)
		second <- f
	}()
	select {
	case <-second:
		t.Fatal("both have the lock")
	case <-time.After(100 * time.Millisecond):
	}
	first.Close()
	(<-second).Close()
}

func TestAQmailCleanWithoutAQmailSendDoesNotWait(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/intd", 0o700); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	first, ok := LockClean(dir, r)
	if !ok {
		t.Fatal("the first has no lock")
	}
	defer first.Close()
	w.WriteString("x") // that nobody reads
	over := make(chan bool)
	go func() {
		_, ok := LockClean(dir, r)
		over <- ok
	}()
	w.Close()
	if <-over {
		t.Error("two have the lock")
	}
}
