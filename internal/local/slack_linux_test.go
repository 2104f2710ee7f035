package local

import (
	"testing"

	"qmail/internal/sys"
	"qmail/internal/text/exit"
)

func TestAProgramHasTheUsualTimerSlack(t *testing.T) {
	w := newWorld(t)
	w.file(".qmail", "|cat /proc/self/timerslack_ns\n")
	sys.WithSlack(sys.WorkerSlack, func() { w.expect(exit.OK, "50000\ndid 0+0+1\n", "") })
}
