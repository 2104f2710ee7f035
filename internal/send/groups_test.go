package send

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/report"
	"qmail/internal/sendctl"
	"qmail/internal/sendproto"
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
		reply(sendproto.Reply{Delnum: w.Reserved(), Kind: report.Failure, Text: []byte("Internal error: messid has nonnumerics. (#5.3.5)\n")})
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
		p.Wide, p.News = true, sendproto.Pipelines
		if s.news != nil {
			p.News = s.news(hostOf(m.Recipient))
		}
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
		if n, _ := fmt.Sscanf(l, "status: local %d/%d remote %d/%d", &a, &b, &c, &d); n == 4 && (c > d || d != limit || c < 0) {
			s.t.Errorf("%s", l)
		}
	}
}

func TestRecipientsThatShareATransactionShareASlot(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "3\n")
	s.combine = 20
	rcpts := list(1000, "far.test")
	rcpts[500] = "u500@FAR.test"
	other := list(300, "other.test")
	s.inject("a@b", append(rcpts, other...)...)
	r := s.start()
	defer r.stop()
	s.until("end msg", 1)
	s.served(append(rcpts, other...)...)
	s.within(3)
	groups, largest, most := s.grouped()
	if groups > 65+2*20 || largest != 20 || most > 3 {
		t.Errorf("%d transactions, up to %d recipients, up to %d at a time", groups, largest, most)
	}
}

func TestASpawnerThatKnowsNoGroupsGetsClassicOrders(t *testing.T) {
	for name, mute := range map[string]bool{"refuses": false, "says nothing": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.set("concurrencyremote", "5\n")
			s.mute = mute
			rcpts := list(200, "far.test")
			s.inject("a@b", rcpts...)
			r := s.start()
			s.until("end msg", 1)
			r.stop()
			s.served(rcpts...)
			s.within(5)
			if groups, _, _ := s.grouped(); groups > 0 || s.peak[queue.Remote] > 5 || strings.Contains(s.logged(), "internal error") {
				t.Errorf("%d groups, %d at a time:\n%s", groups, s.peak[queue.Remote], s.logged())
			}
		})
	}
}

func TestAnAnswerThatComesLateIsTakenWhileDeliveriesRun(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "4\n")
	s.combine, s.late = 10, make(chan struct{})
	release := make(chan struct{})
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		<-release
		return report.Success, "ok\n"
	}
	rcpts := list(200, "far.test")
	s.inject("a@b", rcpts...)
	r := s.start()
	s.until("starting delivery", 4) // all slots, the classic way
	close(s.late)
	close(release)
	s.until("end msg", 1)
	r.stop()
	s.served(rcpts...)
	s.within(4)
	if strings.Contains(s.logged(), "internal error") {
		t.Errorf("%s", s.logged())
	}
}

func TestASpawnerMayTurnGroupsOff(t *testing.T) {
	s := newSite(t)
	s.combine = 1
	rcpts := list(100, "far.test")
	s.inject("a@b", rcpts...)
	r := s.start()
	s.until("end msg", 1)
	r.stop()
	s.served(rcpts...)
	if groups, largest, _ := s.grouped(); groups > 0 || largest > 1 {
		t.Errorf("%d groups, up to %d", groups, largest)
	}
}

func TestWhoHasASenderOfItsOwnOrAPlainHostSharesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		sender string
		news   sendproto.News
	}{
		"VERP": {"list-@here.test-@[]", sendproto.Pipelines}, "plain": {"a@b", sendproto.Plain}, "silent": {"a@b", sendproto.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.combine = 50
			s.news = func(string) sendproto.News { return c.news }
			s.during = func(rcpts []string, _, sender string) {
				if name == "VERP" && sender != "list-"+strings.Replace(rcpts[0], "@", "=", 1)+"@here.test" {
					t.Errorf("%s for %s", sender, rcpts)
				}
			}
			rcpts := list(200, "far.test")
			s.inject(c.sender, rcpts...)
			r := s.start()
			s.until("end msg", 1)
			r.stop()
			s.served(rcpts...)
			s.within(20)
			if _, largest, most := s.grouped(); largest != 1 || most > 20 {
				t.Errorf("groups of %d, %d at a time", largest, most)
			}
		})
	}
}

