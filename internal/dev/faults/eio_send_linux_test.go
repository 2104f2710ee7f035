package faults

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

// sendCalls are the calls of qmail-send that fail. Reads and writes are left out where they may be those of its pipes.
var sendCalls = strings.Fields("openat newfstatat fstat pread64 pwrite64 fsync sync_file_range getdents64 linkat " +
	"unlinkat utimensat ftruncate statfs")

func TestQmailSendSurvivesWhereAllCallsOfAKindFail(t *testing.T)  { sickSend(t, "1+") }
func TestQmailSendSurvivesWhereSomeCallsOfAKindFail(t *testing.T) { sickSend(t, "2+3") }

// sickSend has the calls of a kind fail while mail comes in, one kind after the other; then the disk is well again.
func sickSend(t *testing.T, when string) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	for _, call := range sendCalls {
		w.start()
		w.eventually("qmail-send runs", func() bool { return len(pids("qmail-send")) == 1 })
		well := w.attach("qmail-send", call+":error=EIO:when="+when)
		w.mustSend("local", 3)
		w.mustSend("bounce", 2)
		w.waiting()
		well()
		w.mustSend("local", 1)
		w.stop()
		w.start()
		w.settled()
		w.stop()
		if t.Failed() {
			t.Fatalf("%s %s\n%s", call, when, w.tail())
		}
	}
}

// attach has calls of a running program fail, until the returned function is called.
func (w *world) attach(program, inject string) (well func()) {
	w.t.Helper()
	found := pids(program)
	if len(found) != 1 {
		w.t.Fatalf("%d processes run %s", len(found), program)
	}
	name, _, _ := strings.Cut(inject, ":")
	c := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "trace="+name, "-e",
		"inject="+inject, "-p", strconv.Itoa(found[0]))
	w.must(c.Start())
	w.eventually("strace attaches", func() bool { return traced(found[0]) })
	return func() {
		// On a busy machine strace may wait for ever for a thread to stop. When it is killed the threads go on.
		c.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { c.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			c.Process.Kill()
			<-ended
		}
		w.eventually("strace lets go", func() bool { return !traced(found[0]) })
	}
}

// traced reports whether another process traces this one.
func traced(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(b), "TracerPid:\t")
	return rest != "" && rest[0] != '0'
}
