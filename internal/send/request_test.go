package send

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendctl"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// ask asks as a queue tool does.
func (r *run) ask(v sendctl.Verb, id queue.ID) sendctl.Answer {
	r.s.t.Helper()
	a := make(chan sendctl.Answer, 1)
	r.asks <- Request{sendctl.Request{Verb: v, ID: uint64(id)}, a}
	select {
	case x := <-a:
		return x
	case <-time.After(10 * time.Second):
		r.s.t.Fatalf("no answer; log:\n%s", r.s.logged())
		return 0
	}
}

// deferring defers everybody at first.
func deferring(s *site) (stop func()) {
	deferring := true
	s.deliver = func(queue.Channel, sendproto.Order) (report.Kind, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if deferring {
			return report.Deferral, "later\n"
		}
		return report.Success, ""
	}
	return func() {
		s.mu.Lock()
		deferring = false
		s.mu.Unlock()
	}
}

func TestAHeldMessageWaitsUntilItIsReleasedEvenOverARestart(t *testing.T) {
	s := newSite(t)
	stop := deferring(s)
	r := s.start()
	id := s.inject("a@b", "joe@here.test", "x@far.test")
	r.pull()
	s.until("deferral", 2)
	if a := r.ask(sendctl.Hold, id); a != sendctl.Done {
		t.Fatalf("hold: %c", a)
	}
	stop()
	if a := r.ask(sendctl.Run, id); a != sendctl.Held {
		t.Errorf("run: %c", a)
	}
	r.ask(sendctl.RunAll, 0)
	time.Sleep(50 * time.Millisecond)
	r.stop()
	fi, err := os.Stat(filepath.Join(s.dir, queue.Local.File(id)))
	if err != nil || fi.ModTime().Unix() != heldUntil {
		t.Errorf("%v, %v", fi.ModTime(), err)
	}
	r = s.start()
	r.ask(sendctl.RunAll, 0)
	time.Sleep(50 * time.Millisecond)
	if len(s.got) != 0 {
		t.Fatalf("delivered: %v", s.got)
	}
	if a := r.ask(sendctl.Release, id); a != sendctl.Done {
		t.Errorf("release: %c", a)
	}
	s.until("end msg", 1)
	s.empty()
	if a := r.ask(sendctl.Release, id); a != sendctl.Unknown {
		t.Errorf("release again: %c", a)
	}
	r.stop()
	if len(s.got) != 2 || s.files() != "" {
		t.Errorf("%v, left: %s", s.got, s.files())
	}
}

func TestAMessageIsRemovedWithAndWithoutABounce(t *testing.T) {
	for _, verb := range []sendctl.Verb{sendctl.Remove, sendctl.Bounce} {
		s := newSite(t)
		s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
			if c == queue.Local {
				return report.Success, ""
			}
			return report.Deferral, "later"
		}
		r := s.start()
		id := s.inject("a@b", "joe@here.test", "x@far.test")
		r.pull()
		s.until("deferral", 1)
		if a := r.ask(verb, id); a != sendctl.Done {
			t.Fatalf("%c: %c", verb, a)
		}
		s.until("end msg", 1)
		s.empty()
		if a := r.ask(verb, id); a != sendctl.Unknown {
			t.Errorf("%c again: %c", verb, a)
		}
		r.stop()
		if s.files() != "" {
			t.Errorf("%c left: %s", verb, s.files())
		}
		all := strings.Join(s.bounced, "")
		if told := strings.Contains(all, "<x@far.test>:\nThe message was removed"); told != (verb == sendctl.Bounce) ||
			strings.Contains(all, "joe") {
			t.Errorf("%c: bounces %q", verb, s.bounced)
		}
	}
}

func TestAMessageThatIsBeingDeliveredIsRemovedAfterThat(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "1\n")
	block := make(chan struct{})
	s.deliver = func(queue.Channel, sendproto.Order) (report.Kind, string) {
		<-block
		return report.Success, ""
	}
	r := s.start()
	id := s.inject("a@b", "x@far.test", "y@far.test", "z@far.test")
	r.pull()
	s.until("starting delivery", 1)
	time.AfterFunc(50*time.Millisecond, func() { close(block) })
	if a := r.ask(sendctl.Remove, id); a != sendctl.Done {
		t.Errorf("remove: %c", a)
	}
	s.until("end msg", 1)
	r.stop()
	if len(s.got) != 1 || s.files() != "" {
		t.Errorf("%v, left: %s", s.got, s.files())
	}
}

func TestOneMessageIsRunWithoutTheOthers(t *testing.T) {
	s := newSite(t)
	stop := deferring(s)
	r := s.start()
	id := s.inject("a@b", "one@here.test")
	s.inject("a@b", "two@here.test")
	r.pull()
	s.until("deferral", 2)
	stop()
	// Until its files are written, the message is known but does not wait yet.
	s.eventually("the message is tried again", func() bool {
		if a := r.ask(sendctl.Run, id); a != sendctl.Done && !strings.Contains(s.logged(), "starting delivery 3") {
			t.Errorf("run: %c", a)
		}
		return strings.Contains(s.logged(), "starting delivery 3")
	})
	s.until("end msg", 1)
	s.eventually("the removal", func() bool { return !s.has(queue.Mess(id)) })
	if a := r.ask(sendctl.Run, id); a != sendctl.Unknown {
		t.Errorf("run again: %c", a)
	}
	r.stop()
	if s.got["one@here.test"] != 1 || s.got["two@here.test"] != 0 {
		t.Errorf("%v", s.got)
	}
}

func TestABounceHasTheFormAndTheSizeThatTheControlFilesSay(t *testing.T) {
	s := newSite(t)
	s.set("bounceformat", "multipart\n")
	s.set("bouncemaxbytes", "1\n")
	s.deliver = func(queue.Channel, sendproto.Order) (report.Kind, string) { return report.Failure, "no (#5.1.1)\n" }
	r := s.start()
	s.inject("a@b", "joe@here.test")
	r.pull()
	s.until("end msg", 1)
	r.stop()
	all := strings.Join(s.bounced, "")
	for _, want := range []string{"report-type=delivery-status", "\nArrival-Date: ", "\nStatus: 5.1.1\n",
		"\n\n<joe@here.test>:\nno (#5.1.1)\n", "\nContent-Type: text/rfc822-headers\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
}
