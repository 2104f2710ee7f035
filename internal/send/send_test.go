package send

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendctl"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// norm replaces numbers that differ from run to run.
func norm(log string) string {
	log = regexp.MustCompile(`qp \d+ uid \d+`).ReplaceAllString(log, "qp P uid U")
	return regexp.MustCompile(`msg \d+`).ReplaceAllString(log, "msg N")
}

func TestAMessageLogsWhatTheLogPageShows(t *testing.T) {
	s := newSite(t)
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		if strings.HasPrefix(o.Recipient, "no") {
			return report.Failure, "No such address. (#5.1.1)\n"
		}
		return report.Success, "did 1+0+0\n"
	}
	s.set("concurrencylocal", "1\n")
	r := s.start()
	s.inject("a@here.test", "joe@here.test", "no@here.test")
	r.pull()
	s.until("end msg", 1)
	r.stop()
	want := `status: local 0/1 remote 0/20
new msg N
info msg N: bytes 30 from <a@here.test> qp P uid U
starting delivery 1: msg N to local joe@here.test
status: local 1/1 remote 0/20
delivery 1: success: did_1+0+0/
status: local 0/1 remote 0/20
starting delivery 2: msg N to local no@here.test
status: local 1/1 remote 0/20
delivery 2: failure: No_such_address.__#5.1.1_/
status: local 0/1 remote 0/20
bounce msg N qp 4711
end msg N
status: exiting
`
	if got := norm(s.logged()); got != want {
		t.Errorf("got\n%s", got)
	}
	if s.files() != "" {
		t.Errorf("left: %s", s.files())
	}
	if len(s.bounced) != 1 || !strings.Contains(s.bounced[0], "<no@here.test>:\nNo such address. (#5.1.1)\n\n--- Below") {
		t.Errorf("bounces: %q", s.bounced)
	}
}

func TestWhatIsDeferredWaitsInItsFilesAndWhatIsDoneStaysDone(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	defers := true
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		mu.Lock()
		defer mu.Unlock()
		if defers && o.Recipient == "later@here.test" {
			return report.Deferral, "not now\n"
		}
		return report.Success, ""
	}
	s.set("concurrencylocal", "1\n")
	r := s.start()
	id := s.inject("a@b", "later@here.test", "joe@here.test", "x@far.test")
	r.pull()
	s.until("delivery 3", 1)
	r.stop()
	if got := s.files(); !strings.Contains(got, "info:Fa@b|") || !strings.Contains(got, "Tlater@here.test|") ||
		strings.Contains(got, "todo") ||
		strings.Contains(got, "Tjoe") ||
		strings.Contains(got, "Tx@") {
		t.Errorf("left: %s", got)
	}
	fi, err := os.Stat(filepath.Join(s.dir, queue.Local.File(id)))
	if err != nil || fi.ModTime().Unix()-time.Now().Unix() < 90 {
		t.Errorf("the next attempt is at %v, %v", fi.ModTime(), err)
	}
	mu.Lock()
	defers = false
	mu.Unlock()
	r = s.start()
	time.Sleep(100 * time.Millisecond)
	if s.got["later@here.test"] != 0 {
		t.Error("tried too early")
	}
	r.signals <- RunAll
	s.until("end msg", 1)
	r.stop()
	for _, a := range []string{"later@here.test", "joe@here.test", "x@far.test"} {
		if s.got[a] != 1 {
			t.Errorf("%s was delivered %d times", a, s.got[a])
		}
	}
	if s.files() != "" {
		t.Errorf("left: %s", s.files())
	}
}

func TestManyRecipientsUseAllSlotsAndNoMore(t *testing.T) {
	s := newSite(t)
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		time.Sleep(2 * time.Millisecond)
		return report.Success, ""
	}
	s.set("concurrencyremote", "7\n")
	s.set("concurrencyperhost", "20\n")
	r := s.start()
	var rcpts []string
	for i := range 500 {
		rcpts = append(rcpts, fmt.Sprintf("u%d@far.test", i))
	}
	s.inject("list-@here.test-@[]", rcpts...)
	r.pull()
	s.until("end msg", 1)
	r.stop()
	if len(s.got) != 500 || s.peak[queue.Remote] != 7 {
		t.Errorf("%d recipients, %d at once", len(s.got), s.peak[queue.Remote])
	}
	if s.files() != "" {
		t.Errorf("left: %s", s.files())
	}
}

