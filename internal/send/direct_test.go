package send

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/schedule"
	"qmail/internal/send/sendctl"
	"qmail/internal/text/qlog"
)

func TestAMessageWaitsInTodoUntilItsFirstDeliveryStarts(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "1\n")
	var mu sync.Mutex
	var offset time.Duration
	s.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}
	goOn := blocking(s)
	r := s.start()
	for i := range 10 {
		s.inject("a@b", fmt.Sprintf("u%d@far.test", i))
	}
	r.pull()
	s.until("info msg", 10)
	mu.Lock()
	offset = time.Hour
	mu.Unlock()
	r.pull()
	// The one that is being delivered gets its file; nobody else does.
	s.eventually(
		"one file",
		func() bool { return strings.Count(s.files(), "remote:") == 1 && strings.Count(s.files(), "todo:") == 9 },
	)
	r.ask(sendctl.Run, 1)
	r.ask(sendctl.Run, 1)
	if got := s.files(); strings.Count(got, "info:") != 1 {
		t.Errorf("files: %s", got)
	}
	goOn()
	s.until("end msg", 10)
	r.stop()
	if len(s.got) != 10 || s.files() != "" {
		t.Errorf("%v, left: %s", s.got, s.files())
	}
}

func TestTheEndLeavesInTodoWhoseFirstDeliveryHasNotStarted(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "1\n")
	goOn := blocking(s)
	r := s.start()
	for i := range 10 {
		s.inject("a@b", fmt.Sprintf("u%d@far.test", i), fmt.Sprintf("v%d@far.test", i))
	}
	r.pull()
	s.until("info msg", 10)
	s.until("starting", 1)
	r.signals <- Stop
	goOn()
	r.wait()
	if got := s.files(); strings.Count(got, "todo:") != 9 || strings.Count(got, "info:") != 1 ||
		strings.Count(got, "remote:") != 1 {
		t.Errorf("left: %s", got)
	}
	r = s.start()
	s.until("end msg", 10)
	r.stop()
	for a, n := range s.got {
		if n != 1 {
			t.Errorf("%s was delivered %d times", a, n)
		}
	}
	if len(s.got) != 20 || s.files() != "" {
		t.Errorf("%d recipients, left: %s", len(s.got), s.files())
	}
}

func TestAMessageThatWaitsInTodoCanBeHeldAndRemoved(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "1\n")
	goOn := blocking(s)
	r := s.start()
	first := s.inject("a@b", "first@far.test")
	r.pull()
	s.until("starting", 1)
	held, gone := s.inject("a@b", "held@far.test"), s.inject("a@b", "gone@far.test")
	r.pull()
	s.until("info msg", 3)
	if a := r.ask(sendctl.Hold, held); a != sendctl.Done {
		t.Errorf("hold: %c", a)
	}
	if a := r.ask(sendctl.Remove, gone); a != sendctl.Done {
		t.Errorf("remove: %c", a)
	}
	if !s.has(queue.Info(held)) || s.has(queue.Todo(held)) || s.has(queue.Info(first)) {
		t.Errorf("files: %s", s.files())
	}
	goOn()
	s.until("end msg", 2)
	if a := r.ask(sendctl.Release, held); a != sendctl.Done {
		t.Errorf("release: %c", a)
	}
	s.until("end msg", 3)
	r.stop()
	if s.got["gone@far.test"] != 0 || s.got["held@far.test"] != 1 || s.files() != "" {
		t.Errorf("%v, left: %s", s.got, s.files())
	}
}

func TestSoManyMessagesWaitInTodoAndNoMore(t *testing.T) {
	d := idleDaemon(nil, 1000)
	for _, s := range d.slots {
		s.limit = 1
	}
	for i := range maxDirect + 2 {
		f := arrival{info: qlog.Info{ID: uint64(i + 1)}, count: 1}
		f.rcpts[queue.Remote] = []recipient{{addr: "x@far.test"}}
		d.intake.announce(f, nil)
	}
	if d.intake.direct != maxDirect || len(d.intake.writes) != 2 || len(d.slots[queue.Remote].fresh) != maxDirect {
		t.Errorf("%d wait, %d get files", d.intake.direct, len(d.intake.writes))
	}
	// They do not keep those that have files from the line.
	remote := d.slots[queue.Remote]
	for i := range 2 * ahead {
		if enough(remote.fresh, 0) != (i >= ahead) {
			t.Errorf("with %d", i)
		}
		remote.add(&job{m: &message{}, first: true}, []recipient{{addr: "x@far.test"}})
	}
}

func TestTheNextAttemptCountsFromTheFirstOne(t *testing.T) {
	d := idleDaemon(nil, 5000)
	d.Controls.lifetime = 100
	m := &message{birth: 1000, direct: &direct{}}
	j := &job{m: m}
	d.intake.started(queue.Local, j)
	if want := schedule.Next(1000, 5000, queue.Local); j.retry != want || !j.dying || !m.direct.started ||
		m.direct.since != 5000 {
		t.Errorf("next attempt at %d, not %d; %v", j.retry, want, m.direct)
	}
	d.desk.sec = 6000
	d.intake.started(queue.Local, j)
	if m.direct.since != 5000 || len(d.intake.directs) != 1 {
		t.Error("a later delivery counts as the first")
	}
}

func TestToRunAMessageCountsEvenWhileItsFilesAreMade(t *testing.T) {
	d := idleDaemon(nil, 5000)
	m := d.messages.get(7)
	m.direct, m.writing = &direct{}, true
	over, going := &job{m: m, eof: true, retry: 9000}, &job{m: m, eof: true, running: 1, retry: 9000}
	m.jobs = [2]*job{over, going}
	if a := d.asked.runNow(7); a != sendctl.Done || over.retry != 5000 || going.retry != 9000 {
		t.Errorf("%c, next attempts at %d and %d", a, over.retry, going.retry)
	}
}
