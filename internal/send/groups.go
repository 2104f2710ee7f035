package send

import (
	"math/bits"
	"strings"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/send/sendproto"
)

const (
	// probePace is after how many milliseconds a second delivery begins to a host of which nothing is known, while
	// recipients of their messages wait for what they tell; the next begin after twice, four times as many, and so on.
	// So a long list does not begin with as many connections as there are slots. They wait for probation at most.
	probePace = 10
	probation = 500
	// window is how many groups go to a host at a time at first; it grows by one with every second that ends. More
	// would cost more connections than those that are open and free in a moment.
	window = 20
	// maxAside is how many recipients of a message may wait so before no more are read.
	maxAside = 1000
	// remembered is how long it counts what is known of a host, in milliseconds.
	remembered = 600_000
	// maxKnown bounds the hosts of which something is known.
	maxKnown = 2000
)

// A wide is what a channel needs for groups: recipients of one message that share a slot, which becomes one SMTP
// transaction. Only a host that offers PIPELINING gets several recipients in one, and which do the spawner's
// replies tell.
type wide struct {
	asked   bool              // whether the spawner takes groups, and it has not replied
	combine int               // the most recipients of a group; 0: it takes none, as far as we know
	known   map[string]*known // by host
	held    bool              // there may be recipients that are set aside
	timed   bool              // and time alone may give them their turn
	looked  int64             // when it last did
	begun   time.Time         // when its time was 0
	taken   []int             // scratch of job.take
	list    []recipient
	members []sendproto.Member
}

// A known is what is known of a host.
type known struct {
	pipelines bool
	plain     bool // it does not offer PIPELINING, or that does not come out
	begun     int  // deliveries, while neither is known
	groups    int  // that run
	ended     int  // groups
	since     int64
}

// time is the time in milliseconds, by a clock that nobody sets.
func (w *wide) time() int64 { return time.Since(w.begun).Milliseconds() }

// ask asks the spawner whether it takes groups. Nobody waits for the answer.
func (ch *channel) ask() {
	ch.wide.asked, ch.wide.begun = true, time.Now()
	ch.out.buf = sendproto.AppendQuestion(ch.out.buf, ch.width)
}

// answered takes the reply to the question, and reports whether this one is. A spawner of another make has refused
// the order.
func (ch *channel) answered(p sendproto.Reply) bool {
	if !ch.wide.asked || p.Wide || p.Delnum != ch.width.Reserved() {
		return false
	}
	ch.wide.asked = false
	if n, ok := p.Answer(ch.width); ok && n > 1 {
		ch.wide.combine = n
	}
	return true
}

// host returns what is known of a host, which is on probation at first.
func (w *wide) host(name string, now int64) *known {
	k := w.known[name]
	if k == nil || now-k.since > remembered {
		if w.known == nil {
			w.known = map[string]*known{}
		}
		w.forget(now)
		k = &known{since: now}
		w.known[name] = k
	}
	if !k.pipelines && now-k.since >= probation {
		k.plain = true
	}
	return k
}

// forget makes room: what is old goes, or all where nothing is old.
func (w *wide) forget(now int64) {
	if len(w.known) < maxKnown {
		return
	}
	for name, k := range w.known {
		if now-k.since > remembered {
			delete(w.known, name)
		}
	}
	if len(w.known) >= maxKnown {
		clear(w.known)
	}
}

// shares reports whether others may share a slot with a recipient at all: not if each has a sender of its own.
func (ch *channel) shares(j *job, r *recipient) bool {
	return ch.wide.combine > 1 && strings.IndexByte(r.addr, '@') >= 0 && route.SenderFor(j.m.sender, r.addr) == j.m.sender
}

// most returns how many may share a slot with a recipient, itself counted.
func (ch *channel) most(j *job, r *recipient, now int64) int {
	if !ch.shares(j, r) || !ch.wide.host(r.host(), now).pipelines {
		return 1
	}
	return min(ch.wide.combine, ch.numbers())
}

// ready returns the first job of a line that has a recipient to try. One whose next recipients are being read waits
// for these, where more of them may share a slot.
func (ch *channel) ready(line []*job, now int64) *job {
	for _, j := range line {
		if n := len(j.next); n > 0 && (!j.reading || n >= chunk/4 || n >= ch.most(j, &j.next[0], now)) {
			return j
		}
	}
	return nil
}

