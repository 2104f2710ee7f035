package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"qmail/conf"
)

// waiting measures how long a message takes from its injection to the Maildir, with an empty queue and with n messages that
// wait for their next attempt, and what qmail-send holds in memory for these.
func waiting(w io.Writer, s *qmail, n, samples int) error {
	empty, before, err := latencies(s, samples)
	if err != nil {
		return err
	}
	if err := fill(n); err != nil {
		return err
	}
	full, after, err := latencies(s, samples)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "from injection to Maildir, %d messages one after the other:\n", samples)
	fmt.Fprintf(w, "%10s %10s %10s %10s %10s\n", "waiting", "median ms", "p99 ms", "longest", "first ms")
	for _, r := range []struct {
		n int
		d []time.Duration
	}{{0, empty}, {n, full}} {
		fmt.Fprintf(w, "%10d %10.2f %10.2f %10.2f %10.2f\n", r.n, ms(r.d, 50), ms(r.d, 99), ms(r.d, 100), r.d[0].Seconds()*1000)
	}
	fmt.Fprintf(w, "p99 ratio %.2f; qmail-send's memory for %d messages %.1f MB more\n", ms(full, 99)/ms(empty, 99), n, float64(after-before)/1e6)
	return nil
}

// ms returns a percentile in milliseconds.
func ms(d []time.Duration, p int) float64 {
	d = append([]time.Duration(nil), d...)
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	return d[max(0, (len(d)*p+99)/100-1)].Seconds() * 1000
}

// latencies starts the suite and injects messages at once, one after the other. memory is what qmail-send holds then.
func latencies(s *qmail, samples int) (list []time.Duration, memory int64, err error) {
	if err := makeMaildirs(); err != nil {
		return nil, 0, err
	}
	if err := s.start(); err != nil {
		return nil, 0, err
	}
	defer s.stop()
	for i := range samples {
		argv := s.sendmail()
		for k := range argv {
			argv[k] = strings.ReplaceAll(argv[k], "%d", "0")
		}
		c := s.meter.command(argv...)
		c.Stdin = strings.NewReader("Subject: latency\n\nx\n")
		start := time.Now()
		if out, err := c.CombinedOutput(); err != nil {
			return nil, 0, fmt.Errorf("%w: %s", err, out)
		}
		for delivered() <= i {
			if time.Since(start) > time.Minute {
				return nil, 0, fmt.Errorf("message %d did not arrive", i)
			}
			time.Sleep(50 * time.Microsecond)
		}
		list = append(list, time.Since(start))
	}
	time.Sleep(20 * time.Second) // until the first scan is over
	return list, residentOf("qmail-send"), nil
}

// residentOf returns the anonymous memory of the process with a name.
func residentOf(name string) int64 {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		if b, err := os.ReadFile(d + "/comm"); err != nil || strings.TrimSpace(string(b)) != name {
			continue
		}
		if kb, err := readField(d+"/status", "RssAnon:"); err == nil {
			return kb * 1024
		}
	}
	return 0
}

// fill puts n messages into the queue that have been tried and wait for a day.
func fill(n int) error {
	queue := conf.Home() + "/queue/"
	queueUID, gid, err := numbers(conf.UserNames().Queue)
	if err != nil {
		return err
	}
	sendUID, _, err := numbers(conf.UserNames().Send)
	if err != nil {
		return err
	}
	next := time.Now().Add(24 * time.Hour)
	for i := range n {
		file := queue + "mess/new"
		if err := put(file, "Subject: waiting\n\nx\n", 0o644, queueUID, gid); err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Stat(file, &st); err != nil {
			return err
		}
		name := strconv.FormatUint(st.Ino%conf.Split(), 10) + "/" + strconv.FormatUint(st.Ino, 10)
		if err := os.Rename(file, queue+"mess/"+name); err != nil {
			return err
		}
		if err := put(queue+"info/"+name, "Fsender@load.test\x00", 0o600, sendUID, gid); err != nil {
			return err
		}
		remote := queue + "remote/" + name
		if err := put(remote, fmt.Sprintf("Tu%d@host%d.test\x00", i, i%1000), 0o600, sendUID, gid); err != nil {
			return err
		}
		if err := os.Chtimes(remote, next, next); err != nil {
			return err
		}
	}
	return nil
}

func put(path, text string, mode os.FileMode, uid, gid int) error {
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

func numbers(name string) (uid, gid int, err error) {
	u, g, err := account(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u); err == nil {
		gid, err = strconv.Atoi(g)
	}
	return uid, gid, err
}
