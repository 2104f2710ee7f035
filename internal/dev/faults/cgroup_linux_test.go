package faults

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

// A cgroup is a control group of version 1 or 2 with one limit.
type cgroup struct {
	w             *world
	folder, limit string
}

// cgroup makes one for a controller; names are those of the limit's file in version 1 and 2.
func (w *world) cgroup(controller, v1, v2 string) *cgroup {
	w.t.Helper()
	name := fmt.Sprintf("qmail-faults-%d", time.Now().UnixNano())
	g := &cgroup{w, "/sys/fs/cgroup/" + controller + "/" + name, v1}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+"+controller), 0)
		g.folder, g.limit = "/sys/fs/cgroup/"+name, v2
	}
	err := os.Mkdir(g.folder, 0o755)
	if err == nil {
		_, err = os.Stat(g.folder + "/" + g.limit)
	}
	if err != nil {
		os.Remove(g.folder)
		testqmail.Skip(w.t, "needs a control group: "+err.Error())
	}
	w.t.Cleanup(func() {
		if w.daemon != nil {
			w.kill()
		}
		w.eventually("the control group is empty", func() bool { return os.Remove(g.folder) == nil })
	})
	return g
}

// take moves the processes of programs into the group; what they start is in it as well.
func (g *cgroup) take(programs ...string) {
	g.w.t.Helper()
	for _, p := range programs {
		for _, pid := range pids(p) {
			err := os.WriteFile(g.folder+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0)
			if !errors.Is(err, syscall.ESRCH) { // it has ended since
				g.w.must(err)
			}
		}
	}
}

func (g *cgroup) set(limit string) {
	g.w.t.Helper()
	g.w.must(os.WriteFile(g.folder+"/"+g.limit, []byte(limit), 0))
}

// starve leaves no memory to ask for: the kernel kills one process after the other. Version 1 refuses a limit that is
// below what idle processes hold, and while one dies.
func (g *cgroup) starve() {
	g.w.t.Helper()
	g.w.eventually("the limit is set", func() bool {
		limit := 2 << 20
		if g.limit == "memory.limit_in_bytes" {
			limit = max(limit, g.value("memory.usage_in_bytes"))
		}
		return os.WriteFile(g.folder+"/"+g.limit, []byte(strconv.Itoa(limit)), 0) == nil
	})
}

// free takes the limit off.
func (g *cgroup) free() {
	g.w.t.Helper()
	if strings.HasSuffix(g.limit, "in_bytes") {
		g.set("-1")
		return
	}
	g.set("max")
}

// value returns a number that the group counts.
func (g *cgroup) value(file string) int {
	g.w.t.Helper()
	b, err := os.ReadFile(g.folder + "/" + file)
	g.w.must(err)
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	g.w.must(err)
	return n
}

// met returns how often the limit has been met.
func (g *cgroup) met() (n int) {
	g.w.t.Helper()
	if g.limit == "memory.limit_in_bytes" {
		return g.value("memory.failcnt")
	}
	controller, _, _ := strings.Cut(g.limit, ".")
	b, err := os.ReadFile(g.folder + "/" + controller + ".events")
	g.w.must(err)
	for l := range strings.Lines(string(b)) {
		fmt.Sscanf(l, "max %d", &n)
	}
	return n
}

var daemons = []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean"}

func TestWithoutRoomForAnotherProcessMailWaits(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	g := w.cgroup("pids", "pids.max", "pids.max")
	w.start()
	w.logged("status: local")
	g.take(daemons...)
	w.mustSend("local", 1)
	w.eventually("the first delivery", func() bool { missing, _ := w.outcome(); return missing == 0 })
	w.eventually("idle workers end",
		func() bool { return len(pids("qmail-local"))+len(pids("qmail-getpw"))+len(pids("qmail-remote")) == 0 })
	for _, room := range []int{0, 3, 12} { // threads count, too
		met := g.met()
		g.set(strconv.Itoa(g.value("pids.current") + room))
		w.mustSend("local", 8)
		w.mustSend("bounce", 3)
		w.eventually("the limit is met, or no bar", func() bool {
			missing, _ := w.outcome()
			return missing == 0 || g.met() > met
		})
		for _, d := range daemons {
			if len(pids(d)) == 0 {
				t.Errorf("%s has ended", d)
			}
		}
		g.free()
		w.settled()
	}
}

func TestWithoutMemoryMailWaits(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	g := w.cgroup("memory", "memory.limit_in_bytes", "memory.max")
	end := w.supervised()
	for range 3 {
		w.eventually("the daemons run", func() bool {
			n := 0
			for _, d := range daemons {
				n += len(pids(d))
			}
			return n == len(daemons)
		})
		g.take(daemons...)
		met := g.met()
		g.starve()
		w.burst(4, 8).Wait()
		w.eventually("the limit is met", func() bool {
			g.take(daemons...) // those of before may have been about to end
			w.send("local")
			return g.met() > met
		})
		g.free()
	}
	w.settle(nothingOwed) // a qmail-queue may have been killed
	end()
}
