package send

import (
	"bufio"
	"errors"

	"qmail/conf"
	"qmail/internal/bounce"
	"qmail/internal/qlog"
	"qmail/internal/queue"
	"qmail/internal/report"
	"qmail/internal/route"
	"qmail/internal/sendproto"
)

// A channel is one spawner, and what waits for it.
type channel struct {
	width   sendproto.Width
	out     *outbox
	replies chan sendproto.Reply
	lost    bool // the spawner is gone
	limit   int  // deliveries at once
	running int
	slots   []delivery // by delivery number
	free    []int      // unused delivery numbers
	again   int        // running deliveries that are not first attempts
	passed  int        // first attempts started since the last other one
	first   []queue.ID // messages that wait for their first attempt
	retry   waiting    // messages that wait for a later one
	fresh   []*job     // passes that wait for slots: first attempts
	stale   []*job     // and later ones
	opening [2]int     // passes whose message is being read, of both kinds
	hosts   hosts
}

// A delivery is one that runs.
type delivery struct {
	j      *job // nil: this number is free
	r      recipient
	number uint64 // in the log
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
	ch.slots = make([]delivery, ch.limit)
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

// pick returns the job whose recipient is next. New mail goes first, so that a storm of later attempts does not delay it;
// but of the slots a quarter, or of the starts every fourth, is for those, and the last slot but one is never theirs.
func (ch *channel) pick() *job {
	f, s := ready(ch.fresh), ready(ch.stale)
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

func ready(line []*job) *job {
	for _, j := range line {
		if len(j.next) > 0 {
			return j
		}
	}
	return nil
}

// deliver starts deliveries while there are slots.
func (d *daemon) deliver(c queue.Channel) {
	ch := &d.ch[c]
	for len(ch.free) > 0 && !ch.lost {
		j := ch.pick()
		if j == nil {
			return
		}
		r := j.next[0]
		j.next = j.next[1:]
		if !j.eof && !j.reading && len(j.next) < chunk/4 {
			d.readOn(c, j)
		}
		if ch.hosts.full(r.addr, d.perHost(c)) {
			ch.hosts.park(j, r, d.sec)
		} else {
			d.start(c, j, r)
		}
		if len(j.next) == 0 && j.eof {
			ch.unline(j)
		}
	}
}

// perHost is the limit of deliveries to one host; 0: none.
func (d *daemon) perHost(c queue.Channel) int {
	if c == queue.Remote {
		return d.Controls.perHost
	}
	return 0
}

// start gives one recipient to the spawner.
func (d *daemon) start(c queue.Channel, j *job, r recipient) {
	ch := &d.ch[c]
	n := ch.free[len(ch.free)-1]
	ch.free = ch.free[:len(ch.free)-1]
	d.begun(c, j)
	d.deliv++
	ch.slots[n] = delivery{j, r, d.deliv}
	ch.running++
	j.running++
	if j.first {
		ch.passed++
	} else {
		ch.again++
		ch.passed = 0
	}
	ch.hosts.began(r.addr, d.perHost(c))
	ch.out.buf = sendproto.Order{
		Delnum: n, Mess: queue.MessName(j.m.id), Sender: route.SenderFor(j.m.sender, r.addr), Recipient: r.addr,
	}.Append(ch.out.buf, ch.width)
	d.log = qlog.Starting(d.log, d.deliv, uint64(j.m.id), c.String(), r.addr)
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
	if p.Delnum >= len(ch.slots) || ch.slots[p.Delnum].j == nil {
		d.warning("internal error: delivery report out of range")
		return
	}
	v := ch.slots[p.Delnum]
	ch.slots[p.Delnum] = delivery{}
	ch.free = append(ch.free, p.Delnum)
	ch.running--
	if !v.j.first {
		ch.again--
	}
	if p.Kind == report.Deferral && v.j.dying {
		p.Kind = report.Failure
		p.Text = append(p.Text, bounce.TooLong...)
	}
	d.log = qlog.Delivery(d.log, v.number, p.Kind, p.Text)
	d.ended(c, v, p)
	d.status()
	if j, r, ok := ch.hosts.ended(v.r.addr, d.perHost(c)); ok && !d.exiting {
		j.parked--
		d.start(c, j, r)
	}
	d.passed(c, v.j)
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

// status logs how many deliveries run.
func (d *daemon) status() {
	l, r := &d.ch[queue.Local], &d.ch[queue.Remote]
	d.log = qlog.Status(d.log, qlog.Load{Running: l.running, Limit: l.limit}, qlog.Load{Running: r.running, Limit: r.limit}, d.exiting)
}
