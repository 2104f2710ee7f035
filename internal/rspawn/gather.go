package rspawn

import (
	"time"

	"qmail/internal/spawn"
)

const (
	// window is how long a delivery waits for others of its message and host. It must be
	// short beside a reply of a distant host.
	window = 3 * time.Millisecond
	// remembered is how long a host counts as one that offers PIPELINING.
	remembered = 10 * time.Minute
	// lately is how long after one delivery of a message to a host others are expected.
	lately = 2 * time.Second
	// maxHosts and maxKeys bound what is remembered.
	maxHosts, maxKeys = 1000, 1000
	// maxAddresses bounds the recipients' bytes in one run, so that it fits into a worker's packet.
	maxAddresses = 16 << 10
)

// A key is what deliveries must have in common to share a run of qmail-remote.
type key struct{ mess, sender, host string }

// A group is some deliveries that wait for more.
type group struct {
	key   key
	list  []*spawn.Delivery
	bytes int
	due   time.Time
	gone  bool // it runs
}

// A gatherer puts deliveries together that may share a run of qmail-remote. Only a host that is known
// to offer PIPELINING gets several recipients in one transaction, and a delivery waits
// only when another of the same message and host has just been seen: one that is alone goes at once.
type gatherer struct {
	limit   int
	run     func([]*spawn.Delivery) // does not wait
	groups  map[key]*group
	seen    map[key]time.Time    // when the last delivery of a key came
	pipes   map[string]time.Time // when a host last offered PIPELINING
	waiting []*group             // the oldest first; those that are gone stay until their time
}

func newGatherer(limit int, run func([]*spawn.Delivery)) *gatherer {
	return &gatherer{
		limit: limit, run: run,
		groups: make(map[key]*group), seen: make(map[key]time.Time), pipes: make(map[string]time.Time),
	}
}

// serve owns the gatherer's state for as long as deliveries come, in lists of those that came at
// once; pipelining takes the names of hosts that offered it.
func (g *gatherer) serve(deliveries <-chan []*spawn.Delivery, pipelining <-chan string) {
	timer := time.NewTimer(time.Hour)
	for {
		select {
		case list := <-deliveries:
			g.add(list, time.Now())
		case host := <-pipelining:
			g.learn(host, time.Now())
		case <-timer.C:
		}
		timer.Reset(g.flush(time.Now()))
	}
}

// add takes deliveries that came together.
func (g *gatherer) add(list []*spawn.Delivery, now time.Time) {
	for i, d := range list {
		k := key{d.Mess, d.Sender, hostOf(d)}
		if g.limit < 2 || now.Sub(g.pipes[k.host]) > remembered {
			g.run([]*spawn.Delivery{d})
			continue
		}
		if gr := g.groups[k]; gr != nil {
			g.join(gr, d)
			continue
		}
		recent := now.Sub(g.seen[k]) < lately
		g.note(k, now)
		if !recent && !anotherOf(k, list[i+1:]) {
			g.run([]*spawn.Delivery{d})
			continue
		}
		gr := &group{key: k, due: now.Add(window)}
		g.groups[k] = gr
		g.waiting = append(g.waiting, gr)
		g.join(gr, d)
	}
}

func anotherOf(k key, list []*spawn.Delivery) bool {
	for _, d := range list {
		if d.Mess == k.mess && d.Sender == k.sender && hostOf(d) == k.host {
			return true
		}
	}
	return false
}

// join adds a delivery to a group, which goes when it is full.
func (g *gatherer) join(gr *group, d *spawn.Delivery) {
	gr.list = append(gr.list, d)
	gr.bytes += len(d.Recipient)
	if len(gr.list) >= g.limit || gr.bytes >= maxAddresses {
		g.release(gr)
	}
}

func (g *gatherer) release(gr *group) {
	delete(g.groups, gr.key)
	gr.gone = true
	g.run(gr.list)
}

// flush runs the groups that are due and returns when the next one is.
func (g *gatherer) flush(now time.Time) time.Duration {
	for len(g.waiting) > 0 {
		gr := g.waiting[0]
		if wait := gr.due.Sub(now); wait > 0 {
			return wait
		}
		if !gr.gone {
			g.release(gr)
		}
		g.waiting = g.waiting[1:]
	}
	g.waiting = nil
	return time.Hour
}

// note remembers that a delivery of a key came.
func (g *gatherer) note(k key, now time.Time) {
	forget(g.seen, maxKeys, now, lately)
	g.seen[k] = now
}

// learn remembers that a host offers PIPELINING.
func (g *gatherer) learn(host string, now time.Time) {
	forget(g.pipes, maxHosts, now, remembered)
	g.pipes[host] = now
}

// forget makes room in a full map of times: what is old goes, or all where nothing is old.
func forget[K comparable](m map[K]time.Time, limit int, now time.Time, age time.Duration) {
	if len(m) < limit {
		return
	}
	for k, t := range m {
		if now.Sub(t) > age {
			delete(m, k)
		}
	}
	if len(m) >= limit {
		clear(m)
	}
}
