package send

import (
	"strings"

	"qmail/internal/ascii"
)

// maxParked bounds the recipients that are held while their host is busy.
const maxParked = 2000

// parkedPause is the pause of a message in seconds, when there was no room for its recipients among those.
const parkedPause = 10

// hosts counts the deliveries to each host, where a control file limits them.
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

// full reports whether a delivery to this recipient must wait.
func (h *hosts) full(addr string, limit int) bool {
	if limit == 0 {
		return false
	}
	x := h.busy[hostOf(addr)]
	return x != nil && x.running >= limit
}

// park keeps a recipient until its host is free, or, when very many are kept, leaves it for the next pass.
func (h *hosts) park(j *job, r recipient, now int64) {
	if h.parked >= maxParked {
		j.retry = min(j.retry, now+parkedPause)
		return
	}
	x := h.busy[hostOf(r.addr)]
	x.waiting = append(x.waiting, parked{j, r})
	h.parked++
	j.parked++
}

// began takes note of a delivery.
func (h *hosts) began(addr string, limit int) {
	if limit == 0 {
		return
	}
	if h.busy == nil {
		h.busy = map[string]*host{}
	}
	name := hostOf(addr)
	x := h.busy[name]
	if x == nil {
		x = &host{}
		h.busy[name] = x
	}
	x.running++
}

// ended takes note of the end of a delivery and returns a recipient that waited for it.
func (h *hosts) ended(addr string, limit int) (j *job, r recipient, ok bool) {
	if limit == 0 {
		return nil, recipient{}, false
	}
	name := hostOf(addr)
	x := h.busy[name]
	x.running--
	if len(x.waiting) > 0 {
		p := x.waiting[0]
		x.waiting = x.waiting[1:]
		h.parked--
		return p.j, p.r, true
	}
	if x.running == 0 {
		delete(h.busy, name)
	}
	return nil, recipient{}, false
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
