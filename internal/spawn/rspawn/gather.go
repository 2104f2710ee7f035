package rspawn

import (
	"time"

	"qmail/internal/send/sendproto"
	"qmail/internal/spawn"
)

const (
	// window is how long a delivery waits for others of its message and host. It must be
	// short beside a reply of a distant host.
	window = 3 * time.Millisecond
	// pace is how far apart further deliveries of a message start to a host of which
	// nothing is known, for as long as probation.
	pace      = 10 * time.Millisecond
	probation = 500 * time.Millisecond
	// remembered is how long it counts what is known of a host.
	remembered = 10 * time.Minute
	// lately is how long after one delivery of a message to a host others are expected.
	lately = 2 * time.Second
	// maxHosts and maxKeys bound what is remembered.
	maxHosts, maxKeys = 1000, 1000
	// maxAddresses bounds the recipients' bytes in one run, so that it fits into a worker's packet.
	maxAddresses = sendproto.MaxGroupBytes
)

// A key is what deliveries must have in common to share a run of qmail-remote.
type key struct{ mess, sender, host string }

// A group is some deliveries that wait for more.
type group struct {
	list []*spawn.Delivery
	due  time.Time
}

// A lesson is what a run of qmail-remote told of a host.
type lesson struct {
	host      string
	pipelines bool
}

// A known is what is known of a host.
type known struct {
	pipelines bool
	plain     bool // it does not, or that does not come out
	since     time.Time
}

// A gatherer puts deliveries together that may share a run of qmail-remote. Only a host that is known
// to offer PIPELINING gets several recipients in one transaction, and a delivery waits
// only when another of the same message and host has just been seen: one that is alone goes at once. While
// nothing is known of a host the deliveries of one message go to it one by one, a moment apart, until one of
// them has told, so that a long list does not begin with as many connections as there are slots.
type gatherer struct {
	limit  int                        // the most recipients in one run
	run    func(...[]*spawn.Delivery) // some runs, one after another; does not wait
	groups map[key]*group
	seen   map[key]time.Time // when the last delivery of a key came
	hosts  map[string]known
}

func newGatherer(limit int, run func(...[]*spawn.Delivery)) *gatherer {
	return &gatherer{
		limit: limit, run: run,
		groups: make(map[key]*group), seen: make(map[key]time.Time), hosts: make(map[string]known),
	}
}

// serve owns the gatherer's state for as long as deliveries come, in lists of those that came at once.
func (g *gatherer) serve(deliveries, groups <-chan []*spawn.Delivery, lessons <-chan lesson) {
	timer := time.NewTimer(time.Hour)
	for {
		select {
		case list := <-deliveries:
			g.add(list, time.Now())
		case list := <-groups:
			g.together(list, time.Now())
			continue
		case l := <-lessons:
			g.learn(l, time.Now())
		case <-timer.C:
		}
		timer.Reset(g.flush(time.Now()))
	}
}

// add takes deliveries that came together.
func (g *gatherer) add(list []*spawn.Delivery, now time.Time) {
	for i, d := range list {
		k := key{d.Mess, d.Sender, hostOf(d)}
		if g.limit < 2 || g.host(k.host, now).plain {
			g.run([]*spawn.Delivery{d})
			continue
		}
		gr := g.groups[k]
		if gr == nil {
			expected := now.Sub(g.seen[k]) < lately || anotherOf(k, list[i+1:])
			g.note(k, now)
			if !expected {
				g.run([]*spawn.Delivery{d})
				continue
			}
			gr = &group{due: now.Add(window)}
			g.groups[k] = gr
		}
		gr.list = append(gr.list, d)
		if n := g.fit(gr.list); g.hosts[k.host].pipelines && (n == g.limit || n < len(gr.list)) {
			gr.due = now
		}
	}
}

// together takes a group that qmail-send has made, which has learned from our replies which hosts offer PIPELINING.
// What cannot share a run after all goes one after another: the group has one slot.
func (g *gatherer) together(list []*spawn.Delivery, now time.Time) {
	var parts [][]*spawn.Delivery
	for len(list) > 0 {
		n, host := 1, hostOf(list[0])
		if g.limit > 1 && !g.host(host, now).plain {
			for n < len(list) && hostOf(list[n]) == host {
				n++
			}
			n = g.fit(list[:n])
		}
		parts = append(parts, list[:n:n])
		list = list[n:]
	}
	g.run(parts...)
}

// anotherOf reports whether a list has a delivery of the key.
func anotherOf(k key, list []*spawn.Delivery) bool {
	for _, d := range list {
		if d.Mess == k.mess && d.Sender == k.sender && hostOf(d) == k.host {
			return true
		}
	}
	return false
}

// host returns what is known of a host. A new one is on probation, and counts as plain when that is over.
func (g *gatherer) host(name string, now time.Time) known {
	h, ok := g.hosts[name]
	age := now.Sub(h.since)
	switch {
	case !ok || age > remembered:
		forget(g.hosts, maxHosts, func(h known) bool { return now.Sub(h.since) > remembered })
		h = known{since: now}
	case !h.pipelines && !h.plain && age > probation:
		h.plain = true
	}
	g.hosts[name] = h
	return h
}

// flush runs what is due and returns when more is.
func (g *gatherer) flush(now time.Time) time.Duration {
	next := time.Hour
	for k, gr := range g.groups {
		h := g.host(k.host, now)
		for len(gr.list) > 0 && (gr.due.Sub(now) <= 0 || h.plain) {
			n := 1
			if h.pipelines {
				n = g.fit(gr.list)
			}
			g.run(gr.list[:n:n])
			gr.list = gr.list[n:]
			if !h.pipelines {
				gr.due = now.Add(pace)
			}
		}
		if len(gr.list) == 0 {
			delete(g.groups, k)
			continue
		}
		next = min(next, gr.due.Sub(now))
	}
	return next
}

// fit returns how many of the first deliveries fit into one run.
func (g *gatherer) fit(list []*spawn.Delivery) int {
	n, bytes := 0, 0
	for n < min(g.limit, len(list)) && (n == 0 || bytes+len(list[n].Recipient) <= maxAddresses) {
		bytes += len(list[n].Recipient)
		n++
	}
	return n
}

// note remembers that a delivery of a key came.
func (g *gatherer) note(k key, now time.Time) {
	forget(g.seen, maxKeys, func(t time.Time) bool { return now.Sub(t) > lately })
	g.seen[k] = now
}

// learn remembers whether a host offers PIPELINING, and what waited for that goes.
func (g *gatherer) learn(l lesson, now time.Time) {
	old := g.host(l.host, now)
	if old.pipelines && !l.pipelines {
		return // a run that failed before it could tell
	}
	g.hosts[l.host] = known{pipelines: l.pipelines, plain: !l.pipelines, since: now}
	if !old.pipelines {
		for k, gr := range g.groups {
			if k.host == l.host {
				gr.due = now
			}
		}
	}
}

// forget makes room in a full map: what is old goes, or all where nothing is old.
func forget[K comparable, V any](m map[K]V, limit int, old func(V) bool) {
	if len(m) < limit {
		return
	}
	for k, v := range m {
		if old(v) {
			delete(m, k)
		}
	}
	if len(m) >= limit {
		clear(m)
	}
}