// hold sets the next recipient of a job aside if it must wait until more is known of its host, and reports whether
// it does.
func (ch *channel) hold(j *job, now int64) bool {
	r := &j.next[0]
	if !ch.shares(j, r) {
		return false
	}
	k := ch.wide.host(r.host(), now)
	if k.pipelines || k.plain {
		return false
	}
	if alone := j.eof && len(j.next) == 1 && len(j.aside) == 0; alone ||
		k.begun <= bits.Len64(uint64((now-k.since)/probePace)) {
		k.begun++
		return false
	}
	j.aside = append(j.aside, *r)
	j.next = j.next[1:]
	ch.wide.held, ch.wide.timed = true, true
	return true
}

// crowded sets a group aside if enough of them go to its host, and reports whether it does.
func (ch *channel) crowded(j *job, list []recipient, now int64) bool {
	if len(list) == 1 {
		return false
	}
	if k := ch.wide.host(list[0].host(), now); k.groups < window+k.ended/2 {
		return false
	}
	j.aside = append(j.aside, list...)
	ch.wide.held = true
	return true
}

// enter takes note of a group that begins.
func (ch *channel) enter(host string) { ch.wide.host(host, ch.wide.time()).groups++ }

// leave takes note of a group that has ended.
func (ch *channel) leave(host string) {
	if k := ch.wide.known[host]; k != nil && k.groups > 0 { // else it was forgotten meanwhile
		k.groups--
		k.ended++
	}
	ch.release()
}

// learn takes note of what a delivery told of its host.
func (ch *channel) learn(host string, p sendproto.Reply) {
	if !p.Wide || p.News == sendproto.Unknown || ch.wide.combine == 0 {
		return
	}
	now := ch.wide.time()
	k := ch.wide.host(host, now)
	if p.News == sendproto.Plain && k.pipelines {
		return // a delivery that failed before it could tell
	}
	news := !k.pipelines && !k.plain
	k.pipelines, k.plain, k.since = p.News == sendproto.Pipelines, p.News == sendproto.Plain, now
	if news {
		ch.release()
	}
}

// release lets the recipients that were set aside have their turn again.
func (ch *channel) release() {
	if !ch.wide.held {
		return
	}
	ch.wide.held, ch.wide.timed = false, false
	for _, line := range [...][]*job{ch.fresh, ch.stale} {
		for _, j := range line {
			if len(j.aside) > 0 {
				j.next, j.aside = append(j.aside, j.next...), nil
			}
		}
	}
}

// lookAside lets those have their turn again whom time may give it.
func (ch *channel) lookAside(now int64) {
	if ch.wide.timed && now-ch.wide.looked >= probePace {
		ch.wide.looked = now
		ch.release()
	}
}

// take takes the next recipient of a job, and up to most in all of those that have been read and are at the same
// host. The others keep their order.
func (j *job) take(most int, w *wide) []recipient {
	host, bytes := j.next[0].host(), len(j.next[0].addr)
	w.list, w.taken = append(w.list[:0], j.next[0]), append(w.taken[:0], 0)
	for i := 1; i < len(j.next) && len(w.list) < most; i++ {
		r := &j.next[i]
		if r.host() != host || bytes+len(r.addr) > sendproto.MaxGroupBytes {
			continue
		}
		bytes += len(r.addr)
		w.list, w.taken = append(w.list, *r), append(w.taken, i)
	}
	t := len(w.taken) - 1
	to := w.taken[t]
	for i := to; t >= 0; i-- {
		if i == w.taken[t] {
			t--
		} else {
			j.next[to] = j.next[i]
			to--
		}
	}
	j.next = j.next[len(w.list):]
	return w.list
}

// numbers returns how many delivery numbers are free.
func (ch *channel) numbers() int {
	n := len(ch.free)
	if ch.wide.combine > 0 {
		n += sendproto.MaxWide - len(ch.table)
	}
	return n
}

// number takes a free delivery number.
func (ch *channel) number() int {
	last := len(ch.free) - 1
	if last < 0 {
		ch.table = append(ch.table, delivery{})
		return len(ch.table) - 1
	}
	n := ch.free[last]
	ch.free = ch.free[:last]
	return n
}

// order appends the order for recipients, by their delivery numbers.
func (ch *channel) order(j *job, members []sendproto.Member) {
	mess, sender := queue.MessName(j.m.id), route.SenderFor(j.m.sender, members[0].Recipient)
	if ch.wide.combine > 0 {
		ch.out.buf = sendproto.Group{Mess: mess, Sender: sender, Members: members}.Append(ch.out.buf, ch.width)
		return
	}
	for _, m := range members {
		ch.out.buf = sendproto.Order{
			Delnum:    m.Delnum,
			Mess:      mess,
			Sender:    sender,
			Recipient: m.Recipient,
		}.Append(
			ch.out.buf,
			ch.width,
		)
	}
}
