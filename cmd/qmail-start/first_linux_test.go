package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

// children lists the states of processes whose parent is pid.
func children(pid string) (states []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == pid {
			states = append(states, f[0])
		}
	}
	return states
}

func TestAsProcessOneOfAContainerItLeavesNoZombieAndEndsWhenItIsTold(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	home := conf.Home()
	log := filepath.Join(t.TempDir(), "log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"control/me": "c.test\n", "alias/.qmail-orphan": "|sleep 0.1 & exit 0\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(home+"/bin/qmail-start", "./Mailbox")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = []string{"PATH=/usr/bin:/bin"}, "/", out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := func() string { b, _ := os.ReadFile(log); return string(b) }
	poll.Until(t, "qmail starts", func() bool { return strings.Contains(text(), "status: local") }, text)
	inject := exec.Command(home+"/bin/qmail-inject", "orphan@c.test")
	inject.Stdin = strings.NewReader("Subject: x\n\nx\n")
	if b, err := inject.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	poll.Until(t, "the delivery", func() bool { return strings.Contains(text(), "end msg") }, text)
	pid := strconv.Itoa(cmd.Process.Pid)
	poll.Until(t, "all children but the first have been asked for", func() bool { return len(children(pid)) == 1 }, text)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(text(), "status: exiting") {
		t.Errorf("%v: %s", err, text())
	}
}
