package proc

import (
	"os"
	"runtime"
)

// BeginThin is Begin for a program that is started for every message and has nothing to say while all goes well. It
// does not catch SIGPIPE, which takes a thread of its own: a broken pipe on any descriptor but 1 and 2 is an error
// without that. Before such a program writes to those it calls Begin, or uses Stderr.
func BeginThin() { crash() }

// BeginQuiet is BeginAlone for a program that is started for every message.
func BeginQuiet() {
	BeginAlone()
	oneProcessor()
}

// oneProcessor has goroutines take turns, since a thread that is woken up for another costs more than what it does.
func oneProcessor() { runtime.GOMAXPROCS(1) }

// BeginTurns is Begin for a daemon that waits for others most of the time, and for the disk seldom.
func BeginTurns() {
	Begin()
	oneProcessor()
}

// Stderr is descriptor 2 of a program that called BeginThin.
type Stderr struct{}

// Write writes to descriptor 2; a broken pipe there is an error.
func (Stderr) Write(b []byte) (int, error) {
	Begin()
	return os.Stderr.Write(b)
}
