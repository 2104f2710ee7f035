package send

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// BenchmarkWaiting starts with 100,000 messages that wait, and measures what they cost: bytes for each, time until
// all are known, and how long new messages take, beside an empty queue and in a storm of retries.
func BenchmarkWaiting(b *testing.B) {
	const messages = 100000
	s := newSite(b)
	next := time.Now().Add(time.Hour)
	empty := latency(s)
	for i := range messages {
		id := queue.ID(1<<40) + queue.ID(i)
		for _, f := range [...]struct{ name, text string }{
			{queue.Mess(id), "x\n"}, {queue.Info(id), "Fsender@here.test\x00"},
			{queue.Remote.File(id), "Tsomebody@far.test\x00"},
		} {
			if err := os.WriteFile(filepath.Join(s.dir, f.name), []byte(f.text), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		os.Chtimes(filepath.Join(s.dir, queue.Remote.File(id)), next, next)
	}
	s.deliver = func(c queue.Channel, o sendproto.Order) (report.Kind, string) {
		if c == queue.Remote {
			time.Sleep(10 * time.Millisecond)
			return report.Deferral, "later"
		}
		return report.Success, ""
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := time.Now()
		r := s.start()
		s.until("status", 1)
		first := time.Since(begin)
		r.ask('n', 1) // is answered when the scan is over
		all := time.Since(begin)
		runtime.GC()
		runtime.ReadMemStats(&after)
		waiting := p99(s, r)
		r.ask('a', 0)
		storm := p99(s, r)
		r.stop()
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/messages, "bytes/message")
		b.ReportMetric(first.Seconds(), "s-to-status")
		b.ReportMetric(all.Seconds(), "s-to-scan")
		b.ReportMetric(empty.Seconds()*1e3, "ms-p99-empty")
		b.ReportMetric(waiting.Seconds()*1e3, "ms-p99-waiting")
		b.ReportMetric(storm.Seconds()*1e3, "ms-p99-storm")
	}
}

// latency is the 99th percentile with an empty queue.
func latency(s *site) time.Duration {
	r := s.start()
	defer r.stop()
	return p99(s, r)
}

// p99 injects messages one after the other and returns the 99th percentile of the time to their delivery.
func p99(s *site, r *run) time.Duration {
	var took []time.Duration
	for i := range 300 {
		rcpt := fmt.Sprintf("u%d.%d@here.test", i, time.Now().UnixNano())
		s.inject("a@b", rcpt)
		begin := time.Now()
		r.pull()
		for {
			s.mu.Lock()
			n := s.got[rcpt]
			s.mu.Unlock()
			if n > 0 {
				break
			}
			time.Sleep(20 * time.Microsecond)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
