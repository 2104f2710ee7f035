package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
)

// supervised runs the daemons again and again, as an rc script under a supervisor does, until the returned function
// is called.
func (w *world) supervised() (end func()) {
	stop, over := make(chan struct{}), make(chan struct{})
	w.start()
	pause := time.Tick(50 * time.Millisecond)
	go func() {
		defer close(over)
		for {
			ended := make(chan struct{})
			d := w.daemon
			go func() { d.Wait(); close(ended) }()
			select {
			case <-stop:
				d.Process.Signal(syscall.SIGTERM)
				<-ended
				return
			case <-ended:
			}
			<-pause
			w.start()
		}
	}()
	end = sync.OnceFunc(func() {
		close(stop)
		<-over
	})
	w.t.Cleanup(end)
	return end
}

// burst sends messages of all kinds from several injectors at once.
func (w *world) burst(injectors, each int) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range injectors {
		wg.Go(func() {
			for j := range each {
				kind := "local"
				switch (i + j) % 10 {
				case 4:
					kind = "bounce"
				case 7:
					kind = "remote"
				}
				w.send(kind)
			}
		})
	}
	return &wg
}

// killOne kills a process that runs one of the programs.
func killOne(programs ...string) bool {
	var all []int
	for _, p := range programs {
		all = append(all, pids(p)...)
	}
	if len(all) == 0 {
		return false
	}
	return syscall.Kill(all[rand.IntN(len(all))], syscall.SIGKILL) == nil
}

func TestEachDaemonMayDieAndNothingIsLost(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	end := w.supervised()
	for _, p := range []string{"qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-send"} {
		for range 2 {
			wg := w.burst(4, 6)
			w.eventually(p+" runs", func() bool { return killOne(p) })
			wg.Wait()
		}
	}
	w.again(w.n, 96)
	t.Logf("%d second copies", w.settle(nothingOwed))
	end()
}

// again says that nearly all messages were accepted: what kills a daemon is no reason to refuse mail.
func (w *world) again(n, least int) {
	if len(w.accepted) < least {
		w.t.Errorf("only %d of %d messages accepted", len(w.accepted), n)
	}
}

func TestWorkersMayDieAtAnyTimeAndNothingIsLost(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.start()
	wg := w.burst(4, 30)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	kills, pause := 0, time.Tick(5*time.Millisecond)
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
			if killOne("qmail-local", "qmail-remote", "qmail-getpw", "qmail-queue") {
				kills++
			}
			<-pause
		}
	}
	// A bounce whose qmail-queue was killed is tried again after two minutes.
	copies := w.settle(nothingOwed)
	t.Logf("%d processes killed, %d of %d messages accepted, %d second copies", kills, len(w.accepted), w.n, copies)
	if kills < 10 || copies > kills {
		t.Errorf("%d kills, %d second copies", kills, copies)
	}
}

func TestTwentyInjectorsWhileQmailSendIsKilledFiveTimes(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	const each = 15
	end := w.supervised()
	wg := w.burst(20, each)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for i := range 5 {
		w.eventually("a fifth of the messages", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.n >= (i+1)*20*each/6
		})
		w.eventually("qmail-send runs", func() bool { return killOne("qmail-send") })
	}
	<-done
	if len(w.accepted) != 20*each {
		t.Errorf("%d of %d messages accepted", len(w.accepted), 20*each)
	}
	copies := w.settle(nothingOwed)
	end()
	// What was under way when qmail-send died is delivered again: what its two channels had at once, and what had
	// succeeded while qmail-clean had not removed it from todo yet, which on a busy disk is more.
	t.Logf("%d second copies", copies)
	if copies > 20*each/2 {
		t.Errorf("%d second copies", copies)
	}
}

func TestABlockedLogHoldsUpDeliveriesAndLosesNothing(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.start = func() { w.run("./Mailbox", "/bin/sh", "-c", "echo $$ >/run/logger; exec cat >>/run/log") }
	w.must(os.WriteFile("/run/logger", nil, 0o666))
	w.must(os.WriteFile("/run/log", nil, 0o666))
	w.must(os.Chmod("/run/logger", 0o666))
	w.must(os.Chmod("/run/log", 0o666))
	w.start()
	var logger int
	w.eventually("the logger runs", func() bool {
		b, _ := os.ReadFile("/run/logger")
		logger, _ = strconv.Atoi(string(b[:max(0, len(b)-1)]))
		return logger > 0
	})
	w.mustSend("local", 1)
	w.settled()
	w.must(syscall.Kill(logger, syscall.SIGSTOP))
	w.burst(4, 100).Wait() // some 100 kB of log; a pipe holds 64
	if len(w.accepted) != 401 {
		t.Errorf("%d messages accepted", len(w.accepted))
	}
	w.waiting()
	w.must(syscall.Kill(logger, syscall.SIGCONT))
	w.noCopies(w.settled())
}

// shortOf has the start of each qmail-local fail for lack of something, and then succeed.
func shortOf(t *testing.T, limit string) {
	w := newWorld(t)
	program := conf.Home() + "/bin/qmail-local"
	w.must(os.Rename(program, program+".orig"))
	script := "#!/bin/sh\nif test -f /run/short; then ulimit " + limit + "; fi\nexec " + program + ".orig \"$@\"\n"
	w.must(os.WriteFile(program, []byte(script), 0o755))
	w.must(os.WriteFile("/run/short", nil, 0o644))
	w.start()
	w.mustSend("local", 5)
	w.mustSend("bounce", 2)
	w.logged("deferral: ")
	w.waiting()
	if missing, _ := w.outcome(); missing != 7 {
		t.Error("that was enough")
	}
	w.must(os.Remove("/run/short"))
	w.noCopies(w.settled())
}

