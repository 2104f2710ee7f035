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
	"qmail/internal/send/sendctl"
)

// waiting measures how long a message takes from its injection to the Maildir, with an empty queue and with n
// messages that wait for their next attempt, while qmail-send begins and afterwards, and what it takes to know of
// those n.
func waiting(w io.Writer, s *qmail, n, samples int) error {
	empty, err := withQueue(s, samples)
	if err != nil {
		return err
	}
	if err := fill(n); err != nil {
		return err
	}
	syscall.Sync() // messages that wait are on disk long since
	full, err := withQueue(s, samples)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "from injection to Maildir, %d messages one after the other:\n", samples)
	fmt.Fprintf(w, "%10s %10s %10s %10s %10s %10s\n", "waiting", "from", "median ms", "p99 ms", "longest", "first ms")
	for _, r := range []struct {
		n    int
		when string
		d    []time.Duration
	}{{0, "start", empty.early}, {n, "start", full.early}, {0, "quiet", empty.late}, {n, "quiet", full.late}} {
		fmt.Fprintf(w, "%10d %10s %10.2f %10.2f %10.2f %10.2f\n", r.n, r.when, ms(r.d, 50), ms(r.d, 99), ms(r.d, 100),
			r.d[0].Seconds()*1000)
	}
	fmt.Fprintf(w, "p99 ratio %.2f from the start, %.2f when quiet\n", ms(full.early, 99)/ms(empty.early, 99),
		ms(full.late, 99)/ms(empty.late, 99))
	fmt.Fprintf(w, "first scan %.1f s, with %d waiting %.1f s; memory %.1f MB more, %.0f bytes for each\n",
		empty.scan.Seconds(), n,
		full.scan.Seconds(), float64(full.memory-empty.memory)/1e6, float64(full.memory-empty.memory)/float64(n))
	return nil
}

// ms returns a percentile in milliseconds.
func ms(d []time.Duration, p int) float64 {
	d = append([]time.Duration(nil), d...)
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	return d[max(0, (len(d)*p+99)/100-1)].Seconds() * 1000
}

// A period is what was measured between a start of the suite and its stop.
type period struct {
	early, late []time.Duration // of messages from the very start, and when nothing else went on
	scan        time.Duration   // from the start until all that waits was known
	memory      int64           // of qmail-send then
}

// withQueue measures with the queue as it is.
func withQueue(s *qmail, samples int) (p period, err error) {
	if err := makeMaildirs(); err != nil {
		return p, err
	}
	begin := time.Now()
	if err := s.start(plain); err != nil {
		return p, err
	}
	defer s.stop()
	scan := make(chan error, 1)
	go func() {
		scan <- scanned()
		p.scan = time.Since(begin)
		close(scan)
	}()
	if p.early, err = latencies(s, samples); err != nil {
		return p, err
	}
	if err := <-scan; err != nil {
		return p, err
	}
	<-scan // the time has been taken
	p.memory = residentOf("qmail-send")
	quiet(s.meter)
	p.late, err = latencies(s, samples)
	return p, err
}

// scanned waits until qmail-send knows all that waits: before that it does not say whether it has a message.
func scanned() error {
	var c *sendctl.Client
	err := until("qmail-send", 10*time.Second, func() (ok bool) {
		var err error
		c, err = sendctl.Dial(conf.Home() + "/queue")
		return err == nil
	})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Ask(sendctl.Request{Verb: sendctl.Run, ID: 1})
	return err
}

// quiet waits until the suite uses no CPU to speak of, a minute at most.
func quiet(m *meter) {
	last, _ := m.used()
	still := 0
	until("quiet", time.Minute, func() bool {
		time.Sleep(200 * time.Millisecond)
		now, _ := m.used()
		if still++; now-last > 4*time.Millisecond {
			still = 0
		}
		last = now
		return still == 5
	})
}

// latencies injects messages, one after the other.
func latencies(s *qmail, samples int) (list []time.Duration, err error) {
	before := delivered()
	for i := range samples {
		argv := s.sendmail()
		for k := range argv {
			argv[k] = strings.ReplaceAll(argv[k], "%d", "0")
		}
		c := s.meter.command(argv...)
		c.Stdin = strings.NewReader("Subject: latency\n\nx\n")
		start := time.Now()
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		for delivered() <= before+i {
			if time.Since(start) > time.Minute {
				return nil, fmt.Errorf("message %d did not arrive", i)
			}
			time.Sleep(50 * time.Microsecond)
		}
		list = append(list, time.Since(start))
	}
	return list, nil
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

// filesWaiting is how many files a message has that fill puts there, and bytesPerInode how much disk ext4 wants for
// each.
const filesWaiting, bytesPerInode = 3, 16 << 10

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
