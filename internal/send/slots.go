package send

import (
	"slices"
	"strings"

	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/send/sendproto"
)

// slots are the places for deliveries of one channel, the line for them, and the messages whose next pass is to come:
// they say which recipients are next. They know no disk, no log and no pipe.
type slots struct {
	channel    queue.Channel
	limit      int // in all; 0: this channel delivers nothing
	combine    int // the most recipients that share a slot; below 2: none do
	running    int // slots in use
	deliveries []delivery
	free       []int  // unused delivery numbers
	again      int    // slots in use for what is not a first attempt
	passed     int    // first attempts started since the last other one
	fresh      []*job // the line of first attempts
	stale      []*job // and that of later ones
	resting    []*job // that wait for shares only; none of messages in todo
	shares     shares
	opening    [2]int     // passes whose message is being read: first ones, later ones
	first      []queue.ID // messages that wait for their first attempt
	retry      waiting    // messages that wait for a later one
	held       map[queue.ID]struct{}
}

// A delivery is one that runs.
type delivery struct {
	j      *job // nil: this number is free
	r      recipient
	number uint64 // in the log
	slot   *slot
}

// A slot is what concurrencylocal and concurrencyremote count: one delivery, or several of one message at one host that
// share an SMTP transaction.
type slot struct {
	key     string // of the bundle
	share   *share
	running int   // deliveries
	slow    bool  // it counts among those of slow places
	since   int64 // when it was taken, in seconds
}

// A bundle is recipients of a job at one host, or of one user.
type bundle struct {
	j     *job
	key   string
	rcpts []recipient
}

// newSlots returns slots of which fixed, if it is not 0, is the most for one user or address.
func newSlots(c queue.Channel, fixed int) *slots {
	return &slots{
		channel: c, held: map[queue.ID]struct{}{},
		shares: newShares(fixed),
	}
}

// open says how many slots there are.
func (s *slots) open(limit int) {
	s.limit, s.deliveries = limit, make([]delivery, limit)
	for n := limit - 1; n >= 0; n-- {
		s.free = append(s.free, n)
	}
}

// add adds recipients that have been read to their job, and puts it in the line.
func (s *slots) add(j *job, rcpts []recipient) {
	var last *bundle
	by := map[string]*bundle{}
	for _, r := range rcpts {
		key := s.key(r.addr)
		if last == nil || last.key != key {
			if last = by[key]; last == nil {
				last = &bundle{j: j, key: key}
				by[key] = last
				j.bundles = append(j.bundles, last)
			}
		}
		last.rcpts = append(last.rcpts, r)
	}
	j.waiting += len(rcpts)
	s.line(j)
}

// line puts a job with bundles at the end of its line, if it is not there.
func (s *slots) line(j *job) {
	if j.lined || len(j.bundles) == 0 {
		return
	}
	j.lined = true
	if j.first {
		s.fresh = append(s.fresh, j)
	} else {
		s.stale = append(s.stale, j)
	}
}

// unline takes a job out of the line.
func (s *slots) unline(j *job) {
	if !j.lined {
		return
	}
	j.lined = false
	line := &s.fresh
	if !j.first {
		line = &s.stale
	}
	if i := slices.Index(*line, j); i == 0 {
		*line = (*line)[1:]
	} else if i > 0 {
		*line = slices.Delete(*line, i, i+1)
	}
}

// next takes the recipients whose turn it is, with their job and their bundle's key: several where they can share a
// slot, none when nobody can start.
func (s *slots) next() (j *job, key string, list []recipient) {
	if s.running >= s.limit || s.numbers() == 0 {
		return nil, "", nil
	}
	b := s.pick()
	if b == nil {
		return nil, "", nil
	}
	j, key = b.j, b.key
	list = s.cut(b)
	// Jobs take turns, and so do the bundles of a job.
	s.unline(j)
	j.bundles = j.bundles[1:]
	if len(b.rcpts) > 0 {
		j.bundles = append(j.bundles, b)
	}
	s.line(j)
	return j, key, list
}

// pick returns the bundle that is next. New mail goes first, so that a storm of later attempts does not delay it; but
// of the slots a quarter, or of the starts every fourth, is for those, and the last slot but one is never theirs.
func (s *slots) pick() *bundle {
	f, r := s.ready(&s.fresh), s.ready(&s.stale)
	switch {
	case f == nil && r == nil:
		return nil
	case f == nil:
		if s.limit > 3 && s.again >= s.limit-(s.limit+7)/8 {
			return nil
		}
		return r
	case r != nil && (s.again < s.limit/4 || s.limit < 4 && s.passed > 3):
		return r
	}
	return f
}

