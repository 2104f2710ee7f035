package send

import (
	"fmt"
	"strings"

	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// answer answers the question whether there are groups, or refuses it as a spawner does that knows none.
func (s *site) answer(w sendproto.Width, reply func(sendproto.Reply)) {
	if s.late != nil {
		<-s.late
	}
	switch {
	case s.mute:
	case s.combine > 0:
		reply(sendproto.Answer(s.combine, w))
	default:
		reply(
			sendproto.Reply{
				Delnum: w.Reserved(),
				Kind:   report.Failure,
				Text:   []byte("Internal error: messid has nonnumerics. (#5.3.5)\n"),
			},
		)
	}
}

// transaction delivers to a group.
func (s *site) transaction(c queue.Channel, o sendproto.Order, reply func(sendproto.Reply)) {
	g, ok := o.Group()
	if !ok || c != queue.Remote || s.combine == 0 || len(g.Members) > s.combine {
		s.t.Errorf("an order for a group that cannot be: %+v", g)
	}
	s.mu.Lock()
	s.slots++
	s.most = max(s.most, s.slots)
	s.sizes = append(s.sizes, len(g.Members))
	s.mu.Unlock()
	var rcpts []string
	for _, m := range g.Members {
		rcpts = append(rcpts, m.Recipient)
	}
	if s.during != nil {
		s.during(rcpts, g.Mess, g.Sender)
	}
	var list []sendproto.Reply
	for _, m := range g.Members {
		p := s.one(c, sendproto.Order{Delnum: m.Delnum, Mess: g.Mess, Sender: g.Sender, Recipient: m.Recipient})
		p.Grouped = true
		list = append(list, p)
	}
	s.mu.Lock()
	s.slots--
	s.mu.Unlock()
	for _, p := range list {
		reply(p)
	}
}

// grouped returns how many groups there were, the recipients of the largest, and the peak of transactions.
func (s *site) grouped() (groups, largest, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.sizes {
		largest = max(largest, n)
	}
	return len(s.sizes), largest, s.most
}

func list(n int, host string) []string {
	var rcpts []string
	for i := range n {
		rcpts = append(rcpts, fmt.Sprintf("u%d@%s", i, host))
	}
	return rcpts
}

// served checks that each recipient has got its message, once, and that the log shows a beginning and an end of each.
func (s *site) served(rcpts ...string) {
	s.t.Helper()
	log := s.logged()
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := map[string]int{}
	for l := range strings.Lines(log) {
		if _, r, ok := strings.Cut(l, " to remote "); ok {
			begun[strings.TrimSpace(r)]++
		}
	}
	for _, r := range rcpts {
		if s.got[r] != 1 || begun[r] != 1 {
			s.t.Errorf("%s was begun %d times and got it %d times", r, begun[r], s.got[r])
		}
	}
	if n := strings.Count(log, ": success: "); n != len(rcpts) {
		s.t.Errorf("%d successes", n)
	}
	if s.running != [2]int{} {
		s.t.Error("something runs still")
	}
}

// within checks that the log never shows more remote slots in use than there are.
func (s *site) within(limit int) {
	s.t.Helper()
	for l := range strings.Lines(s.logged()) {
		var a, b, c, d int
		if n, _ := fmt.Sscanf(l, "status: local %d/%d remote %d/%d", &a, &b, &c, &d); n == 4 &&
			(c > d || d != limit || c < 0) {
			s.t.Errorf("%s", l)
		}
	}
}
