package send

import (
	"bufio"
	"errors"
	"slices"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/qlog"
	"qmail/internal/text/report"
)

// A channel is one spawner, and what waits for it.
type channel struct {
	width   sendproto.Width
	out     *outbox
	replies chan sendproto.Reply
	lost    bool       // the spawner is gone
	limit   int        // slots
	running int        // slots in use
	table   []delivery // by delivery number
	free    []int      // unused delivery numbers
	again   int        // slots in use for what is not a first attempt
	passed  int        // first attempts started since the last other one
	first   []queue.ID // messages that wait for their first attempt
	retry   waiting    // messages that wait for a later one
	fresh   []*job     // passes that wait for slots: first attempts
	stale   []*job     // and later ones
	opening [2]int     // passes whose message is being read, of both kinds
	hosts   hosts
	wide    wide
}

// A delivery is one that runs.
type delivery struct {
	j      *job // nil: this number is free
	r      recipient
	number uint64 // in the log
	s      *slot
}

// A slot is what concurrencylocal and concurrencyremote count: one delivery, or a group of deliveries of one
// message that share an SMTP transaction.
type slot struct {
	host    string
	running int // deliveries
	group   bool
}

// begin reads the spawner's limit, the first thing that it says.
func (ch *channel) begin(p Pipe, limit int) error {
	ch.width = sendproto.WidthFor(conf.Spawn())
	r := bufio.NewReader(p.From)
	most, err := ch.width.ReadNumber(r)
	if err != nil || most == 0 {
		return errors.New("no limit")
	}
	ch.limit = min(limit, most)
	ch.table = make([]delivery, ch.limit)
	for n := ch.limit - 1; n >= 0; n-- {
		ch.free = append(ch.free, n)
	}
	ch.out = newOutbox(p.To)
	ch.replies = make(chan sendproto.Reply, moreEvents)
	go readReplies(r, ch.width, ch.replies)
	return nil
}

// line puts a job in the line for slots: first attempts apart from later ones.
func (ch *channel) line(j *job) {
	j.lined = true
	j.next = slices.Clone(j.next) // which take reorders
	if j.first {
		ch.fresh = append(ch.fresh, j)
	} else {
		ch.stale = append(ch.stale, j)
	}
}

// unline takes a job out of the line.
func (ch *channel) unline(j *job) {
	if !j.lined {
		return
	}
	j.lined = false
	line := &ch.fresh
	if !j.first {
		line = &ch.stale
	}
	for i, x := range *line {
		if x == j {
			*line = append((*line)[:i], (*line)[i+1:]...)
			return
		}
	}
}

// pick returns the job whose recipient is next. New mail goes first, so that a storm of later attempts does not
// delay it; but of the slots a quarter, or of the starts every fourth, is for those, and the last slot but one is
// never theirs.
func (ch *channel) pick(now int64) *job {
	f, s := ch.ready(ch.fresh, now), ch.ready(ch.stale, now)
	switch {
	case f == nil && s == nil:
		return nil
	case f == nil:
		if ch.limit > 3 && ch.again >= ch.limit-(ch.limit+7)/8 {
			return nil
		}
		return s
	case s != nil && (ch.again < ch.limit/4 || ch.limit < 4 && ch.passed > 3):
		return s
	}
	return f
}

// deliver starts deliveries while there are slots.
func (d *daemon) deliver(c queue.Channel) {
	ch := &d.ch[c]
	now := ch.wide.time()
	ch.lookAside(now)
	for ch.running < ch.limit && ch.numbers() > 0 && !ch.lost {
		j := ch.pick(now)
		if j == nil {
			return
		}
		if r := &j.next[0]; ch.hosts.full(r.host(), d.perHost(c)) {
			ch.hosts.park(j, *r, d.sec)
			j.next = j.next[1:]
		} else if !ch.hold(j, now) {
			if list := j.take(ch.most(j, r, now), &ch.wide); !ch.crowded(j, list, now) {
				d.start(c, j, list)
			}
		}
		if !j.eof && !j.reading && len(j.next) < chunk/4 && len(j.aside) < maxAside {
			d.readOn(c, j)
		}
		if len(j.next) == 0 && len(j.aside) == 0 && j.eof {
			ch.unline(j)
		}
	}
}

