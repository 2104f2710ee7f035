//go:build linux

package peers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/worker"
)

// flood injects n messages for each recipient, four at a time.
func (q *qmail) flood(n int, recipients ...string) {
	q.t.Helper()
	var load sync.WaitGroup
	for w := range 4 {
		load.Go(func() {
			for i := w; i < n*len(recipients); i += 4 {
				out, err := q.run("me", fmt.Sprintf("Number: %d\n\nx\n", i), home("bin/qmail-inject"),
					recipients[i%len(recipients)])
				if err != nil {
					q.t.Errorf("%v %s", err, out)
				}
			}
		})
	}
	load.Wait()
}

// workerOf returns the process that delivered a Maildir message, and whether it had delivered one before.
func workerOf(path string) (pid string, again bool) {
	f := strings.Split(filepath.Base(path), ".")
	return f[1], len(f) > 2 && f[2] != "" && strings.Trim(f[2], "0123456789") == ""
}

func TestNothingOfOneDeliveryLeaksIntoTheNext(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("orcjoe")
	q.install("probe", "/run/probe")
	q.sh("chmod 755 /run/probe")
	q.own("orcjoe", ".qmail-probe", "|/run/probe\n")
	q.own("orcjoe", ".qmail-rude",
		"|cd /; umask 0; (sleep 1; exit 3) & kill -USR1 $PPID 2>/dev/null; ulimit -n 8; exit 0\n")
	q.own("orcjoe", ".qmail-box", "./Maildir/\n")
	q.start()
	// The first one has nothing before it.
	q.inject("\nx\n", "orcjoe-probe@qmail.test")
	probes := func() []string {
		m, _ := filepath.Glob("/run/home/orcjoe/probe.*[0-9]")
		return m
	}
	q.wait("the first probe", func() bool { return len(probes()) == 1 })
	q.waitEmpty()
	first := q.read(probes()[0])
	for _, want := range []string{"\nSENDER=me@qmail.test\n", "\n/run/home/orcjoe\n", "\n0077\n", "descriptor 0\n",
		"descriptor 1\n", "descriptor 2\n"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first probe lacks %q: %s", want, first)
		}
	}
	q.flood(15, "orcjoe-box@qmail.test", "orcjoe-probe@qmail.test", "orcjoe-box@qmail.test", "orcjoe-rude@qmail.test")
	q.waitEmpty()
	if n := len(probes()); n != 16 {
		t.Errorf("%d probes", n)
	}
	for _, p := range probes() {
		if text := q.read(p); text != first {
			t.Errorf("%s differs:\n%s\nthe first was\n%s", p, text, first)
		}
	}
	warm := 0
	for _, m := range q.messages("orcjoe") {
		if _, again := workerOf(m); again {
			warm++
		}
	}
	if warm == 0 {
		t.Error("no process delivered twice: nothing was tried")
	}
	q.stop()
}

func TestNoWorkerServesTwoUsersOrGroups(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe", "orcsam")
	q.must("me", home("bin/maildirmake"), "/run/home/me/Group")
	q.own("me", ".qmail-group", "./Group/\n")
	q.write(home("users/assign"), fmt.Sprintf("=grouped:me:7817:%d:/run/home/me:-:group:\n.\n", testqmail.GroupID))
	q.must("root", home("bin/qmail-newu"))
	q.sh(fmt.Sprintf("chgrp -R %d /run/home/me/Group /run/home/me/.qmail-group", testqmail.GroupID))
	q.start()
	q.flood(30, "me@qmail.test", "orcjoe@qmail.test", "orcsam@qmail.test", "grouped@qmail.test")
	q.waitEmpty()
	whose, warm := map[string]string{}, 0
	check := func(who string, paths []string) {
		if len(paths) != 30 {
			t.Errorf("%d messages of %s", len(paths), who)
		}
		for _, m := range paths {
			pid, again := workerOf(m)
			if again {
				warm++
			}
			if other, ok := whose[pid]; ok && other != who {
				t.Errorf("process %s delivered to %s and to %s", pid, other, who)
			}
			whose[pid] = who
		}
	}
	for _, u := range []string{"me", "orcjoe", "orcsam"} {
		check(u, q.messages(u))
	}
	grouped, _ := filepath.Glob("/run/home/me/Group/new/*")
	check("me with another group", grouped)
	if warm < 30 {
		t.Errorf("only %d of 120 deliveries were by a process that had made one", warm)
	}
	q.stop()
}

