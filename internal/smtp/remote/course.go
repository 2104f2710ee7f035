package remote

import (
	"slices"
	"time"

	"qmail/internal/smtp/tcpto"
)

// A course is one delivery on its way. What a host refuses to a group of recipients is tried again for each alone, and
// what it refuses to one is tried again with less of what may be to blame: another transaction on its connection,
// commands sent ahead, what MAIL says of the message, EHLO. Only then does the answer count. Each of these tries has
// its own transaction, so nobody who was accepted once gets the message twice; and where the final dot was sent and
// no answer came, there is no other try.
type course struct {
	m       *Remote
	j       *job
	to      target
	list    []candidate
	dead    tcpto.View
	s       *session      // nil: there is no connection
	without tcpto.Ways    // what this delivery leaves out
	group   int           // the most recipients in one transaction, as this delivery has learned; 0: no limit
	known   map[kind]bool // refusals that have counted without any of our ways
	ended   []ending      // by recipient
	last    *outcome      // the last that counted
	hung    int           // how often the host hung although nothing of ours was to blame
}

// An ending is what became of one recipient.
type ending struct {
	recipient answer
	message   *answer
}

// run delivers to all recipients.
func (c *course) run() {
	var rest []int
	c.ended = make([]ending, len(c.j.recipients))
	for i, a := range c.j.recipients {
		if sendable(a) {
			rest = append(rest, i)
		} else {
			c.ended[i].recipient = answer{'h', "Sorry, a line end inside an address cannot be sent by SMTP. (#5.1.3)\n"}
		}
	}
	for len(rest) > 0 {
		lost := c.connect()
		if lost != nil {
			for _, i := range rest {
				c.end(i, 0, lost)
			}
			return
		}
		n := len(rest)
		for _, limit := range []int{c.group, c.s.quirk.Group, c.s.rcptMax, c.alike(rest)} {
			if limit > 0 {
				n = min(n, limit)
			}
		}
		if n == 1 {
			c.alone(rest[0])
		} else if !c.together(rest[:n]) {
			continue
		}
		rest = rest[n:]
	}
}

// together tries a group, and then each member alone that was not accepted. It is false if a connection of an
// earlier delivery has turned out to be of no use.
func (c *course) together(group []int) bool {
	inherited := c.s.inherited
	o := c.transact(group)
	if inherited && !o.ours && o.place <= atMail {
		c.drop()
		return false
	}
	accepted := 0
	var failed []int
	for i, recipient := range group {
		switch {
		case o.accepted(i):
			accepted++
			c.end(recipient, i, o)
		case o.ours, o.maybe(i):
			c.end(recipient, i, o)
		default:
			failed = append(failed, recipient)
		}
	}
	for _, recipient := range failed {
		before := c.without
		if asked, took := c.alone(recipient); (took || !asked) && (c.without|tcpto.Keeping) == (before|tcpto.Keeping) {
			c.group = max(1, accepted)
			c.m.Dead.Learn(o.peer, tcpto.Quirk{Group: c.group}, c.m.Now())
		}
	}
	return true
}

// alone tries one recipient until it is accepted, or nothing is left that may be to blame. Asked is false if no
// connection could be made for it.
func (c *course) alone(i int) (asked, took bool) {
	before, blame := c.without, tcpto.Ways(0)
	addr := c.j.recipients[i]
	var last *outcome
	for {
		lost := c.connect()
		if lost != nil {
			if last != nil {
				lost = soften(last)
			}
			c.end(i, 0, lost)
			return last != nil, false
		}
		inherited := c.s.inherited
		o := c.transact([]int{i})
		if o.accepted(0) {
			c.learn(o, last, before, blame)
			c.end(i, 0, o)
			return true, true
		}
		k := o.kind(addr)
		if blame = c.blame(o, k); blame == 0 || c.over() {
			c.counts(o, k, last, addr, before)
			c.end(i, 0, o)
			return true, false
		}
		c.drop()
		if blame != tcpto.Keeping {
			c.without |= blame
		} else if inherited {
			blame = 0
		}
		last = o
	}
}

// blame says what is to be left out before a refusal of one recipient counts; nothing if it does.
func (c *course) blame(o *outcome, k kind) tcpto.Ways {
	known := c.known[k]
	switch {
	case o.ours, o.maybe(0):
		return 0
	case !o.first && !(known && o.taken == 0):
		return tcpto.Keeping
	case o.place >= atBody, known, o.honest && o.sober():
		return 0
	case o.pipelined:
		return tcpto.Pipelining | tcpto.Parameters
	case o.parameters && o.place == atMail && !o.tooLarge,
		o.asks() && o.place == atRecipients && o.code >= refused && !o.sober():
		return tcpto.Parameters
	case o.ehlo && o.place == atMail && o.code == badSequence:
		return tcpto.Hello
	}
	return 0
}

// learn remembers what had to be left out for a host, so that the next message is spared the tries.
func (c *course) learn(o, last *outcome, before, blame tcpto.Ways) {
	more := c.without &^ before
	if blame == tcpto.Keeping {
		c.without |= tcpto.Keeping
		if last.silent {
			more |= tcpto.Keeping
		}
	}
	if more != 0 {
		c.m.Dead.Learn(o.peer, tcpto.Quirk{Without: more}, c.m.Now())
	}
}

// counts notes a refusal that counts. One that came without our ways as it had come with them proves these honest.
func (c *course) counts(o *outcome, k kind, last *outcome, addr string, before tcpto.Ways) {
	if !o.plain() {
		return
	}
	if o.silent {
		c.hung++
	}
	if o.code == 0 {
		return
	}
	c.known[k] = true
	if last != nil && last.pipelined && last.kind(addr) == k {
		c.without = before
		c.m.Dead.Learn(o.peer, tcpto.Quirk{Without: tcpto.Honest}, c.m.Now())
	}
}

// transact does one transaction.
func (c *course) transact(group []int) *outcome {
	recipients := make([]string, len(group))
	for n, i := range group {
		recipients[n] = c.j.recipients[i]
	}
	without := c.without
	if c.j.lockstep(c.j.host, c.s.name, c.s.host()) {
		without |= tcpto.Pipelining
	}
	return c.s.transact(c.j, recipients, without)
}

// end notes what became of a recipient, the n-th of a transaction.
func (c *course) end(recipient, n int, o *outcome) {
	e := ending{message: &o.message}
	if n < len(o.recipients) {
		e.recipient = o.recipients[n]
	}
	c.ended[recipient], c.last = e, o
}

// over reports whether no other try may begin: the time is over, the host hangs whatever it is asked, or others
// wait for the slot.
func (c *course) over() bool { return !time.Now().Before(c.j.end) || c.hung > 1 || c.m.hurry.hurried() }

// drop ends the connection. The next one is to the same host, if it takes one.
func (c *course) drop() {
	peer := c.s.peer
	c.s.quit()
	c.s = nil
	if i := slices.IndexFunc(c.list, func(x candidate) bool { return x.addr == peer }); i > 0 {
		first := c.list[i]
		copy(c.list[1:], c.list[:i])
		c.list[0] = first
	}
}
