package send

import (
	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/reasons"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/qlog"
	"qmail/internal/text/report"
)

// deliver starts deliveries while there are slots.
func (p *passes) deliver(c queue.Channel) {
	s := p.slots[c]
	s.shares.now = p.sec
	for !p.spawners[c].lost {
		j, key, list := s.next()
		if j == nil {
			return
		}
		p.intake.started(c, j)
		members := s.begin(j, key, list, p.number)
		if c == queue.Remote {
			p.moved = p.sec
		}
		for _, m := range members {
			p.number++
			p.log = qlog.Starting(p.log, p.number, uint64(j.m.id), c.String(), m.Recipient)
		}
		p.spawners[c].order(j.m, members)
		p.status()
		p.readOn(c, j)
	}
}

// reply takes note of how a delivery ended.
func (p *passes) reply(c queue.Channel, r sendproto.Reply, ok bool) {
	x, s := p.spawners[c], p.slots[c]
	if !ok {
		x.replies, x.lost = nil, true
		p.alert("oh no! lost spawn connection! dying...")
		p.lost()
		return
	}
	if combine, ok := x.answered(r); ok {
		s.combine = combine
		return
	}
	v, last, ok := s.end(r.Delnum)
	if !ok {
		p.warning("internal error: delivery report out of range")
		return
	}
	if r.Address.IsValid() {
		s.shares.learn(v.slot.key, r.Address)
	}
	s.shares.judge(v.slot.key, r.Kind == report.Deferral, v.slot.since)
	if r.Kind == report.Deferral && v.j.dying {
		r.Kind = report.Failure
		r.Text = append(r.Text, bounce.TooLong...)
	}
	p.log = qlog.Delivery(p.log, v.number, r.Kind, r.Text)
	p.count.delivery(c, r.Kind, p.sec-v.j.m.birth)
	p.ended(c, v, r)
	if last {
		p.status()
		if c == queue.Remote {
			p.moved = p.sec
		}
	}
	p.passed(c, v.j)
}

// ended gives the recipient the fate that the report says.
func (p *passes) ended(c queue.Channel, v delivery, r sendproto.Reply) {
	j, m := v.j, v.j.m
	if m.wants != nil && p.told(c, v, r) {
		return
	}
	switch r.Kind {
	case report.Success:
		p.done(v)
	case report.Failure:
		// It counts as running until its paragraph is on disk.
		m.bounce = bounce.Paragraph(m.bounce, p.controls.table.Public(v.r.addr), r.Text)
		m.failures = append(m.failures, failure{j, v.r, false})
		p.advance(m)
	default:
		j.running--
		p.why.note(reasons.Deferral{ID: m.id, Channel: c, Address: v.r.addr, Time: p.now(), Text: string(r.Text)})
		if m.direct != nil {
			p.intake.write(m)
		}
	}
}

// done takes note that nothing is left to do about a recipient, and nothing to tell.
func (p *passes) done(v delivery) {
	j, m := v.j, v.j.m
	j.running--
	j.left--
	switch {
	case m.direct == nil:
		j.letters = append(j.letters, j.pos(v.r))
		p.advance(m)
	case m.writing:
		m.direct.late = append(m.direct.late, failure{j, v.r, true})
	default:
		m.direct.done[v.r.n] = true
	}
}

// status logs how many slots are in use.
func (p *passes) status() {
	l, r := p.slots[queue.Local], p.slots[queue.Remote]
	p.log = qlog.Status(p.log, qlog.Load{Running: l.running, Limit: l.limit},
		qlog.Load{Running: r.running, Limit: r.limit}, p.stopping)
	p.count.load(queue.Local, l.running, l.limit)
	p.count.load(queue.Remote, r.running, r.limit)
}

// running reports whether deliveries run whose end will be told.
func (p *passes) running() bool {
	for c, s := range p.slots {
		if !p.spawners[c].lost && s.running > 0 {
			return true
		}
	}
	return false
}
