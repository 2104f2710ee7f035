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

// TestQmailSendSurvivesErrorsOfAnyCall has all calls of a kind fail, or some of them, while mail comes in; then the
// disk is well again.
func TestQmailSendSurvivesErrorsOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	for _, call := range sendCalls {
		for _, when := range []string{"1+", "2+3"} {
			w.start()
			w.eventually("qmail-send runs", func() bool { return len(pids("qmail-send")) == 1 })
			well := w.attach("qmail-send", call+":error=EIO:when="+when)
			w.mustSend("local", 3)
			w.mustSend("bounce", 2)
			time.Sleep(400 * time.Millisecond)
			well()
			w.mustSend("local", 1)
			w.stop()
			w.start()
			w.settle(60*time.Second, empty)
			w.stop()
			if t.Failed() {
				t.Fatalf("%s %s\n%s", call, when, w.tail())
			}
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
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
	}
}

// traced reports whether another process traces this one.
func traced(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(b), "TracerPid:\t")
	return rest != "" && rest[0] != '0'
}
