package send

import (
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/dsn"
	"qmail/internal/text/report"
)

// ask puts a message into the queue whose sender asks for something about each recipient, and about the message.
func (s *site) ask(sender string, about dsn.Message, rcpts ...[2]string) queue.ID {
	s.t.Helper()
	q := queue.Open(s.dir, nil)
	in, err := q.Begin(77, time.Now())
	if err == nil {
		err = in.Text([]byte("Received: x\n"), strings.NewReader("Subject: t\n\nhello\n"))
	}
	if err == nil {
		err = in.Envelope(1, 77)
	}
	if err == nil {
		in.Record([]byte("F" + sender + "\x00"))
		for _, r := range rcpts {
			in.Record([]byte("T" + r[0] + "\x00"))
		}
		if about != (dsn.Message{}) {
			in.Parameter(dsn.Record{Message: about, N: -1}.Append(nil))
		}
		for n, r := range rcpts {
			if p, ok := dsn.ParseRecord(";NOTIFY=" + r[1]); ok {
				p.N = n
				in.Parameter(p.Append(nil))
			}
		}
		err = in.Commit()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return in.ID()
}

// by says how deliveries end by the first word of the address.
func by(c queue.Channel, o sendproto.Order) (report.Kind, string) {
	switch word, _, _ := strings.Cut(o.Recipient, "-"); word {
	case "bad":
		return report.Failure, "no (#5.1.1)\n"
	case "late":
		return report.Deferral, "later (#4.3.0)\n"
	case "fwd":
		return report.Success, "did 0+1+0\nqp 5\n"
	case "list":
		return report.Success, "did 0+2+0\nqp 5\n"
	case "ends":
		return report.Success, "192.0.2.1" + dsn.PassedOn + "Remote host said: 250 ok\n"
	}
	if c == queue.Remote {
		return report.Success, "192.0.2.1 accepted message.\nRemote host said: 192.0.2.1" + dsn.PassedOn
	}
	return report.Success, "did 1+0+0\n"
}

// actions returns the recipients of a report with their actions, sorted.
func actions(text string) string {
	var list []string
	for _, g := range strings.Split(text, "\n\n") {
		_, to, ok := strings.Cut(g, "Final-Recipient: rfc822; ")
		if !ok {
			continue
		}
		to, rest, _ := strings.Cut(to, "\n")
		action, _, _ := strings.Cut(strings.TrimPrefix(rest, "Action: "), "\n")
		list = append(list, strings.Split(to, "@")[0]+" "+action)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func TestASenderIsToldWhatItAsksForAndNoMore(t *testing.T) {
	for _, c := range []struct {
		sender string
		rcpts  [][2]string
		want   string // in the one report; empty: there is none
	}{
		{"s@far.test", [][2]string{{"ok-1@here.test", "SUCCESS"}, {"ok-2@here.test", ""}}, "ok-1 delivered"},
		{"s@far.test", [][2]string{{"ok-1@far.test", "SUCCESS"}, {"ends-2@far.test", "SUCCESS"}}, "ok-1 relayed"},
		{"s@far.test", [][2]string{{"fwd-1@here.test", "SUCCESS"}, {"list-2@here.test", "SUCCESS,DELAY"}},
			"fwd-1 relayed, list-2 expanded"},
		{"s@far.test", [][2]string{{"bad-1@here.test", "NEVER"}, {"bad-2@here.test", "SUCCESS"}}, ""},
		{"s@far.test", [][2]string{{"bad-1@here.test", "FAILURE"}, {"bad-2@here.test", ""},
			{"ok-3@here.test", "FAILURE,SUCCESS"}}, "bad-1 failed, bad-2 failed, ok-3 delivered"},
		{"", [][2]string{{"ok-1@here.test", "SUCCESS"}, {"bad-2@here.test", "NEVER"}}, ""},
		{"#@[]", [][2]string{{"ok-1@here.test", "SUCCESS,DELAY"}}, ""},
	} {
		s := newSite(t)
		s.deliver = by
		s.set("concurrencylocal", "1\n")
		s.set("concurrencyremote", "1\n")
		s.ask(c.sender, dsn.Message{Ret: "HDRS", EnvID: "e"}, c.rcpts...)
		r := s.start()
		s.until("end msg", 1)
		s.empty()
		r.stop()
		switch {
		case c.want == "" && len(s.bounced) == 0:
		case c.want == "" || len(s.bounced) != 1:
			t.Errorf("%v: %q", c.rcpts, s.bounced)
		case actions(s.bounced[0]) != c.want, strings.Contains(s.bounced[0], "hello"),
			!strings.HasPrefix(s.bounced[0], "F Ts@far.test\n"),
			!strings.Contains(s.bounced[0], "\nOriginal-Envelope-Id: e\n"):
			t.Errorf("%v: %q", c.rcpts, s.bounced[0])
		}
	}
}

func TestASenderIsToldOfADelayOnceWhateverIsStartedAnew(t *testing.T) {
	s := newSite(t)
	var later atomic.Int64
	s.now = func() time.Time { return time.Now().Add(time.Duration(later.Load()) * time.Second) }
	s.deliver = by
	s.set("queuewarn", "1000\n")
	s.ask("s@far.test", dsn.Message{}, [2]string{"late-1@here.test", "DELAY"}, [2]string{"late-2@here.test", "FAILURE"},
		[2]string{"late-3@here.test", "DELAY,SUCCESS"})
	r := s.start()
	s.until("deferral", 3)
	r.stop()
	if len(s.bounced) > 0 {
		t.Errorf("too early: %q", s.bounced)
	}
	for pass := range 3 {
		later.Store(2000 + 5000*int64(pass))
		r = s.start()
		s.until("deferral", 3*(2+pass))
		s.until("bounce msg", 1)
		r.stop()
	}
	if len(s.bounced) != 1 || actions(s.bounced[0]) != "late-1 delayed, late-3 delayed" {
		t.Fatalf("%d: %q", len(s.bounced), s.bounced)
	}
	later.Store(700_000)
	r = s.start()
	s.until("end msg", 1)
	s.empty()
	r.stop()
	if len(s.bounced) != 2 || !strings.Contains(actions(s.bounced[1]), "late-2 failed") ||
		strings.Contains(actions(s.bounced[1]), "late-1") {
		t.Errorf("%q", s.bounced)
	}
}

// deaf is a disk on which no bounce can be written.
type deaf struct{ queue.FS }

func (deaf) Append(name string, _ fs.FileMode) (queue.File, error) {
	return nil, &fs.PathError{Op: "append", Path: name, Err: syscall.EIO}
}

func TestWhatWasDeliveredIsNotDeliveredAgainWhereItCannotBeTold(t *testing.T) {
	s := newSite(t)
	s.deliver = by
	s.fs = deaf{queue.Disk(s.dir)}
	s.ask("s@far.test", dsn.Message{}, [2]string{"ok-1@here.test", "SUCCESS"})
	r := s.start()
	s.until("end msg", 1)
	s.empty()
	r.stop()
	if s.got["ok-1@here.test"] != 1 || len(s.bounced) != 0 {
		t.Errorf("%v %q", s.got, s.bounced)
	}
}

func TestWhatALocalDeliveryWasIsReadFromItsLastWords(t *testing.T) {
	for text, want := range map[string]bounce.Action{
		"did 1+0+0\n": bounce.Delivered, "did 0+1+0\nqp 9\n": bounce.Relayed, "did 0+2+0\n": bounce.Expanded,
		"did 0+2+1\n": bounce.Delivered, "did 0+0+0\n": bounce.Delivered, "": bounce.Delivered, "did": bounce.Delivered,
		"did 0+5+0\ndid 1+0+0\n": bounce.Delivered, "did x+-1+\n": bounce.Delivered, "did 0+1\n": bounce.Delivered,
	} {
		if got, tells := becameOf(queue.Local, []byte(text)); got != want || !tells {
			t.Errorf("%q: %v", text, got)
		}
	}
}
