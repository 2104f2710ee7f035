package submit

import (
	"os"
	"strconv"
	"sync"

	"qmail/conf"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

// A keeper keeps one qmail-queue for the clients of a process.
type keeper struct {
	path string
	spec pool.Spec
	// fit reports whether the program is what a worker must be.
	fit func(path string) bool

	mu      sync.Mutex
	taken   bool       // a message has gone the classic way, well, or need not
	foreign bool       // qmail-queue is not what a worker must be
	workers *pool.Pool // nil until then
	memory  *held      // of the last message, empty, for the next one
}

// maxMemory is how much memory is kept for the next message.
const maxMemory = 16 << 10

// hold returns an empty held; leave takes it back.
func (k *keeper) hold() *held {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.memory
	if k.memory = nil; h == nil {
		h = new(held)
	}
	return h
}

func (k *keeper) leave(h *held) {
	if cap(h.text)+cap(h.envelope) > maxMemory {
		return
	}
	clear(h.text)
	clear(h.envelope)
	h.text, h.envelope, h.asked = h.text[:0], h.envelope[:0], nil
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory = h
}

// take returns the kept qmail-queue where it is there and idle.
func (k *keeper) take() *pool.Worker {
	if p := k.pool(); p != nil {
		return p.Take(k.spec, "")
	}
	return nil
}

// held is a message that is not yet sent, at most worker.MaxContents of it.
type held struct {
	text []byte
	envelopes
}

// size is what it takes in a packet, with the NUL at the end.
func (h *held) size() int { return len(h.text) + len(h.envelope) + 1 + len(h.asked) }

// hand gives a whole message to the kept qmail-queue; nil means that it did not get it.
func (c *Client) hand(h *held) job {
	if c.keeper == nil {
		return nil
	}
	w := c.keeper.take()
	if w == nil || w.Send(worker.Job{Contents: [][]byte{h.text, h.end(true)}}) != nil {
		return nil
	}
	return kept{w}
}

// classic is told of each message that was queued the classic way.
func (k *keeper) classic() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.taken = true
}

// pool returns nil before the first message is through, and where qmail-queue must be started for each message.
func (k *keeper) pool() *pool.Pool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.taken || k.foreign {
		return nil
	}
	if k.workers == nil {
		if !k.fit(k.path) {
			k.foreign = true
			return nil
		}
		k.workers = pool.New(1)
	}
	return k.workers
}

func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.workers != nil {
		k.workers.Close()
	}
}

// setuidQueue reports whether the program is a regular setuid file of the queue user.
func setuidQueue(path string) bool {
	fi, err := os.Lstat(path)
	if err != nil || !setuid(fi) {
		return false
	}
	e, err := passwd.Lookup(conf.UserNames().Queue)
	if err != nil {
		return false
	}
	uid, _ := sys.Owner(fi)
	return uid == e.UID
}

// isProgram reports whether a filter is there to be kept. It runs as we do, so it may be anybody's.
func isProgram(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.Mode().IsRegular()
}

type kept struct{ w *pool.Worker }

// wait takes the number from the output of the job: one process has many messages.
func (k kept) wait() (c exit.Code, qp uint64, err error) {
	a, err := k.w.Wait("", envelope.MaxReason)
	if err != nil {
		return 0, 0, errCrashed
	}
	if a.Code == envelope.Custom {
		return a.Code, 0, envelope.ParseReason(a.Output)
	}
	qp, _ = strconv.ParseUint(string(a.Output), 10, 64)
	return a.Code, qp, nil
}