// perHost is the limit of slots for one host; 0: none.
func (d *daemon) perHost(c queue.Channel) int {
	if c == queue.Remote {
		return d.Controls.perHost
	}
	return 0
}

// start gives a recipient, or a group of them, to the spawner.
func (d *daemon) start(c queue.Channel, j *job, list []recipient) {
	ch := &d.ch[c]
	d.begun(c, j)
	s := &slot{list[0].host(), len(list), len(list) > 1}
	members := ch.wide.members[:0]
	for _, r := range list {
		n := ch.number()
		d.deliv++
		ch.table[n] = delivery{j, r, d.deliv, s}
		members = append(members, sendproto.Member{Delnum: n, Recipient: r.addr})
		d.log = qlog.Starting(d.log, d.deliv, uint64(j.m.id), c.String(), r.addr)
	}
	ch.wide.members = members
	ch.order(j, members)
	ch.running++
	j.running += len(list)
	if j.first {
		ch.passed++
	} else {
		ch.again++
		ch.passed = 0
	}
	ch.hosts.began(s.host, d.perHost(c))
	if s.group {
		ch.enter(s.host)
	}
	d.status()
}

// reply takes note of how a delivery ended.
func (d *daemon) reply(c queue.Channel, p sendproto.Reply, ok bool) {
	ch := &d.ch[c]
	if !ok {
		ch.replies, ch.lost = nil, true
		d.alert("oh no! lost spawn connection! dying...")
		d.stop()
		return
	}
	if ch.answered(p) {
		return
	}
	if p.Delnum >= len(ch.table) || ch.table[p.Delnum].j == nil {
		d.warning("internal error: delivery report out of range")
		return
	}
	v := ch.table[p.Delnum]
	ch.table[p.Delnum] = delivery{}
	ch.free = append(ch.free, p.Delnum)
	ch.learn(v.s.host, p)
	if p.Kind == report.Deferral && v.j.dying {
		p.Kind = report.Failure
		p.Text = append(p.Text, bounce.TooLong...)
	}
	d.log = qlog.Delivery(d.log, v.number, p.Kind, p.Text)
	d.ended(c, v, p)
	if v.s.running--; v.s.running == 0 {
		d.vacate(c, v)
	}
	d.passed(c, v.j)
}

// vacate takes note that the last delivery of a slot has ended.
func (d *daemon) vacate(c queue.Channel, v delivery) {
	ch := &d.ch[c]
	ch.running--
	if !v.j.first {
		ch.again--
	}
	if v.s.group {
		ch.leave(v.s.host)
	}
	d.status()
	if p := ch.hosts.ended(v.s.host, d.perHost(c)); p != nil && !d.exiting {
		d.start(c, p.j, ch.hosts.unpark(v.s.host, ch.most(p.j, &p.r, ch.wide.time()), &ch.wide))
	}
}

// ended gives the recipient the fate that the report says.
func (d *daemon) ended(c queue.Channel, v delivery, p sendproto.Reply) {
	j, m := v.j, v.j.m
	switch p.Kind {
	case report.Success:
		j.running--
		j.left--
		switch {
		case m.direct == nil:
			j.letters = append(j.letters, j.pos(v.r))
			d.progress(m)
		case m.writing:
			m.direct.late = append(m.direct.late, late{j, v.r})
		default:
			m.direct.done[v.r.n] = true
		}
	case report.Failure:
		// It counts as running until its paragraph is on disk.
		m.bounce = bounce.Paragraph(m.bounce, d.Controls.table.Public(v.r.addr), p.Text)
		m.failures = append(m.failures, failure{j, v.r})
		d.progress(m)
	default:
		j.running--
		if m.direct != nil {
			d.write(m)
		}
	}
}

// status logs how many slots are in use.
func (d *daemon) status() {
	l, r := &d.ch[queue.Local], &d.ch[queue.Remote]
	d.log = qlog.Status(
		d.log,
		qlog.Load{Running: l.running, Limit: l.limit},
		qlog.Load{Running: r.running, Limit: r.limit},
		d.exiting,
	)
}
