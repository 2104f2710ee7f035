// Bench measures this suite, and Postfix where it is installed, side by side: the same workloads on one system
// after the other, in rounds, in a world of their own on an ext4 of their own. It prints the medians and writes a plot.
//
//	make bench [BENCHFLAGS="-n 3 -w smtp10,relay -flush 5ms"]
//
// It needs root, Linux, and mkfs.ext4.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"qmail/internal/dev/testqmail"
)

// options are the flags.
type options struct {
	rounds    int
	workloads string
	systems   string
	listen    bool
	workers   bool
	plot      string
	size      string
	scale     float64
	flush     time.Duration
	waiting   int
	limit     time.Duration
	keep      string
	check     string
	base      string // the installed tree; set for the process inside
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "n", 3, "rounds")
	flag.StringVar(&o.workloads, "w", "inject,smtp,smtp10,relay,list", "workloads")
	flag.StringVar(&o.systems, "s", "qmail,postfix", "systems; one that is not installed is left out")
	flag.BoolVar(&o.listen, "listen", true, "reach qmail-smtpd through a listening tcp-env; otherwise through tcpserver")
	flag.BoolVar(&o.workers, "workers", true, "have our programs do more than one job; otherwise each is started for each")
	flag.StringVar(&o.plot, "svg", "bench.svg", "file for the plot; empty: none")
	flag.StringVar(&o.size, "disk", "",
		"size of the disk; usually 4G, or with waiting messages as much as their inodes need")
	flag.Float64Var(&o.scale, "scale", 1, "multiplies the number of messages of each workload")
	flag.DurationVar(&o.flush, "flush", 0, "have every flush of the disk take so long; needs /dev/fuse")
	flag.IntVar(&o.waiting, "waiting", 0, "measure instead what so many waiting messages cost a new one")
	flag.DurationVar(&o.limit, "limit", time.Hour, "how long all of it may take")
	flag.StringVar(&o.keep, "keep", "", "file to write the figures to that -check compares with")
	flag.StringVar(&o.check, "check", "", "file with figures; a workload that is worse than them by 15 in 100 is an error")
	flag.StringVar(&o.base, "base", "", "for internal use")
	flag.Parse()
	if flag.NArg() > 0 && flag.Arg(0) == "inject" {
		injectMain(flag.Args()[1:])
		return
	}
	var err error
	if o.base == "" {
		err = bounded(o.limit)
	} else {
		err = inside(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bounded measures in a world, and ends that world with all its processes when time is up or somebody wants an end.
func bounded(limit time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return testqmail.Again(ctx)
}

// inside measures.
func inside(o options) error {
	m, err := newMeter()
	if err != nil {
		return err
	}
	defer m.close()
	if err := testqmail.Enter(o.base); err != nil {
		return err
	}
	if err := testqmail.Devices(); err != nil {
		return err
	}
	if o.size == "" {
		o.size = strconv.Itoa(max(4, 2+o.waiting*filesWaiting*bytesPerInode>>30)) + "G"
	}
	disk, err := newDisk(o.size, o.flush)
	if err != nil {
		return err
	}
	defer disk.close()
	if err := secure(); err != nil {
		return err
	}
	var systems []system
	for _, name := range strings.Split(o.systems, ",") {
		s, err := newSystem(name, o, m)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is left out: %v\n", name, err)
			continue
		}
		if err := disk.cover(name, s.folders()); err != nil {
			return err
		}
		systems = append(systems, s)
	}
	if len(systems) == 0 {
		return errors.New("no system to measure")
	}
	if q, ok := systems[0].(*qmail); ok && o.waiting > 0 {
		return waiting(os.Stdout, q, o.waiting, 300)
	}
	var results []result
	for _, name := range strings.Split(o.workloads, ",") {
		w, ok := workload(name)
		if !ok {
			return fmt.Errorf("%s: no such workload; there are "+
				"inject, smtp, smtp10, relay, list, handshake, smtp-tls, smtp10-tls, submit, relay-tls, "+
				"sign, sign-list, check, stranger, milter, lists, dns, greylist, rcptcheck, plugin", name)
		}
		for range o.rounds {
			for _, s := range systems {
				r, err := measure(s, w, o, m)
				if err != nil {
					fmt.Fprintf(os.Stderr, "bench: %s %s: %v\n", w.name, s.name(), err)
					continue
				}
				fmt.Fprintf(os.Stderr, "%s\n", r)
				results = append(results, r)
			}
		}
	}
	for range o.rounds {
		r, err := floor(disk.path("floor"), int(2000*o.scale))
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	return o.tell(results)
}

// tell says what was measured, wherever that is wanted.
func (o *options) tell(results []result) error {
	printTable(os.Stdout, results)
	if o.plot != "" {
		if err := os.WriteFile(o.plot, []byte(plot(results)), 0o644); err != nil {
			return err
		}
	}
	if o.keep != "" {
		return keep(o.keep, results)
	}
	if o.check != "" {
		return compare(o.check, results)
	}
	return nil
}
