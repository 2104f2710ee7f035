package sys

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// WithSlack calls fn on a thread whose timer slack is d: what fn starts has it too, in all of its threads. See
// PR_SET_TIMERSLACK in prctl(2). Where it cannot be set fn is called all the same.
func WithSlack(d time.Duration, fn func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	WithSlackNearly(d, fn)
}

// WithSlackNearly is WithSlack for a program that ends soon: it does not hold on to the thread, for which the runtime
// would start another. Should fn go on another thread, what it starts has the usual slack, which costs time and no
// more, and a thread of this process keeps d.
func WithSlackNearly(d time.Duration, fn func()) {
	before := Slack()
	if before == 0 || before == d {
		fn()
		return
	}
	setSlack(d)
	defer setSlack(before)
	fn()
}

// SetSlack sets the timer slack of the calling thread, for a process that is about to execute another program.
func SetSlack(d time.Duration) {
	runtime.LockOSThread()
	setSlack(d)
}

// Slack returns the timer slack of the calling thread; 0 where it is not known.
func Slack() time.Duration {
	d, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return time.Duration(d)
}

// A slack that cannot be set costs time, no more.
func setSlack(d time.Duration) { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d), 0, 0, 0) }
