// Package rspawn delivers to remote recipients for qmail-rspawn: it runs qmail-remote and reads
// its report. Recipients of one message at one host may share a run.
package rspawn

import (
	"qmail/internal/ascii"
	"qmail/internal/report"
	"qmail/internal/spawn"
)

// keepPerPart is how much of qmail-remote's output is kept for each recipient and for the
// message. It exceeds what one reply of a host and the words around it can be.
const keepPerPart = 16 << 10

// A Deliverer delivers to remote recipients.
type Deliverer struct {
	runner     spawn.Runner
	deliveries chan []*spawn.Delivery
}

// New returns a Deliverer that gives qmail-remote at most combine recipients at a time.
func New(runner spawn.Runner, combine int) *Deliverer {
	r := &Deliverer{runner, make(chan []*spawn.Delivery)}
	lessons := make(chan lesson)
	g := newGatherer(combine, func(group []*spawn.Delivery) {
		go func() {
			if pipelines, known := r.run(group); known {
				lessons <- lesson{hostOf(group[0]), pipelines}
			}
		}()
	})
	go g.serve(r.deliveries, lessons)
	return r
}

// Start begins some deliveries.
func (r *Deliverer) Start(list []*spawn.Delivery) { r.deliveries <- list }

// run delivers one message to recipients at one host and reports whether that offered PIPELINING. Only
// a worker tells.
func (r *Deliverer) run(group []*spawn.Delivery) (pipelines, known bool) {
	first := group[0]
	args := []string{first.Host, first.Sender}
	for _, d := range group {
		args = append(args, d.Recipient)
	}
	o, err := r.runner.Run(spawn.Job{
		Name: "qmail-remote", Arg0: "qmail-remote", Args: args, Near: hostOf(first),
		Message: first.Message, Keep: keepPerPart * (len(group) + 1),
	})
	if err != nil {
		t := report.Of(err)
		for _, d := range group {
			d.Reply(t.Kind, spawn.Text(t))
		}
		return false, false
	}
	for i, e := range read(o, len(group)) {
		group[i].Reply(e.kind, e.text)
	}
	return string(o.Note) == "pipelining", o.Worker
}

func hostOf(d *spawn.Delivery) string { return ascii.LowerString(d.Host) }