func TestMessagesDoNotShareATransaction(t *testing.T) {
	s := newSite(t)
	s.combine = 50
	ids := map[string]string{}
	for i := range 10 {
		rcpts := list(20, "far.test")
		for k := range rcpts {
			rcpts[k] = fmt.Sprintf("m%d", i) + rcpts[k]
		}
		ids[queue.MessName(s.inject("a@b", rcpts...))] = fmt.Sprintf("m%du", i)
	}
	s.during = func(rcpts []string, mess, _ string) {
		for _, r := range rcpts {
			if !strings.HasPrefix(r, ids[mess]) {
				t.Errorf("%s in the transaction of %s", r, mess)
			}
		}
	}
	r := s.start()
	s.until("end msg", 10)
	r.stop()
	if _, largest, _ := s.grouped(); largest < 2 {
		t.Error("nothing was shared")
	}
}

func TestAListBeginsAtAnUnknownHostWithFewDeliveries(t *testing.T) {
	ch := channel{wide: wide{combine: 50}}
	j := &job{m: &message{sender: "a@b"}, eof: true}
	ch.line(j)
	for _, r := range list(100, "far.test") {
		j.next = append(j.next, recipient{addr: r})
	}
	begun := func(now int64) (n int) {
		ch.release()
		for len(j.next) > 0 {
			if !ch.hold(j, now) {
				n++
				j.take(ch.most(j, &j.next[0], now), &ch.wide)
			}
		}
		return n
	}
	for _, c := range []struct {
		now int64
		n   int
	}{{0, 1}, {probePace - 1, 0}, {probePace, 1}, {2*probePace - 1, 0}, {2 * probePace, 1}, {4 * probePace, 1}, {probation - 1, 3}} {
		if n := begun(c.now); n != c.n {
			t.Errorf("after %d ms: %d begun", c.now, n)
		}
	}
	j2 := &job{m: &message{sender: "a@b"}, eof: true}
	ch.line(j2)
	j2.next = []recipient{{addr: "one@far.test"}}
	if ch.hold(j2, probation-1) {
		t.Error("who is alone waits")
	}
	left := len(j.aside)
	if n := begun(probation); n != left {
		t.Errorf("after all that time: %d of %d", n, left)
	}
}

func TestWhoWaitsForNewsKeepsNobodyElseAndNotForEver(t *testing.T) {
	s := newSite(t)
	s.combine = 50
	told := make(chan struct{})
	s.during = func(rcpts []string, _, _ string) {
		if hostOf(rcpts[0]) == "far.test" {
			<-told
		}
	}
	far, near := list(100, "far.test"), list(5, "near.test")
	s.inject("a@b", append(far, near...)...)
	r := s.start()
	defer r.stop()
	s.until("to remote u4@near.test", 1)
	s.until(" remote 20/20", 1)
	close(told)
	s.until("end msg", 1)
	s.served(append(far, near...)...)
	s.within(20)
}

func TestATransactionThatCrashesDefersItsWholeGroup(t *testing.T) {
	s := newSite(t)
	s.combine = 10
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		if strings.HasSuffix(o.Recipient, "@far.test") {
			return report.Deferral, "qmail-remote crashed.\n"
		}
		return report.Success, "ok\n"
	}
	s.inject("a@b", append(list(50, "far.test"), "x@near.test")...)
	r := s.start()
	s.until(": deferral: qmail-remote_crashed./", 50)
	r.stop()
	if files := s.files(); !strings.Contains(files, "Tu49@far.test") || strings.Contains(files, "Du") || !strings.Contains(files, "Dx@near.test") {
		t.Errorf("%s", files)
	}
	s.within(20)
}

func TestConcurrencyperhostCountsTransactions(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyperhost", "2\n")
	s.combine = 20
	var running, most atomic.Int32
	s.during = func(rcpts []string, _, _ string) {
		if hostOf(rcpts[0]) == "far.test" {
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			defer running.Add(-1)
			time.Sleep(time.Millisecond)
		}
	}
	rcpts := append(list(500, "far.test"), list(50, "near.test")...)
	s.inject("a@b", rcpts...)
	r := s.start()
	defer r.stop()
	s.until("end msg", 1)
	s.served(rcpts...)
	if n := most.Load(); n > 2 {
		t.Errorf("%d at a time", n)
	}
	if groups, largest, _ := s.grouped(); largest != 20 {
		t.Errorf("%d groups, up to %d", groups, largest)
	}
}

func TestAMessageWhoseRecipientsWaitForNewsCanBeRemoved(t *testing.T) {
	s := newSite(t)
	s.combine = 50
	told := make(chan struct{})
	s.during = func([]string, string, string) { <-told }
	id := s.inject("a@b", list(300, "far.test")...)
	r := s.start()
	defer r.stop()
	s.until("starting delivery 2:", 1)
	answer := make(chan sendctl.Answer, 1)
	r.asks <- Request{sendctl.Request{Verb: sendctl.Remove, ID: uint64(id)}, answer}
	close(told)
	if a := <-answer; a != sendctl.Done {
		t.Errorf("%v", a)
	}
	s.until("end msg", 1)
	if files := s.files(); files != "" {
		t.Errorf("%s", files)
	}
}

