package send

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// plug has deliveries to some recipients wait until it is pulled.
func plug(s *site, stuck func(o sendproto.Order) bool) (pull func()) {
	out := make(chan struct{})
	s.deliver = func(_ queue.Channel, o sendproto.Order) (report.Kind, string) {
		if stuck(o) {
			<-out
		}
		return report.Success, "ok\n"
	}
	var once sync.Once
	return func() { once.Do(func() { close(out) }) }
}

func TestWhoSleepsStopsNobodyElsesLocalMail(t *testing.T) {
	s := newSite(t)
	pull := plug(s, func(o sendproto.Order) bool { return strings.HasPrefix(o.Recipient, "sleeper") })
	defer pull()
	for i := range 50 {
		s.inject("a@b", fmt.Sprintf("sleeper%d-x%d@here.test", i%3, i))
	}
	r := s.start()
	defer r.stop()
	s.until("new msg", 50)
	s.inject("a@b", "joe@here.test")
	r.pull()
	s.until("end msg", 1)
	if s.peak[queue.Local] >= 10 {
		t.Errorf("%d slots in use", s.peak[queue.Local])
	}
	pull()
	s.until("end msg", 51)
}

func TestASilentAddressStopsNoOtherHost(t *testing.T) {
	s := newSite(t)
	s.combine = 10
	pull := plug(s, func(o sendproto.Order) bool { return strings.HasSuffix(o.Recipient, "@silent.test") })
	defer pull()
	for range 60 {
		s.inject("a@b", "x@silent.test")
	}
	r := s.start()
	defer r.stop()
	s.until("new msg", 60)
	s.inject("a@b", "joe@far.test")
	r.pull()
	s.until("end msg", 1)
	pull()
	s.until("end msg", 61)
}

func TestOneMessageWithManyRecipientsDelaysAnotherByNoMoreThanASlot(t *testing.T) {
	s := newSite(t)
	s.set("concurrencylocal", "1\n")
	var rcpts []string
	for i := range 1000 {
		rcpts = append(rcpts, fmt.Sprintf("u%d@here.test", i))
	}
	s.inject("a@b", rcpts...)
	r := s.start()
	defer r.stop()
	s.until("delivery 100:", 1)
	s.inject("a@b", "joe@here.test")
	r.pull()
	s.until("to local joe@here.test", 1)
	_, after, _ := strings.Cut(s.logged(), " from <a@b> ")
	_, after, _ = strings.Cut(after, "info msg ")
	if before, _, _ := strings.Cut(after, "to local joe@here.test"); strings.Count(before, "starting delivery") > 3 {
		t.Errorf("%d others were first", strings.Count(before, "starting delivery"))
	}
	s.until("end msg", 2)
}

func TestHostsAtOneAddressHaveOneShareAndAUserIsWhatStandsBeforeTheBreak(t *testing.T) {
	x := newSlots(queue.Remote, 0)
	for h, a := range map[string]string{
		"a.test": "192.0.2.1", "b.test": "::ffff:192.0.2.1", "c.test": "2001:db8::1", "d.test": "2001:db8::2",
	} {
		x.shares.learn(h, netip.MustParseAddr(a))
	}
	place := func(addr string) string { return x.shares.place(x.key(addr)) }
	if place("x@A.test") != place("y@b.test") || place("x@c.test") != place("x@d.test") ||
		place("x@a.test") == place("x@c.test") {
		t.Error("places differ where they should not, or do not")
	}
	l := newSlots(queue.Local, 0)
	if l.key("joe-a@h") != l.key("Joe@i") || l.key("joe@h") == l.key("sam@h") || l.key("@h") != "" {
		t.Error("users are not told apart")
	}
	for i := range 2 * maxAddresses {
		x.shares.learn(fmt.Sprint(i), netip.MustParseAddr("192.0.2.7"))
	}
	if len(x.shares.address) > maxAddresses {
		t.Errorf("%d addresses", len(x.shares.address))
	}
}