// pids returns the processes that run a program.
func (q *qmail) pids(program string) []int {
	var list []int
	for _, p := range q.processes() {
		if p.program == program {
			list = append(list, p.pid)
		}
	}
	return list
}

func TestKilledOrStoppedWorkerHarmsOnlyItsOwnJob(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe")
	q.control("smtproutes", "hold.test:[127.0.0.1]:2526\n:[127.0.0.1]:2525\n")
	received := sink(t, "127.0.0.1:2525")
	holder, err := net.Listen("tcp", "127.0.0.1:2526") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	q.start()
	take := func(n int) {
		t.Helper()
		for range n {
			select {
			case <-received:
			case <-time.After(poll.Limit):
				t.Fatalf("a message did not come; the log:\n%s", tail(q.text()))
			}
		}
	}

	// Idle workers that are killed are not missed.
	for range 2 {
		q.flood(4, "me@qmail.test", "a@far.test")
		take(4)
		q.waitEmpty()
		idle := append(q.pids("qmail-local"), q.pids("qmail-remote")...)
		if len(idle) == 0 {
			t.Error("no worker is there to be killed")
		}
		for _, pid := range idle {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	q.flood(4, "me@qmail.test", "a@far.test")
	take(4)
	q.waitEmpty()
	if n := len(q.messages("me")); n != 12 || strings.Contains(q.text(), ": deferral: ") {
		t.Errorf("%d messages; the log:\n%s", n, tail(q.text()))
	}

	// A busy one: its job is deferred, the others go on.
	q.inject("\nx\n", "held@hold.test")
	q.waitLog(`to remote held@hold.test`)
	conn, err := holder.Accept()
	if err != nil {
		t.Fatal(err)
	}
	victim := peerOf(t, q, "127.0.0.1:2526")
	q.flood(3, "me@qmail.test", "a@far.test")
	take(3)
	if strings.Contains(q.text(), ": deferral: ") {
		t.Errorf("a deferral:\n%s", tail(q.text()))
	}
	syscall.Kill(victim, syscall.SIGKILL)
	q.waitLog(`deferral: .*crash`)
	conn.Close()
	q.wait("one message in the queue, with info", func() bool { return len(q.queued()) == 1 })

	// Stopped ones: what they hold waits, nothing else does; nothing is lost.
	q.flood(4, "me@qmail.test", "orcjoe@qmail.test")
	q.wait("four more", func() bool { return len(q.messages("me")) == 12+3+4 })
	stopped := q.pids("qmail-local")
	for _, pid := range stopped {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	q.flood(6+len(stopped), "me@qmail.test")
	q.flood(6+len(stopped), "orcjoe@qmail.test")
	q.wait("those that no stopped worker holds", func() bool {
		return len(q.messages("me")) >= 19+6 && len(q.messages("orcjoe")) >= 4+6
	})
	for _, pid := range stopped {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	q.wait("all the others", func() bool {
		return len(q.messages("me")) == 19+6+len(stopped) && len(q.messages("orcjoe")) == 4+6+len(stopped)
	})
	q.wait("an empty queue but for the held message", func() bool { return len(q.queued()) == 1 })
	holder.Close()
	q.stop()
}

// peerOf returns the qmail-remote that is connected to an address.
func peerOf(t *testing.T, q *qmail, addr string) int {
	t.Helper()
	var port int
	fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(table), "\n") {
		f := strings.Fields(l)
		if len(f) < 10 || f[2] != fmt.Sprintf("0100007F:%04X", port) {
			continue
		}
		for _, pid := range q.pids("qmail-remote") {
			links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
			for _, l := range links {
				if to, _ := os.Readlink(l); to == "socket:["+f[9]+"]" {
					return pid
				}
			}
		}
	}
	t.Fatalf("nobody is connected to %s", addr)
	return 0
}

func TestUserGainsNothingByStartingAProgramAsAWorker(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	uid, gid, _ := testqmail.Account("me")
	programs, err := os.ReadDir(home("bin"))
	if err != nil {
		t.Fatal(err)
	}
	greeted := 0
	for _, p := range programs {
		fi, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 && p.Name() != "qmail-queue" && p.Name() != "qmail-key" {
			t.Errorf("%s has mode %v", p.Name(), fi.Mode())
		}
		queued := len(q.queued())
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
		syscall.SetsockoptTimeval(pair[0], syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 2})
		cmd := exec.Command(home("bin/" + p.Name()))
		cmd.Dir, cmd.Env, cmd.ExtraFiles = "/", []string{"PATH=" + home("bin") + ":/bin:/usr/bin"}, []*os.File{theirs}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := cmd.Start(); err != nil {
			if !os.IsPermission(err) {
				t.Error(err)
			}
			ours.Close()
			theirs.Close()
			continue
		}
		theirs.Close()
		job, _ := worker.Job{Args: []string{"--", "root", "/", "root", "", "", "qmail.test", "", "./Mailbox"}}.Append(nil, 1)
		syscall.Sendto(pair[0], job, syscall.MSG_NOSIGNAL, nil)
		b := make([]byte, 100)
		n, _, err := syscall.Recvfrom(pair[0], b, 0)
		if err == nil && n > 0 {
			greeted++
			if string(b[:n]) != worker.Greeting || p.Name() == "qmail-queue" {
				t.Errorf("%s says %q", p.Name(), b[:n])
			}
			// It serves the user who started it, with no rights but that user's own.
			status := q.read(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			for _, want := range []string{fmt.Sprintf("\nUid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", uid),
				fmt.Sprintf("\nGid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", gid), "\nCapEff:\t0000000000000000\n"} {
				if !strings.Contains(status, want) {
					t.Errorf("%s: no %q in %s", p.Name(), want, status)
				}
			}
		}
		ours.Close()
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		limit := time.Second // for who is no worker, and may go on
		if err == nil && n > 0 {
			limit = poll.Limit
		}
		select {
		case <-ended:
		case <-time.After(limit):
			if err == nil && n > 0 {
				t.Errorf("%s goes on without its parent", p.Name())
			}
			cmd.Process.Kill()
			<-ended
		}
		if p.Name() == "qmail-queue" && len(q.queued()) != queued {
			t.Error("qmail-queue has queued something")
		}
	}
	if greeted == 0 {
		t.Error("no program greeted: nothing was tried")
	}
}

func TestBeforeTheFirstDeliveryAndSomeTimeAfterTheLastOnlyTheDaemonsRun(t *testing.T) {
	if !inside(t, "inetd") {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe")
	q.control("smtproutes", ":[127.0.0.1]:2525\n")
	received := sink(t, "127.0.0.1:2525")
	cmd := q.Command("root", home("bin/qmail-start"), "./Maildir/", "splogger", "qmail")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	q.send = cmd
	want := []string{"qmail-clean", "qmail-lspawn", "qmail-rspawn", "qmail-send", "splogger"}
	q.wait("all daemons", func() bool { return len(q.programs()) >= len(want) })
	q.inetd()
	waitPort(t, "127.0.0.1:25")
	if got := q.programs(); !slices.Equal(got, want) {
		t.Errorf("before the first delivery these run: %q", got)
	}
	q.flood(6, "me@qmail.test", "orcjoe@qmail.test", "a@far.test", "nobody@qmail.test")
	for i := range 8 {
		smtpSend(t, "127.0.0.1:25", "me@qmail.test", "me@qmail.test", fmt.Sprintf("Number: %d\r\n\r\nx\r\n", i))
	}
	for range 6 {
		<-received
	}
	q.waitEmpty()
	if n := len(q.programs()); n <= 5 {
		t.Errorf("no worker stayed: %q", q.programs())
	}
	q.wait("the workers' end", func() bool { return slices.Equal(q.programs(), want) })
	q.stop()
}
