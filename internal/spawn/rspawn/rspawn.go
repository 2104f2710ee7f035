// Package rspawn delivers to remote recipients for qmail-rspawn: it runs qmail-remote and reads
// its report. Recipients of one message at one host may share a run.
package rspawn

import (
	"io"

	"qmail/internal/send/sendproto"
	"qmail/internal/spawn"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

// keepPerPart is how much of qmail-remote's output is kept for each recipient and for the
// message. It exceeds what one reply of a host and the words around it can be.
const keepPerPart = 16 << 10

// A Deliverer delivers to remote recipients.
type Deliverer struct {
	runner             spawn.Runner
	deliveries, groups chan []*spawn.Delivery
	lessons            chan lesson
}

// New returns a Deliverer that gives qmail-remote at most combine recipients at a time.
func New(runner spawn.Runner, combine int) *Deliverer {
	r := &Deliverer{runner, make(chan []*spawn.Delivery), make(chan []*spawn.Delivery), make(chan lesson)}
	g := newGatherer(combine, func(runs ...[]*spawn.Delivery) { go r.sequence(runs) })
	go g.serve(r.deliveries, r.groups, r.lessons)
	return r
}

// Start begins some deliveries.
func (r *Deliverer) Start(list []*spawn.Delivery) { r.deliveries <- list }

// StartGroup begins the deliveries of a group, in as few runs as may be, one at a time.
func (r *Deliverer) StartGroup(list []*spawn.Delivery) { r.groups <- list }

// sequence runs qmail-remote for some lists of recipients, one after another. They share the open message.
func (r *Deliverer) sequence(runs [][]*spawn.Delivery) {
	for i, list := range runs {
		if i > 0 {
			if _, err := list[0].Message.Seek(0, io.SeekStart); err != nil {
				refuse(list, report.Defer("4.3.0", "qmail-spawn unable to read message."))
				continue
			}
		}
		r.run(list)
	}
}

// run delivers one message to recipients at one host. Whether that offered PIPELINING, which only a worker tells,
// is known here before any reply: what qmail-send then sends may rely on it.
func (r *Deliverer) run(group []*spawn.Delivery) {
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
		refuse(group, report.Of(err))
		return
	}
	news := sendproto.Unknown
	if o.Worker {
		l := lesson{hostOf(first), string(o.Note) == "pipelining"}
		news = sendproto.Plain
		if l.pipelines {
			news = sendproto.Pipelines
		}
		r.lessons <- l
	}
	for i, e := range read(o, len(group)) {
		group[i].News = news
		group[i].Reply(e.kind, e.text)
	}
}

// refuse replies to deliveries that were not begun.
func refuse(list []*spawn.Delivery, t *report.Report) {
	for _, d := range list {
		d.Reply(t.Kind, spawn.Text(t))
	}
}

func hostOf(d *spawn.Delivery) string { return ascii.LowerString(d.Host) }