func TestOneHostGetsNoMoreThanItsShare(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	now, most := map[string]int{}, map[string]int{}
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		host := hostOf(o.Recipient)
		mu.Lock()
		now[host]++
		most[host] = max(most[host], now[host])
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		now[host]--
		mu.Unlock()
		return report.Success, ""
	}
	s.set("concurrencyperhost", "2\n")
	r := s.start()
	var rcpts []string
	for i := range 60 {
		rcpts = append(rcpts, fmt.Sprintf("u%d@Far%d.test", i, i%3/2))
	}
	s.inject("a@b", rcpts...)
	s.inject("a@b", rcpts[:10]...)
	r.pull()
	s.until("end msg", 2)
	r.stop()
	if most["far0.test"] != 2 || most["far1.test"] != 2 || len(s.got) != 60 {
		t.Errorf("%v, %d recipients", most, len(s.got))
	}
}

func TestAKilledQmailSendLosesNothing(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	n := 0
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		mu.Lock()
		n++
		k := n
		mu.Unlock()
		if k%3 == 0 {
			return report.Deferral, "later"
		}
		if strings.HasPrefix(o.Recipient, "bad") {
			return report.Failure, "no"
		}
		return report.Success, ""
	}
	const messages = 300
	for i := range messages {
		s.inject(
			"sender@here.test",
			fmt.Sprintf("u%d@here.test", i),
			fmt.Sprintf("u%d@far.test", i),
			fmt.Sprintf("bad%d@here.test", i),
		)
	}
	// A mess alone is what a qmail-clean leaves that dies between its two steps for a message.
	left := func() string { return strings.Trim(strings.ReplaceAll(s.files(), "mess", ""), " ") }
	for round := 0; ; round++ {
		r := s.start()
		r.pull()
		time.Sleep(30 * time.Millisecond)
		if round < 5 {
			// Its helpers go away under it, in the middle of everything.
			for _, c := range r.close {
				c.Close()
			}
			r.wait()
			continue
		}
		s.eventually("an empty queue", func() bool {
			r.signals <- RunAll
			return left() == ""
		})
		r.stop()
		break
	}
	if left() != "" {
		t.Fatalf("left: %.2000s\n%.4000s", s.files(), s.logged())
	}
	twice := 0
	all := strings.Join(s.bounced, "")
	for i := range messages {
		for _, h := range []string{"here", "far"} {
			switch k := s.got[fmt.Sprintf("u%d@%s.test", i, h)]; {
			case k == 0:
				t.Errorf("u%d@%s.test was lost", i, h)
			case k > 1:
				twice++
			}
		}
		if !strings.Contains(all, fmt.Sprintf("<bad%d@here.test>:", i)) {
			t.Errorf("the bounce about bad%d was lost", i)
		}
	}
	t.Logf("%d deliveries were made twice", twice)
}

func TestNewMailDoesNotWaitForAStormOfRetries(t *testing.T) {
	s := newSite(t)
	s.set("concurrencyremote", "4\n")
	s.set("concurrencyperhost", "20\n")
	again, block := make(chan struct{}), make(chan struct{})
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		if !strings.HasPrefix(o.Recipient, "old") {
			return report.Success, ""
		}
		select {
		case <-again:
			<-block
			return report.Success, ""
		default:
			return report.Deferral, ""
		}
	}
	r := s.start()
	for i := range 50 {
		s.inject("a@b", fmt.Sprintf("old%d@far.test", i))
	}
	r.pull()
	s.until("deferral", 50)
	close(again)
	s.eventually("all slots are taken", func() bool {
		r.signals <- RunAll // it means those that wait by now
		return strings.Count(s.logged(), "starting delivery") >= 53
	})
	s.inject("a@b", "new@far.test")
	r.pull()
	s.until("to remote new@far.test", 1)
	s.until("end msg", 1)
	close(block)
	s.until("end msg", 51)
	r.stop()
}

