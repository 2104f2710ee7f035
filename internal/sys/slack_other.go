//go:build !linux

package sys

import "time"

// WithSlack calls fn: timers have no slack here.
func WithSlack(_ time.Duration, fn func()) { fn() }

// WithSlackNearly calls fn.
func WithSlackNearly(_ time.Duration, fn func()) { fn() }

// SetSlack does nothing here.
func SetSlack(time.Duration) {}

// Slack returns 0: it is not known here.
func Slack() time.Duration { return 0 }
