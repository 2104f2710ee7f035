package rspawn

import (
	"strings"
	"testing"
	"time"

	"qmail/internal/send/sendproto"
	"qmail/internal/spawn"
)

// runs collects what a gatherer runs, each run as the recipients' local parts in a row, with > between
// those that go one after another.
type runs struct{ list []string }

func (r *runs) run(sequence ...[]*spawn.Delivery) {
	var s []string
	for _, group := range sequence {
		locals := ""
		for _, d := range group {
			locals += d.Local
		}
		s = append(s, locals)
	}
	r.list = append(r.list, strings.Join(s, ">"))
}

func (r *runs) take() string {
	s := strings.Join(r.list, " ")
	r.list = nil
	return s
}

// to makes deliveries of one message to recipients of one letter each.
func to(mess, sender, host, locals string) []*spawn.Delivery {
	var list []*spawn.Delivery
	for _, l := range locals {
		local := string(l)
		list = append(list, &spawn.Delivery{
			Order: sendproto.Order{Mess: mess, Sender: sender, Recipient: local + "@" + host}, Local: local, Host: host,
		})
	}
	return list
}

func TestRecipientsOfOneMessageAndHostThatCameTogetherShareARun(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	g.learn(lesson{"far.test", true}, now)
	var list []*spawn.Delivery
	list = append(list, to("1/1", "s", "far.test", "ab")...)
	list = append(list, to("1/1", "other", "far.test", "c")...)
	list = append(list, to("1/1", "s", "FAR.test", "d")...)
	list = append(list, to("1/2", "s", "far.test", "e")...)
	list = append(list, to("1/1", "s", "near.test", "f")...)
	g.add(list, now)
	if got := r.take(); got != "c e f" {
		t.Errorf("at once: %q", got)
	}
	if wait := g.flush(now); wait <= 0 || wait > window {
		t.Errorf("waits %v", wait)
	}
	g.add(to("1/1", "s", "far.test", "h"), now.Add(window/2))
	g.flush(now.Add(window))
	if got := r.take(); got != "abdh" {
		t.Errorf("after the window: %q", got)
	}
	if len(g.groups) != 0 || g.flush(now.Add(2*window)) < time.Minute {
		t.Error("something still waits")
	}
}

func TestADeliveryThatIsAloneGoesAtOnce(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	g.learn(lesson{"far.test", true}, now)
	for _, local := range []string{"a", "b", "c"} {
		g.add(to("1/"+local, "s", "far.test", local), now)
		if got := r.take(); got != local {
			t.Errorf("%q", got)
		}
	}
	g.add(to("1/a", "s", "far.test", "d"), now.Add(lately))
	if got := r.take(); got != "d" {
		t.Errorf("long after: %q", got)
	}
	g.add(to("1/a", "s", "far.test", "e"), now.Add(lately))
	if got := r.take(); got != "" {
		t.Errorf("right after another: %q went at once", got)
	}
}

func TestAHostThatDoesNotOfferPipeliningGetsOneRecipientAtATimeAtOnce(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	g.learn(lesson{"far.test", false}, now)
	g.add(to("1/1", "s", "far.test", "abc"), now)
	if got := r.take(); got != "a b c" {
		t.Errorf("%q", got)
	}
}

func TestToAnUnknownHostDeliveriesOfAMessageGoOneByOneUntilItIsKnown(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	g.add(to("1/1", "s", "far.test", "abcdefg"), now)
	g.add(to("1/2", "s", "far.test", "x"), now)
	for i, want := range []string{"x", "a", "b", "c"} {
		if got := r.take(); got != want {
			t.Errorf("after %d: %q", i, got)
		}
		now = now.Add(max(0, g.flush(now)))
		g.flush(now)
	}
	r.take()
	g.learn(lesson{"far.test", true}, now)
	g.flush(now)
	if got := r.take(); got != "efg" {
		t.Errorf("when it is known: %q", got)
	}
	g.add(to("1/1", "s", "far.test", "hi"), now.Add(remembered+time.Second))
	if g.flush(now.Add(remembered + time.Second + window)); r.take() != "h" {
		t.Error("what was known long ago still counts")
	}
}