func TestABounceThatCannotBeQueuedWaits(t *testing.T) {
	s := newSite(t)
	s.deliver = func(queue.Channel, sendproto.Order) (report.Kind, string) { return report.Failure, "no" }
	s.noQueue = true
	r := s.start()
	s.inject("a@here.test", "b@here.test")
	r.pull()
	s.until("warning: trouble injecting bounce message, will try later", 1)
	r.stop()
	if got := s.files(); !strings.Contains(got, "bounce:<b@here.test>") || !strings.Contains(got, "info") ||
		strings.Contains(got, "local") {
		t.Fatalf("left: %s", got)
	}
	s.noQueue = false
	r = s.start()
	s.until("end msg", 1)
	r.stop()
	if s.files() != "" || len(s.bounced) != 1 {
		t.Errorf("left: %s", s.files())
	}
}

func TestTheBounceOfADoubleBounceIsDiscarded(t *testing.T) {
	s := newSite(t)
	s.deliver = func(queue.Channel, sendproto.Order) (report.Kind, string) { return report.Failure, "no" }
	r := s.start()
	id := s.inject("#@[]", "b@here.test")
	r.pull()
	s.until("end msg", 1)
	r.stop()
	if !strings.Contains(s.logged(), "triple bounce: discarding bounce/"+id.String()+"\n") || len(s.bounced) != 0 {
		t.Errorf("%s", s.logged())
	}
}

