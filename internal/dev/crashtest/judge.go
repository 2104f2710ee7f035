//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"qmail/conf"
	"qmail/internal/dev/cutdisk"
)

// A verdict is what one cut, or several, did.
type verdict struct {
	cuts, accepted     int
	unflushed, dropped int
	lost, corrupt      int
	duplicates         int
	broken             int // invariants of the queue, after the restart
	stuck              int // messages that are still in the queue
	bounced            int // recipients that should not fail, and bounces that bounced
	examples           []string
}

func (v verdict) bad() bool { return v.lost+v.corrupt+v.broken+v.stuck+v.bounced > 0 }

func (v *verdict) add(o verdict) {
	v.cuts += o.cuts
	v.accepted += o.accepted
	v.unflushed += o.unflushed
	v.dropped += o.dropped
	v.lost += o.lost
	v.corrupt += o.corrupt
	v.duplicates += o.duplicates
	v.broken += o.broken
	v.stuck += o.stuck
	v.bounced += o.bounced
	if o.bad() {
		for _, e := range o.examples {
			v.note("%s", e)
		}
	}
}

func (v *verdict) note(format string, args ...any) {
	if len(v.examples) < 5 {
		v.examples = append(v.examples, fmt.Sprintf(format, args...))
	}
}

func (v verdict) String() string {
	s := fmt.Sprintf("cuts %d accepted %d unflushed %d/%d lost %d corrupt %d broken %d stuck %d bounced %d duplicates %d",
		v.cuts, v.accepted, v.dropped, v.unflushed, v.lost, v.corrupt, v.broken, v.stuck, v.bounced, v.duplicates)
	for _, e := range v.examples {
		s += "\n       " + e
	}
	return s
}

// cut makes the disks as a cut at a time may leave them, starts the suite on them, waits for the queue to drain,
// and counts. For some cuts the power goes once more before that.
func (w *world) cut(fsName string, l *load, at time.Time, rng *rand.Rand) (verdict, error) {
	v := verdict{cuts: 1}
	for _, d := range w.disks() {
		c, err := l.records[d].Image(w.image(d)+".cut", diskSize, at, rng)
		if err != nil {
			return v, err
		}
		v.unflushed += c.Unflushed
		v.dropped += c.Dropped
	}
	taken := map[string]int{}
	for _, s := range l.sunk {
		if s.when.Before(at) {
			taken[s.id]++
		}
	}
	after := func(d string) string { return w.image(d) + ".cut" }
	if rng.Float64() < w.twice {
		if err := w.again(fsName, taken, rng); err != nil {
			return v, err
		}
		after = func(d string) string { return w.image(d) + ".cut2" }
	}
	if err := w.mount(fsName, after); err != nil {
		return v, err
	}
	defer w.unmount()
	if err := w.bind(); err != nil {
		return v, err
	}
	sink, err := newSink()
	if err != nil {
		return v, err
	}
	defer sink.close()
	sink.part = 0
	if err := w.start(); err != nil {
		return v, err
	}
	for end := time.Now().Add(w.drain); len(w.queued(nil)) > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	w.kill()
	for _, s := range sink.taken() {
		taken[s.id]++
	}
	v.corrupt += sink.bad
	v.stuck = len(w.queued(&v))
	return v, w.count(&v, l, at, taken)
}

// again lets the suite recover for a moment on recorded disks, and cuts.
func (w *world) again(fsName string, taken map[string]int, rng *rand.Rand) error {
	for _, d := range w.disks() {
		if err := command("cp", "--sparse=always", w.image(d)+".cut", w.image(d)+".again"); err != nil {
			return err
		}
	}
	disks, err := w.cutDisks(func(d string) string { return w.image(d) + ".again" })
	if err != nil {
		return err
	}
	defer closeDisks(disks)
	for n, d := range disks {
		d.Record.Base = w.image(n) + ".cut"
	}
	if err := w.mount(fsName, cutPath); err != nil {
		return err
	}
	defer w.unmount()
	if err := w.bind(); err != nil {
		return err
	}
	sink, err := newSink()
	if err != nil {
		return err
	}
	defer sink.close()
	if err := w.start(); err != nil {
		return err
	}
	time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
	at := time.Now()
	w.kill()
	for _, s := range sink.taken() {
		if s.when.Before(at) {
			taken[s.id]++
		}
	}
	return images(disks, func(d string) string { return w.image(d) + ".cut2" }, at, rng)
}

func images(disks map[string]*cutdisk.Disk, to func(string) string, at time.Time, rng *rand.Rand) error {
	for n, d := range disks {
		if _, err := d.Record.Image(to(n), diskSize, at, rng); err != nil {
			return err
		}
	}
	return nil
}

// queued returns the ids of messages of which there is an envelope. With v it counts the broken invariants as well.
func (w *world) queued(v *verdict) []string {
	mess, other := map[string]bool{}, map[string]string{}
	for _, kind := range []string{"mess", "todo", "intd", "info", "local", "remote", "bounce"} {
		filepath.WalkDir(filepath.Join(w.queue, kind), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil
			}
			if kind != "mess" {
				other[filepath.Join(kind, e.Name())] = e.Name()
				return nil
			}
			mess[e.Name()] = true
			return nil
		})
	}
	envelopes := map[string]bool{}
	for path, id := range other {
		kind := filepath.Dir(path)
		if kind == "todo" || kind == "local" || kind == "remote" || kind == "info" {
			envelopes[id] = true
		}
		if v != nil && !mess[id] {
			v.broken++
			v.note("%s without mess", path)
		}
	}
	var ids []string
	for id := range envelopes {
		ids = append(ids, id)
		if v != nil {
			v.note("still queued: %s", id)
		}
	}
	return ids
}

// count compares what was accepted before the cut with what has arrived.
func (w *world) count(v *verdict, l *load, at time.Time, taken map[string]int) error {
	arrived := map[string]map[string]int{"remote": taken}
	for kind, name := range map[string]string{"maildir a": userA, "maildir b": userB} {
		found := map[string]int{}
		arrived[kind] = found
		for _, d := range []string{"new", "cur"} {
			dir := filepath.Join(user(name).Home, "Maildir", d)
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			for _, e := range entries {
				b, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					return err
				}
				if id := only(b); id != "" {
					found[id]++
				} else {
					v.corrupt++
					v.note("corrupt: %s/%s, %d bytes", dir, e.Name(), len(b))
				}
			}
		}
	}
	if err := w.countBounces(v, arrived); err != nil {
		return err
	}
	b, err := os.ReadFile(user(userA).Home + "/Mailbox")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole, _, _ := payloads(b)
	found := map[string]int{}
	for _, id := range whole {
		found[id]++
	}
	arrived["mbox"] = found
	for _, a := range l.accepted {
		if !a.when.Before(at) {
			continue
		}
		v.accepted++
		for _, k := range a.to {
			switch n := arrived[k][a.id]; {
			case n == 0:
				v.lost++
				v.note("lost: %s for %s, accepted %v before the cut", a.id, k, at.Sub(a.when))
			case n > 1:
				v.duplicates += n - 1
				if w.loud {
					v.note("%d copies: %s for %s", n, a.id, k)
				}
			}
		}
	}
	v.bounced += w.doubles()
	return nil
}

// doubles counts messages in the alias mailbox: there should be none, or the setup is wrong.
func (w *world) doubles() int {
	b, err := os.ReadFile(conf.Home() + "/alias/Mailbox")
	if err != nil {
		return 0
	}
	return strings.Count(string(b), "Hi. This is the qmail-send")
}