// ready returns the bundle of a line that may start: the first to a place that nothing goes to now, else the first
// that is not slow, else the first. A job that has but few recipients left and is about to get more waits for these,
// since they may share slots.
func (s *slots) ready(line *[]*job) (best *bundle) {
	rank := slowPlace + 1
	for i := 0; i < min(len(*line), mostRanked); {
		j := (*line)[i]
		if s.combine > 1 && j.reading && j.waiting < fewLeft {
			i++
			continue
		}
		for len(j.bundles) > 0 {
			b := j.bundles[0]
			if s.shares.has(b.key, s.running, s.limit) {
				break
			}
			j.bundles = j.bundles[1:]
			s.shares.park(b)
		}
		if len(j.bundles) > 0 {
			if r := s.shares.rank(j.bundles[0].key); r < rank {
				best, rank = j.bundles[0], r
			}
			if rank == idlePlace {
				break
			}
			i++
			continue
		}
		s.unline(j)
		if j.waiting > 0 && j.m.direct == nil {
			s.resting = append(s.resting, j)
		}
	}
	return best
}

// mostRanked is how many jobs of a line are looked at to find the one that is next.
const mostRanked = 1000

// fewestGrouped is how many recipients of a message there must be at a host for them to share slots: a few go one by
// one, as they always have, on a connection that is kept.
const fewestGrouped = 5

// cut takes those recipients from a bundle that can start together.
func (s *slots) cut(b *bundle) []recipient {
	n := 1
	if s.combine > 1 && b.j.m.wants == nil && len(b.rcpts) >= fewestGrouped &&
		strings.IndexByte(b.rcpts[0].addr, '@') >= 0 &&
		route.SenderFor(b.j.m.sender, b.rcpts[0].addr) == b.j.m.sender { // else each has a sender of its own
		most, bytes := min(s.combine, s.numbers(), len(b.rcpts)), len(b.rcpts[0].addr)
		for n < most && bytes+len(b.rcpts[n].addr) <= sendproto.MaxGroupBytes {
			bytes += len(b.rcpts[n].addr)
			n++
		}
	}
	list := b.rcpts[:n:n]
	b.rcpts = b.rcpts[n:]
	b.j.waiting -= n
	return list
}

// begin has deliveries of a job take a slot, and returns their numbers. log is the number of the last one in the log.
func (s *slots) begin(j *job, key string, list []recipient, log uint64) []sendproto.Member {
	x := &slot{key: key, running: len(list), slow: s.shares.rank(key) == slowPlace, since: s.shares.now}
	x.share = s.shares.begin(key, x.slow)
	members := make([]sendproto.Member, 0, len(list))
	for i, r := range list {
		n := s.number()
		s.deliveries[n] = delivery{j, r, log + 1 + uint64(i), x}
		members = append(members, sendproto.Member{Delnum: n, Recipient: r.addr})
	}
	s.running++
	j.running += len(list)
	if j.first {
		s.passed++
	} else {
		s.again++
		s.passed = 0
	}
	return members
}

// end takes note that the delivery with a number has ended, and returns it; ok is false if there is none. last is
// whether its slot is free now.
func (s *slots) end(n int) (v delivery, last, ok bool) {
	if n >= len(s.deliveries) || s.deliveries[n].j == nil {
		return v, false, false
	}
	v = s.deliveries[n]
	s.deliveries[n] = delivery{}
	s.free = append(s.free, n)
	if v.slot.running--; v.slot.running > 0 {
		return v, false, true
	}
	s.running--
	if !v.j.first {
		s.again--
	}
	s.unpark(s.shares.end(v.slot, s.running, s.limit))
	return v, true, true
}

// unpark puts bundles back into their jobs.
func (s *slots) unpark(list []*bundle) {
	for _, b := range list {
		b.j.bundles = slices.Insert(b.j.bundles, 0, b)
		s.rouse(b.j)
		s.line(b.j)
	}
}

// rouse takes a job out of those that rest.
func (s *slots) rouse(j *job) {
	if i := slices.Index(s.resting, j); i >= 0 {
		s.resting = slices.Delete(s.resting, i, i+1)
	}
}

// drop forgets the recipients of a job that wait.
func (s *slots) drop(j *job) {
	s.unline(j)
	s.rouse(j)
	j.bundles, j.waiting = nil, 0
	s.unpark(s.shares.drop(j))
}

// enough reports whether so many jobs of a line wait for slots that no more need be read. Messages in todo are in
// memory anyway, and keep no others from being read.
func enough(line []*job, opening int) bool {
	n := opening
	for _, j := range line {
		if j.m.direct == nil {
			n++
		}
		if n >= ahead {
			return true
		}
	}
	return n >= ahead
}

// numbers returns how many delivery numbers are free.
func (s *slots) numbers() int {
	n := len(s.free)
	if s.combine > 0 {
		n += sendproto.MaxGrouped - len(s.deliveries)
	}
	return n
}

// number takes a free delivery number.
func (s *slots) number() int {
	last := len(s.free) - 1
	if last < 0 {
		s.deliveries = append(s.deliveries, delivery{})
		return len(s.deliveries) - 1
	}
	n := s.free[last]
	s.free = s.free[:last]
	return n
}

// waits reports whether a message waits for an attempt.
func (s *slots) waits(id queue.ID) bool {
	return slices.Contains(s.first, id) || slices.ContainsFunc(s.retry, func(w due) bool { return w.id == id })
}

// unwait takes a message out of those that wait.
func (s *slots) unwait(id queue.ID) {
	if i := slices.Index(s.first, id); i >= 0 {
		s.first = slices.Delete(s.first, i, i+1)
		return
	}
	s.retry.remove(id)
}
