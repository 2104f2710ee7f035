package send

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

func TestWhatIsUnderWayWhenTheClockIsSetBackIsNotPutOff(t *testing.T) {
	d := idleDaemon(nil, 1000)
	j := &job{retry: 10000 + 400}
	soon := &job{retry: 1005}
	d.messages.active = map[queue.ID]*message{
		7: {birth: 9000, jobs: [2]*job{nil, j}},
		8: {birth: 500, jobs: [2]*job{soon}, direct: &direct{since: 9999}},
	}
	d.moved(-9000)
	if a, b := d.messages.active[7], d.messages.active[8]; a.birth != 1000 || j.retry != 1400 || b.birth != 500 ||
		soon.retry != 1000 ||
		b.direct.since != 999 {
		t.Errorf("born at %d and %d, tried at %d and %d, begun at %d", a.birth, b.birth, j.retry, soon.retry, b.direct.since)
	}
}

func TestMailOfTheFutureIsTriedSoonAndGetsOldFromNowOn(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	var offset time.Duration
	willing := false
	s.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}
	s.deliver = func(queue.Channel, sendproto.Order) (report.Kind, string) {
		mu.Lock()
		defer mu.Unlock()
		if willing {
			return report.Success, ""
		}
		return report.Deferral, "not yet"
	}
	id := s.inject("a@here.test", "joe@here.test", "sam@far.test")
	r := s.start()
	s.until("deferral", 2)
	r.stop()
	wrong := time.Now().Add(10 * 365 * 24 * time.Hour)
	info := filepath.Join(s.dir, queue.Info(id))
	for _, name := range []string{queue.Info(id), queue.Local.File(id), queue.Remote.File(id)} {
		if err := os.Chtimes(filepath.Join(s.dir, name), wrong, wrong); err != nil {
			t.Fatal(err)
		}
	}

	// go on until there are so many lines that say so.
	until := func(text string, n int) {
		t.Helper()
		s.eventually(text, func() bool {
			mu.Lock()
			offset += 20 * time.Second
			passed := offset
			mu.Unlock()
			r.pull()
			if passed > 30*24*time.Hour {
				t.Fatalf("not %d lines with %q within %v:\n%s", n, text, passed, s.logged())
			}
			return strings.Count(s.logged(), text) >= n
		})
	}
	r = s.start()
	until("deferral", 4)
	fi, err := os.Stat(info)
	if err != nil || fi.ModTime().After(s.now()) {
		t.Errorf("born at %v after the first attempt, %v", fi.ModTime(), err)
	}
	until("deferral", 6)
	mu.Lock()
	willing = true
	mu.Unlock()
	until("end msg", 1)
	r.stop()
	if s.got["joe@here.test"] != 1 || s.got["sam@far.test"] != 1 || s.files() != "" || len(s.bounced) > 0 {
		t.Errorf("%v, left: %s, bounced: %q", s.got, s.files(), s.bounced)
	}
}
