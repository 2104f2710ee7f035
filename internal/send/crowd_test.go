package send

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

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
