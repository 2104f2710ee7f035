package remote

import (
	"context"
	"sync"
	"time"
)

// A hurry ends what a delivery waits for, when others wait for its slot. It is the one thing of a Remote that another
// goroutine may touch.
type hurry struct {
	mu    sync.Mutex
	since time.Time // when the present wait began
	cut   func()    // ends it; nil: nothing is waited for, or nothing that may be cut
	cutAt time.Time // when a wait of this delivery was cut
}

// begin says that a wait begins, and how it can be ended. One of a delivery that was cut is over at once.
func (h *hurry) begin(cut func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since, h.cut = time.Now(), cut
	if !h.cutAt.IsZero() {
		cut()
	}
}

// end says that the wait is over.
func (h *hurry) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut = nil
}

// reset begins another delivery.
func (h *hurry) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cut, h.cutAt = nil, time.Time{}
}

// hurried reports whether this delivery was cut.
func (h *hurry) hurried() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.cutAt.IsZero()
}

// Hurry ends the delivery that runs, as a deferral, if it has waited for its host for so long. It may come at any time,
// from any goroutine. Whoever has sent the final dot is left alone: the host may have the message.
func (m *Remote) Hurry(after time.Duration) {
	h := &m.hurry
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cut != nil && h.cutAt.IsZero() && time.Since(h.since) >= after {
		h.cutAt = time.Now()
		h.cut()
	}
}

// cancelable returns a context that Hurry ends, and what releases it.
func (h *hurry) cancelable() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	h.begin(cancel)
	return ctx, func() {
		h.end()
		cancel()
	}
}
