// Package rspawn delivers to remote recipients for qmail-rspawn: it runs qmail-remote, or what stands in its place,
// and reads its report. Recipients of one message at one host may share a run.
package rspawn

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/spawn"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
	"qmail/internal/tls/holder"
	"qmail/internal/worker/pool"
)

// keepPerPart is how much of qmail-remote's output is kept for each recipient and for the
// message. It exceeds what one reply of a host and the words around it can be.
const keepPerPart = 16 << 10

// A Deliverer delivers to remote recipients.
type Deliverer struct {
	runner spawn.Runner
	choice choice
	signer signer
	holder holder.Holder // of the key of our certificate
	mu     sync.Mutex
	going  []*going // the deliveries that workers do, the oldest first
}

// A going is a delivery that a worker does.
type going struct {
	worker *pool.Worker
	since  time.Time // when it began, or was last asked to hurry
}

// New returns a Deliverer. The control folder says which program sends.
func New(runner spawn.Runner, d control.Dir) *Deliverer {
	return &Deliverer{runner: runner, choice: choice{control: d}}
}

// Hurry asks the delivery that was begun or asked longest ago to give up, if its host has let it wait. qmail-remote
// knows whether it has.
func (r *Deliverer) Hurry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, g := range r.going {
		if time.Since(g.since) >= hurryAfter {
			g.worker.Signal(syscall.SIGUSR1)
			g.since = time.Now()
			r.going = append(slices.Delete(r.going, i, i+1), g)
			return
		}
	}
}

// hurryAfter is how long a delivery may run before it is asked to hurry. It exceeds what qmail-remote has its host
// answer in at least.
const hurryAfter = 5 * time.Second

// note returns what keeps the list of deliveries that workers do.
func (r *Deliverer) note() func(*pool.Worker) {
	var g *going
	return func(w *pool.Worker) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if w != nil {
			g = &going{w, time.Now()}
			r.going = append(r.going, g)
		} else if i := slices.Index(r.going, g); i >= 0 {
			r.going = slices.Delete(r.going, i, i+1)
		}
	}
}

// Start begins deliveries of one message to one host, in one run.
func (r *Deliverer) Start(list []*spawn.Delivery) {
	for _, d := range list[1:] {
		if hostOf(d) != hostOf(list[0]) {
			refuse(list, report.Defer("4.3.5", "Internal error: group of several hosts."))
			return
		}
	}
	go r.run(list)
}

// run delivers one message to recipients at one host.
func (r *Deliverer) run(group []*spawn.Delivery) {
	first := group[0]
	sender, trouble := r.sender(first.Sender, first.Message)
	if trouble != nil {
		refuse(group, trouble)
		return
	}
	args := []string{first.Host, sender}
	for _, d := range group {
		args = append(args, d.Recipient)
	}
	program, signs := r.choice.program(time.Now())
	var signatures []byte
	if signs {
		if signatures, trouble = r.signatures(first.Message); trouble != nil {
			refuse(group, trouble)
			return
		}
	}
	var key func() (*os.File, error)
	if program == secret && r.choice.certificate() {
		key = r.holder.Admit
	}
	o, err := r.runner.Run(spawn.Job{
		Extra: key,
		Name:  program, Arg0: program, Args: args, Env: environment(signatures, first.Asked), Near: hostOf(first),
		Message: first.Message, Keep: keepPerPart * (len(group) + 1), Worker: r.note(),
	})
	if err != nil {
		refuse(group, report.Of(err))
		return
	}
	// Only a worker tells the address.
	address, err := netip.ParseAddr(string(o.Note))
	if err != nil || address.Zone() != "" {
		address = netip.Addr{}
	}
	for i, e := range read(o, program, len(group)) {
		group[i].Address = address
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