func TestDeliveryNumbersOfGroupsAreGivenAgain(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "2\n")
	s.combine = 1000
	for i := range 4 {
		rcpts := list(900, "far.test")
		for k := range rcpts {
			rcpts[k] = fmt.Sprintf("m%d", i) + rcpts[k]
		}
		s.inject("a@b", rcpts...)
	}
	highest := 0
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		highest = max(highest, o.Delnum)
		return report.Success, "ok\n"
	}
	r := s.start()
	s.until("end msg", 4)
	r.stop()
	if highest > s.limit+2*900 {
		t.Errorf("number %d", highest)
	}
	s.within(2)
}

func TestGroupsOfALongListDoNotAllGoToOneHostAtOnce(t *testing.T) {
	s := newSite(t)
	s.limit = 100
	s.set("concurrencyremote", "100\n")
	s.combine = 5
	var running, ended atomic.Int32
	s.during = func(rcpts []string, _, _ string) {
		if len(rcpts) == 1 {
			return
		}
		if n := running.Add(1); n > window+ended.Load()/2+1 {
			t.Errorf("%d groups at a time after %d", n, ended.Load())
		}
		time.Sleep(5 * time.Millisecond) // so that there are several at a time
		ended.Add(1)
		running.Add(-1)
	}
	rcpts := list(1500, "far.test")
	s.inject("a@b", rcpts...)
	r := s.start()
	defer r.stop()
	s.until("end msg", 1)
	s.served(rcpts...)
	s.within(100)
}

func TestListsThatWaitForAHostKeepNobodyElse(t *testing.T) {
	s := newSite(t)
	s.limit = 100
	s.set("concurrencyremote", "100\n")
	s.combine = 5
	told := make(chan struct{})
	s.during = func(rcpts []string, _, _ string) {
		if hostOf(rcpts[0]) == "far.test" && len(rcpts) > 1 {
			<-told
		}
	}
	var all []string
	inject := func(name, host string, n int) {
		rcpts := list(n, host)
		for k := range rcpts {
			rcpts[k] = name + rcpts[k]
		}
		all = append(all, rcpts...)
		s.inject("a@b", rcpts...)
	}
	for i := range 3 * ahead {
		inject(fmt.Sprintf("m%d", i), "far.test", fewRecipients+10)
	}
	r := s.start()
	defer r.stop()
	s.until("new msg", 3*ahead)
	inject("other", "near.test", fewRecipients+10)
	r.pull()
	s.until("to remote otheru9@near.test", 1)
	close(told)
	s.until("end msg", 3*ahead+1)
	s.served(all...)
	s.within(100)
}

func TestTakeKeepsTheOthersInOrder(t *testing.T) {
	var w wide
	j := &job{}
	for _, x := range strings.Split("1@a 1@b 2@A 2@b 3@a 1@c 3@b 4@a 5@a", " ") {
		j.next = append(j.next, recipient{addr: x})
	}
	text := func(list []recipient) string {
		var s []string
		for _, r := range list {
			s = append(s, r.addr)
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct {
		most       int
		taken, all string
	}{
		{1, "1@a", "1@b 2@A 2@b 3@a 1@c 3@b 4@a 5@a"},
		{2, "1@b 2@b", "2@A 3@a 1@c 3@b 4@a 5@a"},
		{3, "2@A 3@a 4@a", "1@c 3@b 5@a"},
		{9, "1@c", "3@b 5@a"},
		{9, "3@b", "5@a"},
		{9, "5@a", ""},
	} {
		if got := text(j.take(c.most, &w)); got != c.taken || text(j.next) != c.all {
			t.Errorf("%q and %q", got, text(j.next))
		}
	}
}

func TestWhatIsKnownOfHostsIsBoundedAndAges(t *testing.T) {
	w := wide{combine: 50}
	for i := range 3 * maxKnown {
		w.host(fmt.Sprintf("h%d.test", i), 0)
	}
	if len(w.known) > maxKnown {
		t.Errorf("%d hosts", len(w.known))
	}
	w.host("far.test", 0).pipelines = true
	if !w.host("far.test", remembered).pipelines || w.host("far.test", remembered+1).pipelines {
		t.Error("it is not remembered for as long as it says")
	}
	if w.host("new.test", 0).plain || w.host("new.test", probation-1).plain || !w.host("new.test", probation).plain {
		t.Error("probation has not its length")
	}
}