func TestASiteSetsTheShare(t *testing.T) {
	for file, want := range map[string]int{"": 10, "3\n": 3, "20\n": 20, "0\n": 10} {
		t.Run(strings.TrimSpace(file), func(t *testing.T) {
			s := newSite(t)
			if file != "" {
				s.set("concurrencyperhost", file)
			}
			pull := plug(s, func(sendproto.Order) bool { return true })
			defer pull()
			for range 40 {
				s.inject("a@b", "x@far.test")
			}
			r := s.start()
			s.until("new msg", 40)
			s.until(fmt.Sprintf(" remote %d/20", want), 1)
			s.eventually("that many are under way", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.peak[queue.Remote] >= want
			})
			pull()
			s.until("end msg", 40)
			r.stop()
			if s.peak[queue.Remote] != want {
				t.Errorf("%d at a time", s.peak[queue.Remote])
			}
		})
	}
}

func TestNothingThatIsParkedStaysWhenTheOthersAreRemoved(t *testing.T) {
	x := newSlots(queue.Local, 1)
	x.open(10)
	newJob := func() *job { return &job{m: &message{}, first: true, eof: true} }
	jobs := []*job{newJob(), newJob(), newJob()}
	for _, j := range jobs {
		x.add(j, []recipient{{addr: "joe@h"}})
	}
	j, key, list := x.next()
	m := x.begin(j, key, list, 0)
	if other, _, _ := x.next(); other != nil || len(x.resting) != 2 {
		t.Fatalf("%d rest", len(x.resting))
	}
	x.end(m[0].Delnum)
	x.drop(jobs[1])
	if j, _, _ := x.next(); j != jobs[2] {
		t.Error("the last one is stuck")
	}
	if x.drop(jobs[2]); len(x.shares.by)+len(x.shares.blocked)+len(x.resting)+len(x.fresh) != 0 {
		t.Errorf("left: %+v", x)
	}
}

func TestWhenAllSlotsWaitForTheirHostsOneIsAskedFor(t *testing.T) {
	s := newSite(t)
	s.combine = 10
	s.set("concurrencyremote", "4\n")
	pull := plug(s, func(o sendproto.Order) bool { return strings.HasPrefix(o.Recipient, "x@silent") })
	defer pull()
	for i := range 4 {
		s.inject("a@b", fmt.Sprintf("x@silent%d.test", i))
	}
	r := s.start()
	defer r.stop()
	s.until(" remote 4/4", 1)
	asked := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.hurried
	}
	time.Sleep((hurryAfter + 2) * time.Second) // nobody waits, so nobody is asked
	if n := asked(); n > 0 {
		t.Errorf("%d asked for nobody", n)
	}
	s.inject("a@b", "joe@far.test")
	r.pull()
	s.eventually("slots are asked for", func() bool { return asked() >= 2 })
	pull()
	s.until("end msg", 5)
}

func TestSilentHostsAreGivenUpAtASecondSIGTERMOrAfterStoptime(t *testing.T) {
	for _, stoptime := range []string{"", "1\n"} {
		s := newSite(t)
		s.combine = 10
		if stoptime != "" {
			s.set("stoptime", stoptime)
		}
		pull := plug(s, func(o sendproto.Order) bool { return strings.HasPrefix(o.Recipient, "x@silent") })
		defer pull()
		for i := range 3 {
			s.inject("a@b", fmt.Sprintf("x@silent%d.test", i))
		}
		r := s.start()
		s.until(" remote 3/", 1)
		r.signals <- Stop
		s.until("exitasap", 0)
		if stoptime == "" {
			r.signals <- RunAll // a turn of the loop, in which nobody is asked
			s.mu.Lock()
			if s.hurried > 0 {
				t.Errorf("%d asked at the first signal", s.hurried)
			}
			s.mu.Unlock()
			r.signals <- Stop
		}
		s.eventually("each is asked to give up", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.hurried >= 3
		})
		pull()
		r.wait()
	}
}
