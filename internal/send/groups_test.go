package send

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendctl"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

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
			if groups, _, _ := s.grouped(); groups > 0 || s.peak[queue.Remote] > 5 ||
				strings.Contains(s.logged(), "internal error") {
				t.Errorf("%d groups, %d at a time:\n%s", groups, s.peak[queue.Remote], s.logged())
			}
		})
	}
}

func TestAnAnswerThatComesLateIsTakenWhileDeliveriesRun(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "4\n")
	s.set("concurrencyperhost", "20\n")
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
	if groups, largest, _ := s.grouped(); largest > 1 {
		t.Errorf("%d groups, up to %d", groups, largest)
	}
}

func TestWhoHasASenderOfItsOwnSharesNothing(t *testing.T) {
	s := newSite(t)
	s.combine = 50
	s.during = func(rcpts []string, _, sender string) {
		if sender != "list-"+strings.Replace(rcpts[0], "@", "=", 1)+"@here.test" {
			t.Errorf("%s for %s", sender, rcpts)
		}
	}
	rcpts := list(200, "far.test")
	s.inject("list-@here.test-@[]", rcpts...)
	r := s.start()
	s.until("end msg", 1)
	r.stop()
	s.served(rcpts...)
	s.within(20)
	if _, largest, most := s.grouped(); largest != 1 || most > 20 {
		t.Errorf("groups of %d, %d at a time", largest, most)
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

func TestWhoWaitsForAHostKeepsNobodyElse(t *testing.T) {
	s := newSite(t)
	s.combine = 50
	told := make(chan struct{})
	s.during = func(rcpts []string, _, _ string) {
		if hostOf(rcpts[0]) == "far.test" {
			<-told
		}
	}
	far, near := list(1000, "far.test"), list(5, "near.test")
	s.inject("a@b", append(far, near...)...)
	r := s.start()
	defer r.stop()
	s.until("to remote u4@near.test", 1)
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
	if files := s.files(); !strings.Contains(files, "Tu49@far.test") || strings.Contains(files, "Du") ||
		!strings.Contains(files, "Dx@near.test") {
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

func TestAMessageWhoseRecipientsWaitForAHostCanBeRemoved(t *testing.T) {
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
	s.empty()
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
