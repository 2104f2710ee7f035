package sys

import "time"

// Timer slacks: how much later than asked for a thread may be woken up. A Go program that waits in the kernel is
// looked after by a thread of the runtime that sleeps 20 microseconds at a time; with the usual slack it is half of
// all switches between threads that a message costs.
const (
	// UsualSlack is what the kernel gives a process whose parents asked for nothing.
	UsualSlack = 50 * time.Microsecond
	// DaemonSlack is for a daemon: many goroutines, some of which wait for the disk while others have work.
	DaemonSlack = 2 * time.Millisecond
	// WorkerSlack is for a program that does one thing at a time.
	WorkerSlack = 100 * time.Millisecond
)
