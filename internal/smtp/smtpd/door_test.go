package smtpd

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// no is a door that says no at one stage, and notes what it was asked.
type no struct {
	at    Stage
	reply string
	asked []Stage
	last  Visit
}

func (n *no) Admit(stage Stage, v *Visit) string {
	n.asked, n.last = append(n.asked, stage), *v
	if stage == n.at {
		return n.reply
	}
	return ""
}

func TestADoorIsAskedAtEachStageAndCanRefuseIt(t *testing.T) {
	const whole = "HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@m.test>\r\nDATA\r\n.\r\nQUIT\r\n"
	all := []Stage{AtConnect, AtHelo, AtMail, AtRcpt, AtData}
	for _, c := range []struct {
		at             Stage
		reply, replies string
		asked          int
	}{
		{-1, "", "220 250 250 250 354 250 221", 5},
		{AtConnect, "554 no", "554", 1},
		{AtHelo, "553 no", "220 553 250 250 354 250 221", 5},
		{AtMail, "553 no", "220 250 553 503 503 502 221", 3},
		{AtMail, "421 no", "220 250 421", 3},
		{AtRcpt, "550 no", "220 250 250 550 503 502 221", 4},
		{AtData, "450 no", "220 250 250 250 450 502 221", 5},
	} {
		w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "m.test\n"})
		d := &no{at: c.at, reply: c.reply}
		s := w.server()
		s.Doors = func() ([]Door, error) { return []Door{d, &no{at: -1}}, nil }
		replies, _ := w.with(s, whole)
		if got := codes(replies); got != c.replies {
			t.Errorf("%v: %s; want %s", c.at, got, c.replies)
		}
		if !slices.Equal(d.asked, all[:c.asked]) {
			t.Errorf("%v: asked at %v", c.at, d.asked)
		}
		if c.at == AtRcpt && (d.last.Sender != "a@b" || d.last.Recipient != "x@m.test" || d.last.Helo != "x") {
			t.Errorf("it is told %+v", d.last)
		}
	}
}

func TestWithoutItsDoorsNoSessionIsHeld(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	s := w.server()
	s.Doors = func() ([]Door, error) { return nil, errors.New("a list cannot be read") }
	if replies, code := w.with(s, "QUIT\r\n"); !strings.HasPrefix(replies, "421 ") || code != ended {
		t.Errorf("%q, %v", replies, code)
	}
}

func TestADoorIsToldThatWhoHasLoggedInMayRelay(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "m.test\n"})
	d := &no{at: -1}
	s := w.withTLS(false)
	s.Login, s.Doors = new(book), func() ([]Door, error) { return []Door{d}, nil }
	g := visit(t, s)
	g.say("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@m.test>\r\n", "220", "250", "250", "250")
	if d.last.Relays {
		t.Error("a stranger may")
	}
	g.say("STARTTLS\r\n", "220")
	g.encrypt()
	g.say("AUTH PLAIN "+b64("\x00joe\x00pw")+"\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@far.test>\r\n", "235", "250", "250")
	if !d.last.Relays {
		t.Error("who has logged in may not")
	}
	g.say("QUIT\r\n", "221")
	<-g.done
}
