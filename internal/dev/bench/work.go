package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A work is one kind of load.
type work struct {
	name     string
	messages int
	what     string
	way      way
	run      func(s system, n int, m *meter) error
}

// A way is how the mail of a workload comes in and goes out.
type way int

const (
	plain   way = iota
	byTLS       // in by STARTTLS
	bothTLS     // and out
	byLogin     // in by STARTTLS, at the port for submission, with a password
	signing     // out with a signature
	// From here on it comes from a stranger, and what may refuse that is
	checking  // SPF, DKIM and DMARC
	letting   // nothing
	filtering // a milter
	listing   // lists of names and patterns
	naming    // the DNS: a list of domains, and whether the sender's domain is there
	deferring // the greylist
	asking    // a program, for each recipient
	plugging  // a plugin, for each recipient
)

// secure reports whether it comes in by STARTTLS.
func (w way) secure() bool { return w == byTLS || w == bothTLS || w == byLogin }

// strange reports whether it comes from a stranger.
func (w way) strange() bool { return w >= checking }

func workload(name string) (work, bool) {
	for _, w := range []work{
		{"inject", 600, "sendmail command, 4 at a time, to Maildir", plain, inject},
		{"smtp", 1500, "20 sessions, a message a connection, to Maildir", plain, toMaildir(1, plain)},
		{"smtp10", 2000, "20 sessions, ten a connection, to Maildir", plain, toMaildir(10, plain)},
		{"relay", 1500, "SMTP in, ten a connection, SMTP out", plain, relay(plain)},
		{"list", 2000, "2 messages to many remote recipients, 20 ms a reply", plain, list(plain)},
		{"handshake", 1500, "20 sessions, STARTTLS and no mail", byTLS, handshake},
		{"smtp-tls", 1500, "smtp with STARTTLS", byTLS, toMaildir(1, byTLS)},
		{"smtp10-tls", 2000, "smtp10 with STARTTLS", byTLS, toMaildir(10, byTLS)},
		{"submit", 1500, "20 users' sessions with STARTTLS and AUTH PLAIN, a message a connection", byLogin,
			toMaildir(1, byLogin)},
		{"relay-tls", 1500, "relay with STARTTLS, in and out", bothTLS, relay(bothTLS)},
		{"sign", 1500, "relay with a DKIM signature, RSA-2048", signing, relay(signing)},
		{"sign-list", 2000, "list with a DKIM signature", signing, list(signing)},
		{"check", 1500, "smtp10 of strangers, by SPF, DKIM and DMARC", checking, check},
		{"stranger", 1500, "the same without", letting, stranger(letting)},
		{"milter", 1500, "by a milter", filtering, stranger(filtering)},
		{"lists", 1500, "by lists of names, addresses and patterns", listing, stranger(listing)},
		{"dns", 1500, "by a list of addresses, one of domains, and the sender's domain", naming, stranger(naming)},
		{"greylist", 1500, "by the greylist, where it has passed", deferring, stranger(deferring)},
		{"rcptcheck", 1500, "by a program for each recipient", asking, stranger(asking)},
		{"plugin", 1500, "by a plugin for each recipient", plugging, stranger(plugging)},
	} {
		if w.name == name {
			return w, true
		}
	}
	return work{}, false
}

const patience = 2 * time.Minute

func inject(s system, n int, m *meter) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := append([]string{self, "inject", strconv.Itoa(n), "4", strconv.Itoa(mailUsers)}, s.sendmail()...)
	if out, err := m.command(argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return until("deliveries", patience, func() bool { return delivered() >= n })
}

func toMaildir(per int, w way) func(system, int, *meter) error {
	return func(_ system, n int, _ *meter) error {
		s := source{way: w, sessions: 20, messages: n, per: per, rcpts: 1, to: "user%d@" + domain, users: mailUsers,
			size: 4096}
		if err := s.run(); err != nil {
			return err
		}
		return until("deliveries", patience, func() bool { return delivered() >= n })
	}
}

// handshake opens connections that end once they are secure.
func handshake(_ system, n int, _ *meter) error {
	return source{way: byTLS, sessions: 20, messages: n, per: 1, users: mailUsers}.run()
}

func relay(w way) func(system, int, *meter) error {
	return func(_ system, n int, _ *meter) error {
		return toSink(source{way: w, sessions: 20, messages: n, per: 10, rcpts: 1, to: "u%d@sink.test", users: n,
			size: 4096}, 0)
	}
}