func TestNoDeliveryWaitsLongForAHostToBecomeKnown(t *testing.T) {
	for name, lessons := range map[string][]lesson{"silence": nil, "plain": {{"far.test", false}}} {
		var r runs
		g := newGatherer(50, r.run)
		begin := time.Now()
		now := begin
		var locals string
		for range 1000 {
			locals += "a"
		}
		g.add(to("1/1", "s", "far.test", locals), now)
		for _, l := range lessons {
			g.learn(l, now)
		}
		for wait := g.flush(now); wait < time.Minute; wait = g.flush(now) {
			now = now.Add(wait)
		}
		if len(r.list) != 1000 || now.Sub(begin) > probation+2*pace {
			t.Errorf("%s: %d runs after %v", name, len(r.list), now.Sub(begin))
		}
		for _, run := range r.list {
			if run != "a" {
				t.Fatalf("%s: a run of %q", name, run)
			}
		}
	}
}

func TestCombiningCanBeTurnedOff(t *testing.T) {
	for _, limit := range []int{0, 1} {
		var r runs
		g := newGatherer(limit, r.run)
		now := time.Now()
		g.learn(lesson{"far.test", true}, now)
		g.add(to("1/1", "s", "far.test", "abc"), now)
		if got := r.take(); got != "a b c" {
			t.Errorf("%d: %q", limit, got)
		}
	}
}

func TestAFullGroupGoesWithoutWaiting(t *testing.T) {
	var r runs
	g := newGatherer(3, r.run)
	now := time.Now()
	g.learn(lesson{"far.test", true}, now)
	g.add(to("1/1", "s", "far.test", "ab"), now)
	g.flush(now)
	if got := r.take(); got != "" {
		t.Errorf("not full: %q", got)
	}
	g.add(to("1/1", "s", "far.test", "cdefgh"), now)
	g.flush(now)
	if got := r.take(); got != "abc def gh" {
		t.Errorf("full: %q", got)
	}
	long := to("1/2", "s", "far.test", "ijkl")
	for _, d := range long {
		d.Recipient = strings.Repeat("x", maxAddresses/2) + "x@far.test"
	}
	g.add(long, now)
	g.flush(now)
	if got := r.take(); got != "i j k l" {
		t.Errorf("long addresses: %q", got)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	for i := range 5 * maxHosts {
		host := "h" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + time.Duration(i).String()
		g.learn(lesson{host, true}, now)
		g.add(to("1/1", "s", host, "a"), now)
	}
	if len(g.hosts) > maxHosts || len(g.seen) > maxKeys {
		t.Errorf("%d hosts, %d keys", len(g.hosts), len(g.seen))
	}
}

func TestAGroupOfQmailSendsGoesAtOnceAndOnlyOneRunAtATime(t *testing.T) {
	var r runs
	g := newGatherer(3, r.run)
	now := time.Now()
	check := func(what string, list []*spawn.Delivery, want string) {
		t.Helper()
		g.together(list, now)
		if got := r.take(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	g.learn(lesson{"far.test", true}, now)
	g.learn(lesson{"plain.test", false}, now)
	check("one", to("1/1", "s", "far.test", "a"), "a")
	check("several", to("1/1", "s", "far.test", "abc"), "abc")
	check("more than may be", to("1/1", "s", "far.test", "abcdefg"), "abc>def>g")
	check("to a host that is forgotten", to("1/1", "s", "new.test", "ab"), "ab")
	check("to a plain host", to("1/1", "s", "plain.test", "abc"), "a>b>c")
	several := append(to("1/1", "s", "far.test", "ab"), to("1/1", "s", "FAR.test", "c")...)
	check("to several hosts", append(several, to("1/1", "s", "x.test", "de")...), "abc>de")
	long := to("1/1", "s", "far.test", "abc")
	for _, d := range long {
		d.Recipient = strings.Repeat("x", maxAddresses/2) + "x@far.test"
	}
	check("long addresses", long, "a>b>c")
	g = newGatherer(1, r.run)
	g.learn(lesson{"far.test", true}, now)
	check("when that is off", to("1/1", "s", "far.test", "ab"), "a>b")
}
