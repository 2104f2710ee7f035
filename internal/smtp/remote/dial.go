package remote

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"qmail/internal/smtp/tcpto"
	"qmail/internal/text/report"
)

// Connect opens a TCP connection.
func Connect(ctx context.Context, to netip.AddrPort, within time.Duration) (net.Conn, error) {
	d := net.Dialer{Deadline: time.Now().Add(within), KeepAlive: -1}
	return d.DialContext(ctx, "tcp", to.String())
}

// connect sees to it that there is a session that is ready for MAIL: the one at hand, the one that was kept if it
// leads where the message goes, else a new one. If there is none it returns why.
func (c *course) connect() *outcome {
	if c.s.usable(c.without) {
		return nil
	}
	if c.s != nil {
		c.drop()
	}
	if c.list == nil {
		lately := func(s *session) bool {
			return s.wanted == c.to && c.j.now.Sub(s.asked) < trust &&
				c.allows(s, candidate{addr: s.peer, name: s.name, sure: s.sure})
		}
		if c.s = c.m.take(lately, c.j); c.s != nil {
			c.m.address = c.s.peer.Addr()
			return nil
		}
		list, err := c.m.candidates(c.to)
		if err != nil {
			return outcomeOf(err)
		}
		c.list, c.dead = list, c.m.Dead.Look()
		if c.s = c.m.take(c.among(list), c.j); c.s == nil {
			c.m.Rest()
		}
	}
	var lost *outcome
	for i := 0; i < len(c.list) && c.s == nil; i++ {
		x := c.list[i]
		if x.addr.Port() == 0 || c.dead.Dead(x.addr.Addr(), c.j.now, c.m.Pid) {
			continue
		}
		if c.over() {
			return tooLong(lost)
		}
		c.m.address = x.addr.Addr()
		o := c.open(x)
		if o != nil && o.everywhere {
			return o
		}
		if lost == nil {
			lost = o
		}
	}
	switch {
	case c.s != nil:
		c.s.wanted, c.s.asked, c.m.address = c.to, c.j.now, c.s.peer.Addr()
		return nil
	case lost != nil:
		return lost
	}
	return outcomeOf(errNoConnection)
}

// outcomeOf turns an error into what the report says.
func outcomeOf(err error) *outcome {
	r := report.Of(err)
	return &outcome{ours: true, message: answer{byte(r.Kind), r.Error() + "\n"}}
}

func tooLong(lost *outcome) *outcome {
	if lost != nil {
		return lost
	}
	return outcomeOf(errTooLong)
}

// open connects to a host and introduces us. EHLO that fails in any way but one that leaves the connection as it was
// is followed by HELO on another one. If there is no session for it, c.s is nil, and the outcome says what the host
// did, if it did anything.
func (c *course) open(x candidate) *outcome {
	ip := x.addr.Addr()
	p, err := c.policy(x)
	if err != nil {
		return outcomeOf(err)
	}
	quirk := c.m.Dead.Quirk(ip, c.m.Now())
	without := quirk.Without | c.without
	for {
		ctx, release := c.m.hurry.cancelable()
		conn, err := c.m.Dial(ctx, x.addr, min(c.j.timeoutConnect, max(time.Second, time.Until(c.j.end))))
		release()
		if err != nil {
			switch {
			case timedOut(err), c.m.hurry.hurried():
				c.m.Dead.TimedOut(ip, c.m.Now())
			case errors.Is(err, syscall.ECONNREFUSED) && c.dead.Counted(ip):
				c.m.Dead.Answered(ip)
			}
			return nil
		}
		s := newSession(conn, x.addr, c.j)
		s.hurry = &c.m.hurry
		s.name, s.sure, s.quirk = x.name, x.sure, quirk
		o := s.begin(p, without)
		if o == nil {
			if more := without &^ (quirk.Without | c.without); more != 0 {
				c.without |= more
				c.m.Dead.Learn(ip, tcpto.Quirk{Without: more}, c.m.Now())
			}
			c.s = s
			return nil
		}
		s.quit()
		if o.remedy == 0 || c.over() {
			if o.silent {
				c.m.Dead.TimedOut(ip, c.m.Now())
			}
			return o
		}
		without |= o.remedy
	}
}

// finish remembers whether the host still answers. Trouble with the table is none: it only saves time.
func (c *course) finish() {
	if o := c.last; o != nil && o.peer.IsValid() {
		switch {
		case o.silent && o.place > atHello:
			c.m.Dead.TimedOut(o.peer, c.m.Now())
		case o.code != 0 && c.dead.Counted(o.peer):
			c.m.Dead.Answered(o.peer)
		}
	}
	c.m.done(c.s, c.without)
}
