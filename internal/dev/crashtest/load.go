//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/dev/cutdisk"
	"qmail/internal/submit/envelope"
)

const (
	sinkAddr = "127.0.0.1:2525"
	smtpAddr = "127.0.0.1:2500"
	// injectors is how many messages are on their way in at a time, half by qmail-queue, half by SMTP.
	injectors = 8
	// deferred is the part of the remote recipients that the sink puts off.
	deferred = 0.3
)

// accepted is a message that the suite has taken.
type accepted struct {
	id   string
	to   []string // kinds of recipients
	when time.Time
}

// A load is what was recorded.
type load struct {
	accepted []accepted
	sunk     []sunk
	records  map[string]*cutdisk.Record
	first    time.Time
	last     time.Time
	base     map[string]string // what the disks held when recording began
}

// sunk is a message that the sink has taken.
type sunk struct {
	id   string
	when time.Time
}

// moment chooses when to cut: at any time, or just after an acceptance.
func (l *load) moment(rng *rand.Rand) time.Time {
	if rng.IntN(2) == 0 && len(l.accepted) > 0 {
		return l.accepted[rng.IntN(len(l.accepted))].when.Add(time.Duration(rng.IntN(300)) * time.Microsecond)
	}
	return l.first.Add(time.Duration(rng.Int64N(int64(l.last.Sub(l.first)))))
}

// record lets mail flow for a while on recorded disks.
func (w *world) record(fs string) (*load, error) {
	l := &load{records: map[string]*cutdisk.Record{}, base: map[string]string{}}
	for _, d := range w.disks() {
		if err := mkfs(fs, w.image(d)); err != nil {
			return nil, err
		}
		l.base[d] = w.image(d) + ".base"
	}
	// The first content goes on before anything is recorded.
	if err := w.mount(fs, w.image); err != nil {
		return nil, err
	}
	if err := w.fill(); err != nil {
		return nil, err
	}
	w.unmount()
	for _, d := range w.disks() {
		if err := command("cp", "--sparse=always", w.image(d), l.base[d]); err != nil {
			return nil, err
		}
	}
	disks, err := w.cutDisks(w.image)
	if err != nil {
		return nil, err
	}
	defer closeDisks(disks)
	for n, d := range disks {
		d.Record.Base = l.base[n]
		l.records[n] = d.Record
	}
	if err := w.mount(fs, cutPath); err != nil {
		return nil, err
	}
	defer w.unmount()
	if err := w.bind(); err != nil {
		return nil, err
	}
	defer w.kill()
	return l, w.flow(l)
}

// flow starts the suite and lets mail flow through it.
func (w *world) flow(l *load) error {
	sink, err := newSink()
	if err != nil {
		return err
	}
	defer sink.close()
	if err := w.start(); err != nil {
		return err
	}
	if err := w.listen(); err != nil {
		return err
	}
	l.first = time.Now()
	end := l.first.Add(w.span)
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, injectors)
	for i := range injectors {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(w.seed, uint64(1000+i)))
			for n := 0; time.Now().Before(end); n++ {
				a := accepted{id: fmt.Sprintf("%d-%d-%d", l.first.UnixNano()%1e9, i, n), to: someKinds(rng)}
				send := byQueue
				if i%2 == 1 {
					send = bySMTP
				}
				if err := send(a, message(a.id, 200+rng.IntN(20000))); err != nil {
					errs <- err
					return
				}
				a.when = time.Now()
				mu.Lock()
				l.accepted = append(l.accepted, a)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	l.last = time.Now()
	l.sunk = sink.taken()
	if w.loud {
		fmt.Printf("load: %d accepted, %d sunk\n", len(l.accepted), len(l.sunk))
	}
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func someKinds(rng *rand.Rand) []string {
	all := []string{"maildir a", "maildir b", "mbox", "remote", failsHere, failsThere}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+rng.IntN(2)]
}

// byQueue hands a message to qmail-queue.
func byQueue(a accepted, text []byte) error {
	var to []string
	for _, k := range a.to {
		to = append(to, recipients()[k])
	}
	env, envW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer env.Close()
	if _, err := envW.Write(envelope.Append(nil, sender, to)); err != nil {
		return err
	}
	envW.Close()
	c := exec.Command(conf.Home() + "/bin/qmail-queue")
	c.Stdin, c.Stdout = bytes.NewReader(text), env
	return c.Run()
}

// listen starts the SMTP server.
func (w *world) listen() error {
	s, err := net.Listen("tcp", smtpAddr)
	if err != nil {
		return err
	}
	defer s.Close()
	f, err := s.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	c := exec.Command(conf.Home()+"/bin/tcp-env", conf.Home()+"/bin/qmail-smtpd")
	c.Stdin, c.Env = f, []string{"PATH=" + conf.Home() + "/bin:/usr/bin:/bin"}
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Split(l, ":"); len(f) > 3 && f[0] == conf.UserNames().Daemon {
			uid, _ := strconv.Atoi(f[2])
			gid, _ := strconv.Atoi(f[3])
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
	}
	w.daemon = append(w.daemon, c)
	return c.Start()
}

// bySMTP hands a message to qmail-smtpd.
func bySMTP(a accepted, text []byte) error {
	c, err := net.DialTimeout("tcp", smtpAddr, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	say := func(want, words string) error {
		if _, err := c.Write([]byte(words)); err != nil {
			return err
		}
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if !strings.HasPrefix(l, want) {
				return fmt.Errorf("SMTP: %s", l)
			}
			if len(l) < 4 || l[3] != '-' {
				return nil
			}
		}
	}
	steps := [][2]string{{"220", ""}, {"250", "EHLO crash.test\r\n"}, {"250", "MAIL FROM:<" + sender + ">\r\n"}}
	for _, k := range a.to {
		steps = append(steps, [2]string{"250", "RCPT TO:<" + recipients()[k] + ">\r\n"})
	}
	body := strings.ReplaceAll(string(text), "\n", "\r\n")
	steps = append(steps, [2]string{"354", "DATA\r\n"}, [2]string{"250", body + ".\r\n"})
	for _, s := range steps {
		if err := say(s[0], s[1]); err != nil {
			return err
		}
	}
	return nil
}