func list(w way) func(system, int, *meter) error {
	return func(_ system, n int, _ *meter) error {
		return toSink(source{way: w, sessions: 2, messages: 2, per: 1, rcpts: n / 2, to: "u%d@sink.test", users: n,
			size: 4096}, 20*time.Millisecond)
	}
}

func toSink(src source, rtt time.Duration) error {
	k, err := newSink(sinkAddr, rtt, src.way == bothTLS)
	if err != nil {
		return err
	}
	defer k.l.Close()
	if err := src.run(); err != nil {
		return err
	}
	want := int64(src.messages * src.rcpts)
	if err := until("deliveries", patience, func() bool { return k.rcpts.Load() >= want }); err != nil {
		return err
	}
	if n := k.bare.Load(); src.way == signing && n > 0 {
		return fmt.Errorf("%d messages were not signed", n)
	}
	return nil
}

// measure runs one workload on one system once.
func measure(s system, w work, o options, m *meter) (result, error) {
	n := max(20, int(float64(w.messages)*o.scale))
	if err := makeMaildirs(); err != nil {
		return result{}, err
	}
	if err := s.start(w.way); err != nil {
		s.stop()
		return result{}, err
	}
	defer s.stop()
	time.Sleep(500 * time.Millisecond) // until memory is counted
	r := result{work: w.name, system: s.name(), idleMB: float64(m.memory()) / 1e6}
	stop := make(chan struct{})
	peak := m.peak(stop)
	before, err := m.used()
	first := started()
	start := time.Now()
	if err == nil {
		err = w.run(s, n, m)
	}
	took := time.Since(start)
	close(stop)
	r.peakMB = float64(<-peak) / 1e6
	if err != nil {
		return r, err
	}
	after, err := m.used()
	r.starts = float64(started()-first) / float64(n)
	r.rate = float64(n) / took.Seconds()
	r.cpuMS = (after - before).Seconds() * 1000 / float64(n)
	return r, err
}

// floor makes the file operations and syncs of one local message in the order that safety needs, each message by
// itself, 20 at a time, and does nothing else: what the disk allows a suite that treats messages one by one.
func floor(base string, n int) (result, error) {
	var before, after syscall.Rusage
	for _, d := range []string{"pid", "mess", "intd", "todo", "info", "local", "tmp", "new"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			return result{}, err
		}
	}
	defer os.RemoveAll(base)
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for range cap(errs) {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := oneMessage(base, strconv.FormatInt(i, 10)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	close(errs)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	return result{work: "floor", system: "disk", rate: float64(n) / took.Seconds(),
		cpuMS: cpu.Seconds() * 1000 / float64(n)}, <-errs
}

func oneMessage(base, n string) error {
	at := func(d string) string { return filepath.Join(base, d, n) }
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	var first error
	try := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	create := func(d string, b []byte) *os.File {
		f, err := os.OpenFile(at(d), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if try(err); err != nil {
			return nil
		}
		open = append(open, f)
		_, err = f.Write(b)
		try(err)
		return f
	}
	folder := func(d string) *os.File {
		f, err := os.Open(filepath.Join(base, d))
		try(err)
		open = append(open, f)
		return f
	}
	sync := func(files ...*os.File) {
		done := make(chan error, len(files))
		for _, f := range files {
			go func() { done <- f.Sync() }()
		}
		for range files {
			try(<-done)
		}
	}
	body := make([]byte, 4096)
	mess := create("pid", body)
	try(os.Link(at("pid"), at("mess")))
	try(os.Remove(at("pid")))
	intd := create("intd", []byte("u1000\x00p77\x00Fa@b\x00Tc@d\x00"))
	sync(mess, intd)
	try(os.Link(at("intd"), at("todo")))
	sync(folder("todo"))
	sync(create("info", []byte("Fa@b\x00")), create("local", []byte("Tc@d\x00")))
	try(os.Remove(at("intd")))
	try(os.Remove(at("todo")))
	sync(create("tmp", body))
	try(os.Link(at("tmp"), at("new")))
	try(os.Remove(at("tmp")))
	sync(folder("new"))
	for _, d := range []string{"local", "info", "mess"} {
		try(os.Remove(at(d)))
	}
	return first
}
