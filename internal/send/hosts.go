package send

import (
	"strings"

	"qmail/internal/send/sendproto"
	"qmail/internal/text/ascii"
)

// maxParked bounds the recipients that are held while their host is busy.
const maxParked = 2000

// parkedPause is the pause of a message in seconds, when there was no room for its recipients among those.
const parkedPause = 10

// hosts counts the slots that deliveries to each host use, where a control file limits them.
type hosts struct {
	busy   map[string]*host
	parked int
}

type host struct {
	running int
	waiting []parked
}

// A parked recipient has had its turn while its host was busy.
type parked struct {
	j *job
	r recipient
}

func hostOf(addr string) string {
	return ascii.LowerString(addr[strings.LastIndexByte(addr, '@')+1:])
}

// full reports whether a delivery to this host must wait.
func (h *hosts) full(name string, limit int) bool {
	x := h.busy[name]
	return limit > 0 && x != nil && x.running >= limit
}

// park keeps a recipient until its host is free, or, when very many are kept, leaves it for the next pass.
func (h *hosts) park(j *job, r recipient, now int64) {
	if h.parked >= maxParked {
		j.retry = min(j.retry, now+parkedPause)
		return
	}
	x := h.busy[r.host()]
	x.waiting = append(x.waiting, parked{j, r})
	h.parked++
	j.parked++
}

// began takes note of a slot in use.
func (h *hosts) began(name string, limit int) {
	if limit == 0 {
		return
	}
	if h.busy == nil {
		h.busy = map[string]*host{}
	}
	x := h.busy[name]
	if x == nil {
		x = &host{}
		h.busy[name] = x
	}
	x.running++
}

// ended takes note of the end of one, and returns the recipient that has waited for it longest; nil: nobody has.
func (h *hosts) ended(name string, limit int) *parked {
	if limit == 0 {
		return nil
	}
	x := h.busy[name]
	x.running--
	if len(x.waiting) > 0 {
		return &x.waiting[0]
	}
	if x.running == 0 {
		delete(h.busy, name)
	}
	return nil
}

// unpark takes that recipient, and up to most in all of those right after it that are of the same pass.
func (h *hosts) unpark(name string, most int, w *wide) []recipient {
	x := h.busy[name]
	j, bytes := x.waiting[0].j, 0
	w.list = w.list[:0]
	for len(x.waiting) > 0 && len(w.list) < most && x.waiting[0].j == j {
		r := x.waiting[0].r
		if bytes += len(r.addr); len(w.list) > 0 && bytes > sendproto.MaxGroupBytes {
			break
		}
		w.list = append(w.list, r)
		x.waiting = x.waiting[1:]
	}
	h.parked -= len(w.list)
	j.parked -= len(w.list)
	return w.list
}

// drop forgets the parked recipients of a job.
func (h *hosts) drop(j *job) {
	for _, x := range h.busy {
		keep := x.waiting[:0]
		for _, p := range x.waiting {
			if p.j != j {
				keep = append(keep, p)
			}
		}
		h.parked -= len(x.waiting) - len(keep)
		x.waiting = keep
	}
	j.parked = 0
}