func TestADamagedEntryIsNamedOnceAndTheRestGoesOn(t *testing.T) {
	s := newSite(t)
	os.WriteFile(filepath.Join(s.dir, "todo/hello"), nil, 0o644)
	os.WriteFile(filepath.Join(s.dir, "todo/23"), []byte("rubbish"), 0o644)
	os.WriteFile(filepath.Join(s.dir, "mess/0/23"), []byte("x"), 0o644)
	os.Mkdir(filepath.Join(s.dir, "todo/24"), 0o755)
	os.WriteFile(filepath.Join(s.dir, "mess/1/24"), []byte("x"), 0o644)
	os.WriteFile(filepath.Join(s.dir, "info/2/25"), []byte("Fa@b\x00"), 0o644)
	os.WriteFile(filepath.Join(s.dir, "local/2/25"), []byte("Xrubbish\x00"), 0o644)
	os.WriteFile(filepath.Join(s.dir, "mess/2/25"), []byte("x"), 0o644)
	r := s.start()
	for i := range 5 {
		s.inject("a@b", "joe@here.test")
		r.pull()
		s.until("end msg", i+1)
	}
	r.stop()
	for _, name := range []string{"todo/hello", "todo/23", "todo/24", "local/2/25"} {
		if n := strings.Count(s.logged(), name); n != 1 {
			t.Errorf("%s is named %d times:\n%s", name, n, s.logged())
		}
		if _, err := os.Stat(filepath.Join(s.dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestALostHelperEndsItInGoodOrder(t *testing.T) {
	for n, want := range []string{"spawn", "spawn", "qmail-clean"} {
		s := newSite(t)
		r := s.start()
		s.until("status", 1)
		r.close[2*n+1].Close()
		r.close[2*n].Close()
		r.wait()
		lost := "alert: oh no! lost " + want + " connection! dying..."
		if got := s.logged(); strings.Count(got, lost) != 1 || !strings.HasSuffix(got, "status: exiting\n") {
			t.Errorf("helper %d:\n%s", n, got)
		}
	}
}

// full is a disk on which some operations fail.
type full struct {
	queue.FS
	mu  sync.Mutex
	bad func(op, name string) bool
}

func (f *full) fails(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bad != nil && f.bad(op, name) {
		return &fs.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
	}
	return nil
}

func (f *full) Create(name string, mode fs.FileMode) (queue.File, error) {
	if err := f.fails("create", name); err != nil {
		return nil, err
	}
	return f.FS.Create(name, mode)
}

func (f *full) Append(name string, mode fs.FileMode) (queue.File, error) {
	if err := f.fails("append", name); err != nil {
		return nil, err
	}
	return f.FS.Append(name, mode)
}

func (f *full) Remove(name string) error {
	if err := f.fails("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func TestAFullDiskDelaysAndLosesNothing(t *testing.T) {
	s := newSite(t)
	var offset time.Duration
	var mu sync.Mutex
	s.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}
	disk := &full{FS: queue.Disk(s.dir), bad: func(op, _ string) bool { return op != "" }}
	s.fs = disk
	failing := true
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		mu.Lock()
		defer mu.Unlock()
		if o.Recipient == "bad@here.test" {
			return report.Failure, "never"
		}
		if failing && o.Recipient != "good@here.test" {
			return report.Deferral, "not yet"
		}
		return report.Success, ""
	}
	r := s.start()
	r.ask(sendctl.Run, 1) // the scan is over
	s.inject("a@here.test", "good@here.test", "later@here.test", "bad@here.test")
	r.pull()
	s.until("warning: unable to preprocess todo/", 1)
	disk.mu.Lock()
	disk.bad = func(op, _ string) bool {
		return op == "append" || op == "remove" && strings.Count(s.files(), "local") > 9
	}
	disk.mu.Unlock()
	mu.Lock()
	offset, failing = 124*time.Second, false
	mu.Unlock()
	r.pull() // the clock that we moved wakes nobody
	s.until("warning: unable to append to bounce/", 1)
	disk.mu.Lock()
	disk.bad = nil
	disk.mu.Unlock()
	s.eventually("the message ends", func() bool {
		mu.Lock()
		offset += 150 * time.Second
		mu.Unlock()
		r.pull()
		return strings.Contains(s.logged(), "end msg")
	})
	r.stop()
	if s.got["good@here.test"] != 1 || s.got["later@here.test"] != 1 || len(s.bounced) != 1 {
		t.Errorf("%v %q", s.got, s.bounced)
	}
}

func TestQmailCleanInTroubleIsAskedAgain(t *testing.T) {
	s := newSite(t)
	var offset time.Duration
	s.now = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return time.Now().Add(offset)
	}
	s.cleanBad = true
	r := s.start()
	id := s.inject("a@b", "joe@here.test")
	r.pull()
	s.until("warning: qmail-clean unable to clean up", 2)
	s.mu.Lock()
	s.cleanBad, offset = false, 125*time.Second
	s.mu.Unlock()
	r.pull()
	s.until(fmt.Sprintf("end msg %d", id), 1)
	s.empty()
	r.stop()
	if s.files() != "" || s.got["joe@here.test"] != 1 {
		t.Errorf("left: %s, %v", s.files(), s.got)
	}
}

func TestTheLogEndsAMessageBeforeItsNumberIsFree(t *testing.T) {
	s := newSite(t)
	s.cleanBad = true
	r := s.start()
	id := s.inject("a@b", "joe@here.test")
	r.pull()
	end := fmt.Sprintf("end msg %d\n", id)
	s.until(end, 1)
	if !s.has(queue.Mess(id)) {
		t.Errorf("left: %s", s.files())
	}
	s.until("qmail-clean unable to clean up "+queue.Mess(id), 1)
	s.mu.Lock()
	s.cleanBad = false
	s.mu.Unlock()
	r.stop()
	if n := strings.Count(s.logged(), end); n != 1 {
		t.Errorf("the message ended %d times:\n%s", n, s.logged())
	}
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	// Times without a monotonic reading cannot tell a jump; with one the difference counts.
	now := time.Now()
	d := idleDaemon(nil, 0)
	d.clock.begin(now)
	if j := d.clock.jump(now.Add(5 * time.Second)); j != 0 {
		t.Errorf("an ordinary second is a jump of %d", j)
	}
	d.desk.sec = 1000
	for _, x := range d.slots {
		x.retry.add(due{1000 + 50, 1})
	}
	d.desk.later = []later{{1000 + 123, nil}}
	d.intake.at = 2500
	d.desk.sec = 400
	d.moved(-600)
	if d.slots[0].retry[0].at != 450 || d.desk.later[0].at != 523 || d.intake.at != 1900 {
		t.Errorf("due at %d, %d, %d", d.slots[0].retry[0].at, d.desk.later[0].at, d.intake.at)
	}
}
