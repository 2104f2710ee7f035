package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A meter is a control group that the programs under test run in: it counts their CPU and their anonymous memory.
type meter struct {
	cpu, mem string // folders; the same one in cgroup v2
	v2       bool
}

// newMeter makes the group. It is called before the world's /sys is anything else.
func newMeter() (*meter, error) {
	name := "qmail-bench-" + strconv.Itoa(os.Getppid())
	m := &meter{cpu: "/sys/fs/cgroup/cpuacct/" + name, mem: "/sys/fs/cgroup/memory/" + name}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		m = &meter{cpu: "/sys/fs/cgroup/" + name, mem: "/sys/fs/cgroup/" + name, v2: true}
	}
	for _, d := range []string{m.cpu, m.mem} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *meter) close() {
	os.Remove(m.cpu)
	os.Remove(m.mem)
}

// command returns a command that enters the group before it executes argv.
func (m *meter) command(argv ...string) *exec.Cmd {
	enter := `echo $$ >"$0/cgroup.procs" && echo $$ >"$1/cgroup.procs" && shift && exec "$@"`
	return exec.Command("sh", append([]string{"-c", enter, m.cpu, m.mem}, argv...)...)
}

// used returns the CPU time that the group has used.
func (m *meter) used() (time.Duration, error) {
	if !m.v2 {
		n, err := readNumber(filepath.Join(m.cpu, "cpuacct.usage"))
		return time.Duration(n), err
	}
	n, err := readField(filepath.Join(m.cpu, "cpu.stat"), "usage_usec")
	return time.Duration(n) * time.Microsecond, err
}

// memory returns the anonymous memory of the group in bytes.
func (m *meter) memory() int64 {
	field := "total_rss"
	if m.v2 {
		field = "anon"
	}
	n, _ := readField(filepath.Join(m.mem, "memory.stat"), field)
	return n
}

// started returns the number of the newest thread of this world, whose numbers count up. The load generator has few
// new ones, so the difference of two is how many processes and threads a system started.
func started() int {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[len(f)-1])
	return n
}

func readNumber(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

func readField(path, name string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == name {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, errors.New(path + ": no " + name)
}

// peak watches the memory until stop is closed, and then sends the highest.
func (m *meter) peak(stop chan struct{}) chan int64 {
	out := make(chan int64, 1)
	go func() {
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		highest := m.memory()
		for {
			select {
			case <-t.C:
				highest = max(highest, m.memory())
			case <-stop:
				out <- highest
				return
			}
		}
	}()
	return out
}
