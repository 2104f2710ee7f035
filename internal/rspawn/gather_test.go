package rspawn

import (
	"strings"
	"testing"
	"time"

	"qmail/internal/sendproto"
	"qmail/internal/spawn"
)

// runs collects what a gatherer runs, each run as the recipients' local parts in a row.
type runs struct{ list []string }

func (r *runs) run(group []*spawn.Delivery) {
	var s string
	for _, d := range group {
		s += d.Local
	}
	r.list = append(r.list, s)
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
	g.learn("far.test", now)
	var list []*spawn.Delivery
	list = append(list, to("1/1", "s", "far.test", "ab")...)
	list = append(list, to("1/1", "other", "far.test", "c")...)
	list = append(list, to("1/1", "s", "FAR.test", "d")...)
	list = append(list, to("1/2", "s", "far.test", "e")...)
	list = append(list, to("1/1", "s", "near.test", "fg")...)
	g.add(list, now)
	if got := r.take(); got != "c e f g" {
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
	g.learn("far.test", now)
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

func TestAHostThatDidNotOfferPipeliningGetsOneRecipientAtATime(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	g.add(to("1/1", "s", "far.test", "abc"), now)
	if got := r.take(); got != "a b c" {
		t.Errorf("unknown: %q", got)
	}
	g.learn("far.test", now)
	g.add(to("1/1", "s", "far.test", "abc"), now.Add(remembered+1))
	if got := r.take(); got != "a b c" {
		t.Errorf("known long ago: %q", got)
	}
}

func TestCombiningCanBeTurnedOff(t *testing.T) {
	for _, limit := range []int{0, 1} {
		var r runs
		g := newGatherer(limit, r.run)
		now := time.Now()
		g.learn("far.test", now)
		g.add(to("1/1", "s", "far.test", "abc"), now)
		if got := r.take(); got != "a b c" {
			t.Errorf("%d: %q", limit, got)
		}
	}
}

func TestAFullGroupGoesWithoutWaitingAndTheNextOneIsNotLate(t *testing.T) {
	var r runs
	g := newGatherer(3, r.run)
	now := time.Now()
	g.learn("far.test", now)
	g.add(to("1/1", "s", "far.test", "abcdefgh"), now)
	if got := r.take(); got != "abc def" {
		t.Errorf("%q", got)
	}
	g.flush(now.Add(window))
	if got := r.take(); got != "gh" {
		t.Errorf("%q", got)
	}
	long := to("1/2", "s", "far.test", "ijkl")
	for _, d := range long {
		d.Recipient = strings.Repeat("x", maxAddresses/2) + "@far.test"
	}
	g.add(long, now)
	if got := r.take(); got != "ij kl" {
		t.Errorf("long addresses: %q", got)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	var r runs
	g := newGatherer(50, r.run)
	now := time.Now()
	for i := range 5 * maxHosts {
		host := "h" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + time.Duration(i).String()
		g.learn(host, now)
		g.add(to("1/1", "s", host, "a"), now)
	}
	if len(g.pipes) > maxHosts || len(g.seen) > maxKeys {
		t.Errorf("%d hosts, %d keys", len(g.pipes), len(g.seen))
	}
}