func TestWithoutMemoryForThemDeliveriesAreDeferred(t *testing.T) {
	if inWorld(t) {
		shortOf(t, "-v 50000")
	}
}

func TestWithoutDescriptorsForThemDeliveriesAreDeferred(t *testing.T) {
	if inWorld(t) {
		shortOf(t, "-n 3")
	}
}

func TestWithoutProcessesForThemDeliveriesAreDeferred(t *testing.T) {
	if inWorld(t) {
		shortOf(t, "-p 0")
	}
}

func TestAllDaemonsWithFewDescriptorsGoOn(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.mustSend("local", 30)
	w.mustSend("bounce", 10)
	w.mustSend("remote", 10)
	w.start = func() { w.command("/bin/sh", "-c", "ulimit -n 32; exec "+conf.Home()+"/bin/qmail-start ./Mailbox") }
	w.start()
	w.burst(4, 25).Wait()
	if len(w.accepted) != 150 {
		t.Errorf("%d messages accepted", len(w.accepted))
	}
	w.eventually("some mail", func() bool { return len(got(joe)) > 10 })
	w.waiting()
	missing, _ := w.outcome()
	t.Logf("%d of 150 messages wait", missing)
	w.stop()
	w.start = func() { w.run("./Mailbox") }
	w.start()
	w.noCopies(w.settle(nothingOwed)) // a qmail-queue that gets no descriptor may die as it stands
}

func TestWithoutDNSRemoteMailWaitsAndLocalMailGoesOn(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.must(os.WriteFile("/etc/resolv.conf", []byte("nameserver 127.0.0.2\noptions timeout:1 attempts:1\n"), 0o644))
	w.start()
	w.mustSend("remote", 5)
	w.mustSend("local", 5)
	w.logged("delivery .*: deferral: .*4\\.[14]\\.")
	w.eventually("local mail", func() bool { return len(got(joe)) == 5 })
	if n := len(got(sam)); n != 0 {
		t.Errorf("%d bounces", n)
	}
	w.must(os.WriteFile("/etc/resolv.conf", []byte("nameserver 127.0.0.1\n"), 0o644)) // which knows no far.test
	w.noCopies(w.settled())
}

func TestWithoutTriggerMailIsAcceptedAndFoundLater(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.start()
	w.mustSend("local", 1)
	w.settled()
	trigger := conf.Home() + "/queue/lock/trigger"
	fi, err := os.Stat(trigger)
	w.must(err)
	own := fi.Sys().(*syscall.Stat_t)
	w.must(os.Remove(trigger))
	w.mustSend("local", 5)
	w.must(syscall.Mkfifo(trigger, 0o600))
	w.must(os.Chown(trigger, int(own.Uid), int(own.Gid)))
	w.must(os.Chmod(trigger, 0o622))
	w.mustSend("local", 5)
	w.eventually("the new trigger is heard", func() bool { return len(got(joe)) == 11 })
	w.noCopies(w.settled())
}

func TestATriggerThatIsNoFIFODelaysMailAndNothingElse(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.start()
	w.mustSend("local", 1)
	w.settled()
	trigger := conf.Home() + "/queue/lock/trigger"
	fi, err := os.Stat(trigger)
	w.must(err)
	own := fi.Sys().(*syscall.Stat_t)
	w.must(os.Remove(trigger))
	w.must(os.WriteFile(trigger, nil, 0o622))
	w.must(os.Chown(trigger, int(own.Uid), int(own.Gid)))
	w.must(os.Chmod(trigger, 0o622))
	w.mustSend("local", 5)
	w.mustSend("bounce", 2)
	if fi, err = os.Stat(trigger); err != nil || fi.Size() > 1 {
		t.Errorf("the trigger grows: %v %v", fi.Size(), err)
	}
	w.must(os.Remove(trigger))
	w.must(syscall.Mkfifo(trigger, 0o600))
	w.must(os.Chown(trigger, int(own.Uid), int(own.Gid)))
	w.must(os.Chmod(trigger, 0o622))
	w.eventually("the new trigger is heard", func() bool { return len(got(joe)) == 6 && len(got(sam)) == 2 })
	w.noCopies(w.settled())
}

func TestAQueueWithoutTriggerIsEmptiedByTheNextStart(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.mustSend("local", 5)
	w.mustSend("bounce", 5)
	w.start()
	w.noCopies(w.settled())
}

// burstVariable asks for the test that takes minutes.
const burstVariable = "QMAIL_TEST_BURST"

func TestABurstOfAHundredThousandMessages(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv(burstVariable))
	if n == 0 {
		t.Skip(burstVariable + "=100000 runs it")
	}
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	w.start()
	began := time.Now()
	w.burst(20, n/20).Wait()
	t.Logf("%d accepted in %v", len(w.accepted), time.Since(began))
	if len(w.accepted) != n/20*20 {
		t.Errorf("%d of %d accepted", len(w.accepted), n)
	}
	poll.Within(time.Hour, empty)
	t.Logf("delivered after %v", time.Since(began))
	w.noCopies(w.settled())
}
