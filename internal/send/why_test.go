package send

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/reasons"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

func TestTheReasonOfADeferralIsLeftForTheQueueTools(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sendctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.reasons = reasons.Create(dir)
	s.deliver = func(_ queue.Channel, o sendproto.Order) (report.Kind, string) {
		if o.Recipient == "slow@far.test" {
			return report.Deferral, "It is slow.\n"
		}
		return report.Success, "ok\n"
	}
	id := s.inject("a@b", "fast@far.test", "slow@far.test")
	r := s.start()
	defer r.stop()
	s.eventually("the reason", func() bool {
		text, at := s.reasons.Last(id, queue.Remote, "slow@far.test", time.Time{})
		return text == "It is slow.\n" && !at.IsZero()
	})
	if text, _ := s.reasons.Last(id, queue.Remote, "fast@far.test", time.Time{}); text != "" {
		t.Errorf("one who has the message waits since %q", text)
	}
}
