package send

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/queue"
	"qmail/internal/send/sendctl"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// halted is a disk on which the first scan comes to a halt.
type halted struct {
	queue.FS
	folder string        // before it reads this folder
	remove string        // or before it removes this name, the first time
	came   chan struct{} // closed when it has come there
	goOn   chan struct{} // closed to let it go on
	names  func(fn func(string) bool)
}

func haltAt(s *site, folder, remove string) *halted {
	h := &halted{
		FS:     queue.Disk(s.dir),
		folder: folder,
		remove: remove,
		came:   make(chan struct{}),
		goOn:   make(chan struct{}),
	}
	s.fs = h
	return h
}

func (h *halted) halt() {
	select {
	case <-h.came:
	default:
		close(h.came)
		<-h.goOn
	}
}

func (h *halted) EachName(folder string, fn func(string) bool) error {
	if folder == h.folder {
		if h.names != nil {
			h.names(fn)
			return nil
		}
		h.halt()
	}
	return h.FS.EachName(folder, fn)
}

func (h *halted) Remove(name string) error {
	if name == h.remove {
		h.halt()
	}
	return h.FS.Remove(name)
}

// eventually waits for a condition.
func (s *site) eventually(what string, cond func() bool) {
	s.t.Helper()
	poll.Until(s.t, what, cond, s.logged, s.files)
}

func (s *site) has(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

func TestAnEntryFromBeforeTheStartIsDeliveredStraightAndLeavesNoFiles(t *testing.T) {
	s := newSite(t)
	// The machine went down after the files were written and before todo had given way to them.
	id := s.inject("a@b", "joe@here.test")
	for name, text := range map[string]string{
		queue.Info(id): "Fstale\x00", queue.Local.File(id): "Tstale@here.test\x00",
		queue.Remote.File(id): "Tstale@far.test\x00", queue.Bounce(id): "stale",
	} {
		os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600)
	}
	h := haltAt(s, "info/0", "")
	r := s.start()
	s.until("end msg", 1)
	s.empty()
	close(h.goOn)
	r.stop()
	if len(s.got) != 1 || s.got["joe@here.test"] != 1 || len(s.bounced) != 0 {
		t.Errorf("%v %q", s.got, s.bounced)
	}
}

func TestADeferredMessageGetsItsFilesWhileTheScanRuns(t *testing.T) {
	s := newSite(t)
	stop := deferring(s)
	h := haltAt(s, "info/0", "")
	r := s.start()
	<-h.came
	id := s.inject("a@b", "joe@here.test")
	r.pull()
	s.eventually("S5", func() bool { return s.has(queue.Info(id)) && !s.has(queue.Todo(id)) })
	close(h.goOn)
	// The scan finds it now. It must not be scheduled twice.
	if a := r.ask(sendctl.Run, id); a != sendctl.Done {
		t.Errorf("run: %c", a)
	}
	s.until("deferral", 2)
	stop()
	r.ask(sendctl.RunAll, 0)
	s.until("end msg", 1)
	r.stop()
	if s.got["joe@here.test"] != 1 || strings.Count(s.logged(), "starting delivery") != 3 || s.files() != "" {
		t.Errorf("%v, left: %s\n%s", s.got, s.files(), s.logged())
	}
}

func TestTheScanSchedulesOnlyWhatIsFromBefore(t *testing.T) {
	d := idleDaemon(nil, 1000)
	d.survey.loans.begin()
	if !d.intake.claim(5) {
		t.Fatal("a number that nobody has lent is not taken")
	}
	d.survey.scanned([]queue.Found{{ID: 5, Has: [2]bool{true, true}}, {ID: 6, Has: [2]bool{true, false}}})
	if len(d.slots[queue.Local].retry) != 1 || len(d.slots[queue.Remote].retry) != 0 ||
		d.slots[queue.Local].retry[0].id != 6 {
		t.Errorf("%v, %v", d.slots[queue.Local].retry, d.slots[queue.Remote].retry)
	}
}

func TestToTryEverythingNowIncludesWhatTheScanWillFind(t *testing.T) {
	s := newSite(t)
	stop := deferring(s)
	r := s.start()
	id := s.inject("a@b", "joe@here.test")
	r.pull()
	s.eventually("S5", func() bool { return s.has(queue.Info(id)) && !s.has(queue.Todo(id)) })
	r.stop() // leaves the time of the next attempt
	stop()
	h := haltAt(s, "info/0", "")
	r = s.start()
	<-h.came
	r.ask(sendctl.RunAll, 0)
	close(h.goOn)
	s.until("end msg", 1)
	r.stop()
}

func TestTheScanDoesNotTakeNewFilesForRemains(t *testing.T) {
	s := newSite(t)
	stop := deferring(s)
	s.cleanBad = true // so that todo stays beside the files
	h := haltAt(s, "info/0", "")
	r := s.start()
	<-h.came
	id := s.inject("a@b", "joe@here.test")
	r.pull()
	s.until("qmail-clean unable to clean up "+queue.Todo(id), 1)
	close(h.goOn)
	r.ask(sendctl.Run, id) // is answered when the scan is over
	if !s.has(queue.Info(id)) || !s.has(queue.Local.File(id)) {
		t.Errorf("left: %s", s.files())
	}
	s.mu.Lock()
	s.cleanBad = false
	s.mu.Unlock()
	r.stop()
	stop()
	r = s.start()
	s.until("end msg", 1)
	r.stop()
	if s.got["joe@here.test"] != 1 || s.files() != "" {
		t.Errorf("%v, left: %s", s.got, s.files())
	}
}

