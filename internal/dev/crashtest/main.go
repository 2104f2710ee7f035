//go:build linux

// Crashtest cuts the power under the installed suite, on real filesystems, and looks for mail that was accepted and is
// gone. It records what a disk with a volatile cache gets while mail flows in and out, makes from the record the
// states in which a power cut may leave the disk, lets the suite start again on each, and counts.
//
//	make crashtest [CRASHFLAGS="-fs ext4,xfs,btrfs -cuts 45 -split -twice 0.2 -flush 5ms"]
//
// It needs root, Linux with /dev/fuse and loop devices, and the mkfs programs. Exit status 0: nothing was lost,
// corrupt, stuck, or inconsistent.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"qmail/internal/dev/testqmail"
)

type options struct {
	fs    string
	cuts  int
	loads int           // loads that are recorded for each filesystem; the cuts are shared out among them
	span  time.Duration // how long a load lasts
	split bool          // queue and homes on two disks
	twice float64       // the part of the cuts that are followed by another one
	flush time.Duration
	drain time.Duration
	seed  uint64
	loud  bool
	base  string
}

func main() {
	var o options
	flag.StringVar(&o.fs, "fs", "ext4", "filesystems: ext4, xfs, btrfs")
	flag.IntVar(&o.cuts, "cuts", 24, "cuts for each filesystem")
	flag.IntVar(&o.loads, "loads", 2, "loads recorded for each filesystem")
	flag.DurationVar(&o.span, "span", 4*time.Second, "how long each load lasts")
	flag.BoolVar(&o.split, "split", false, "queue and homes on two disks")
	flag.Float64Var(&o.twice, "twice", 0,
		"the part of the cuts after which the power is cut once more, while the suite recovers")
	flag.DurationVar(&o.flush, "flush", 0, "how long a flush takes")
	flag.DurationVar(&o.drain, "drain", 30*time.Second, "how long the queue may take to empty after a cut")
	flag.Uint64Var(&o.seed, "seed", 0, "0: another one each time")
	flag.BoolVar(&o.loud, "v", false, "a line for each cut")
	flag.StringVar(&o.base, "base", "", "for internal use")
	flag.Parse()
	run := inside
	if o.base == "" {
		run = func(options) error { return testqmail.Again(context.Background()) }
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "crashtest:", err)
		os.Exit(1)
	}
}

func inside(o options) error {
	if err := testqmail.Enter(o.base); err != nil {
		return err
	}
	if err := testqmail.Devices(); err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	w, err := newWorld(o)
	if err != nil {
		return err
	}
	defer w.close()
	bad := false
	for _, fs := range strings.Split(o.fs, ",") {
		sum, err := filesystem(w, fs)
		if err != nil {
			return fmt.Errorf("%s: %w", fs, err)
		}
		fmt.Printf("%-6s %s\n", fs, sum)
		bad = bad || sum.bad()
	}
	fmt.Printf("seed %d\n", o.seed)
	if bad {
		return fmt.Errorf("a promise was broken")
	}
	return nil
}

// filesystem records loads on one filesystem and tries the cuts.
func filesystem(w *world, fs string) (verdict, error) {
	var sum verdict
	for n := range w.loads {
		rng := rand.New(rand.NewPCG(w.seed, uint64(n)))
		l, err := w.record(fs)
		if err != nil {
			return sum, err
		}
		cuts := w.cuts / w.loads
		if n < w.cuts%w.loads {
			cuts++
		}
		for range cuts {
			v, err := w.cut(fs, l, l.moment(rng), rng)
			if err != nil {
				return sum, err
			}
			if w.loud || v.bad() {
				fmt.Printf("%-6s %s\n", fs, v)
			}
			sum.add(v)
		}
	}
	return sum, nil
}