func TestANumberIsNotUsedAgainWhileTheScanRemovesWhatItHad(t *testing.T) {
	s := newSite(t)
	const id = queue.ID(23 * 1000003)
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(queue.Info(id), "Fold@b\x00")
	put(queue.Local.File(id), "Told@here.test\x00")
	h := haltAt(s, "", queue.Local.File(id))
	r := s.start()
	<-h.came
	put(queue.Mess(id), "new\n")
	put(queue.Todo(id), "u1\x00p1\x00Fa@b\x00Tnew@here.test\x00")
	s.inject("a@b", "other@here.test")
	r.pull()
	s.until("end msg", 1) // todo has been looked at
	if strings.Contains(s.logged(), "new@here.test") {
		t.Errorf("delivered while its number was lent:\n%s", s.logged())
	}
	close(h.goOn)
	s.until("end msg", 2)
	r.stop()
	if s.got["new@here.test"] != 1 || s.got["old@here.test"] != 0 || s.files() != "" {
		t.Errorf("%v, left: %s", s.got, s.files())
	}
}

func TestNeitherNewMailNorTheEndWaitsForTheScan(t *testing.T) {
	s := newSite(t)
	h := haltAt(s, "info/0", "")
	h.names = func(fn func(string) bool) {
		for n := uint64(1); fn(strconv.FormatUint(n*conf.Split(), 10)); n = n%1e6 + 1 {
		}
	}
	r := s.start()
	var many []string
	for i := range fewRecipients + 1 {
		many = append(many, fmt.Sprintf("u%d@here.test", i))
	}
	s.inject("a@b", many...)
	r.pull()
	s.until("end msg", 1)
	r.stop()
	if len(s.got) != len(many) || strings.Contains(s.logged(), "warning") {
		t.Errorf("%v\n%s", s.got, s.logged())
	}
}

func TestAWalkRestsWhileThereIsNewMailAndEndsWithUs(t *testing.T) {
	d := idleDaemon(nil, 1000)
	want := func(p pace, when string) {
		t.Helper()
		if got := d.survey.pace(); got != p {
			t.Errorf("%s: %d, not %d", when, got, p)
		}
	}
	want(walkOn, "idle")
	d.intake.last = 1000
	want(walkSlowly, "a message has just come")
	d.desk.sec = 1000 + calm
	want(walkOn, "none has come for a while")
	d.intake.entries[1] = known
	want(walkSlowly, "one is in todo")
	d.desk.sec = 10
	delete(d.intake.entries, 1)
	want(walkOn, "the clock was set back")
	d.desk.stopping = true
	want(walkNoMore, "at the end")

	asks := make(chan chan<- pace)
	answers := []pace{walkSlowly, walkOn, walkNoMore}
	go func() {
		for _, p := range answers {
			a := <-asks
			a <- p
		}
	}()
	walk := pacer(asks, 0)
	for i, p := range answers {
		if walk() != (p != walkNoMore) {
			t.Errorf("question %d", i)
		}
	}
}

func TestALongTodoIsNotReadAgainAtOnce(t *testing.T) {
	if restAfter(time.Millisecond, listShare) != 4*time.Millisecond || restAfter(time.Hour, listShare) != longestRest {
		t.Errorf("rests of %v, %v", restAfter(time.Millisecond, listShare), restAfter(time.Hour, listShare))
	}
	s := newSite(t)
	d := idleDaemon(queue.Open(s.dir, nil), 1000)
	d.survey.orphans.at, d.intake.at = 5000, 5000
	d.intake.rest = time.Now().Add(time.Hour)
	d.intake.work()
	if d.intake.looking || !d.intake.due {
		t.Error("it is looked at while it rests")
	}
	d.intake.rest = time.Now().Add(time.Second)
	if p := d.idle(); p > time.Second {
		t.Errorf("sleeps %v, longer than todo rests", p)
	}
	d.intake.rest = time.Now()
	d.intake.work()
	if !d.intake.looking || d.intake.due {
		t.Error("it is not looked at after its rest")
	}
	(<-d.desk.disk.settled)()
}

// blocking lets deliveries to remote recipients wait.
func blocking(s *site) (goOn func()) {
	block := make(chan struct{})
	s.deliver = func(c queue.Channel, _ sendproto.Order) (report.Kind, string) {
		if c == queue.Remote {
			<-block
		}
		return report.Success, ""
	}
	return func() { close(block) }
}

func TestAWalkIsNotBelievedAboutMessagesThatHaveBeenEnding(t *testing.T) {
	var g gone
	g.begin()
	g.add(1)
	g.walk()
	g.add(2)
	delete(g.going, 1)
	delete(g.going, 2)
	g.walk()
	g.unwalk()
	if left := g.without([]queue.ID{1, 2, 3}); len(left) != 1 || left[0] != 3 {
		t.Errorf("%v", left)
	}
	g.unwalk()
	g.walk()
	if left := g.without([]queue.ID{1, 2}); len(left) != 2 {
		t.Errorf("later %v", left)
	}
}

func TestTheCleanupLeavesAMessageAloneWhoseEndHasBegun(t *testing.T) {
	s := newSite(t)
	const id = queue.ID(23 * 1000003)
	name := filepath.Join(s.dir, queue.Mess(id))
	if err := os.WriteFile(name, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	os.Chtimes(name, old, old)
	for _, ends := range []bool{true, false} {
		d := idleDaemon(queue.Open(s.dir, nil), 0)
		d.clean.out = newOutbox(io.Discard)
		d.survey.work()
		if ends {
			d.ending.gone.add(id)
			delete(d.ending.gone.going, id)
		}
		(<-d.desk.disk.settled)()
		if len(d.clean.asked) == 1 == ends {
			t.Errorf("the end has begun: %v; %d requests", ends, len(d.clean.asked))
		}
	}
}
