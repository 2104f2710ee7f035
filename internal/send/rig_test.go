package send

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/queue"
	"qmail/internal/send/reasons"
	"qmail/internal/send/sendproto"
	"qmail/internal/site/control"
	"qmail/internal/text/report"
)

// A site is a queue in a temporary folder with everything around a qmail-send but the real programs.
type site struct {
	reasons *reasons.Table // nil: none are left
	t       testing.TB
	dir     string
	control string
	fs      queue.FS // nil: the real one
	q       *queue.Queue
	deliver func(c queue.Channel, o sendproto.Order) (report.Kind, string) // one delivery; nil: success
	limit   int
	now     func() time.Time

	// What the remote spawner knows of groups, see answer and transaction: nothing, normally.
	combine int                                       // the most recipients of a group
	mute    bool                                      // the question gets no reply
	late    chan struct{}                             // not nil: the answer waits for its end
	during  func(rcpts []string, mess, sender string) // called in the middle of each transaction

	mu       sync.Mutex
	log      bytes.Buffer
	got      map[string]int // deliveries that succeeded, by recipient
	bounced  []string       // recipients and texts of bounces
	noQueue  bool           // bounces cannot be queued
	peak     [2]int
	running  [2]int
	slots    int   // transactions that run
	most     int   // and their peak
	sizes    []int // of the groups
	cleanBad bool  // qmail-clean answers !
	hurried  int   // orders to give up a delivery
}

func newSite(t testing.TB) *site {
	s := &site{t: t, dir: t.TempDir(), control: t.TempDir(), got: map[string]int{}, limit: 20, now: time.Now}
	for _, d := range []string{"pid", "intd", "todo", "bounce", "lock"} {
		os.MkdirAll(filepath.Join(s.dir, d), 0o700)
	}
	for _, d := range []string{"mess", "info", "local", "remote"} {
		for n := range conf.Split() {
			os.MkdirAll(filepath.Join(s.dir, d, strconv.FormatUint(n, 10)), 0o700)
		}
	}
	s.set("me", "me.test\n")
	s.set("locals", "here.test\n")
	return s
}

func (s *site) set(name, text string) {
	if err := os.WriteFile(filepath.Join(s.control, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// inject puts a message into the queue, as qmail-queue does.
func (s *site) inject(sender string, rcpts ...string) queue.ID {
	s.t.Helper()
	q := queue.Open(s.dir, nil)
	in, err := q.Begin(os.Getpid(), time.Now())
	if err == nil {
		err = in.Text([]byte("Received: x\n"), strings.NewReader("Subject: t\n\nhello\n"))
	}
	if err == nil {
		err = in.Envelope(os.Getuid(), uint64(os.Getpid()))
	}
	if err == nil {
		in.Record([]byte("F" + sender + "\x00"))
		for _, r := range rcpts {
			in.Record([]byte("T" + r + "\x00"))
		}
		err = in.Commit()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return in.ID()
}

// idleDaemon returns a daemon with nothing connected, at a time.
func idleDaemon(q *queue.Queue, sec int64) *daemon {
	d := newDaemon(Config{Queue: q, Now: time.Now})
	d.desk.sec = sec
	return d
}

// hostOf is the key of a remote recipient.
func hostOf(addr string) string { return newSlots(queue.Remote, 0).key(addr) }

// A run is one qmail-send at work.
type run struct {
	s       *site
	signals chan Signal
	trigger chan struct{}
	over    chan struct{}
	close   []io.Closer // the helpers' ends
	asks    chan Request
}

type lockedLog struct{ s *site }

func (l lockedLog) Write(b []byte) (int, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.s.log.Write(b)
}

func (s *site) Inject(sender, recipient string, write func(io.Writer) error) (uint64, error) {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noQueue {
		return 0, errors.New("no")
	}
	s.bounced = append(s.bounced, "F"+sender+" T"+recipient+"\n"+text.String())
	return 4711, nil
}

// start starts a qmail-send.
func (s *site) start() *run {
	s.t.Helper()
	controls, err := ReadControls(control.Dir(s.control))
	if err != nil {
		s.t.Fatal(err)
	}
	s.q = queue.Open(s.dir, s.fs)
	r := &run{
		s:       s,
		signals: make(chan Signal),
		trigger: make(chan struct{}, 1),
		over:    make(chan struct{}),
		asks:    make(chan Request),
	}
	cfg := Config{
		Dir: control.Dir(s.control), Controls: controls, Queue: s.q, Log: lockedLog{s}, Trigger: r.trigger,
		Signals: r.signals, Injector: s, Now: s.now, Requests: r.asks,
		Reasons: s.reasons,
	}
	for _, c := range queue.Channels() {
		cfg.Spawner[c] = r.spawner(c)
	}
	cfg.Clean = r.cleaner()
	go func() {
		Run(cfg)
		close(r.over)
		for _, c := range r.close {
			c.Close()
		}
	}()
	return r
}

// spawner plays a spawner: deliveries run side by side.
func (r *run) spawner(c queue.Channel) Pipe {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	r.close = append(r.close, inR, outW)
	w := sendproto.WidthFor(conf.Spawn())
	go func() {
		outW.Write(w.AppendNumber(nil, r.s.limit))
		var mu sync.Mutex
		for b := bufio.NewReader(inR); ; {
			o, err := sendproto.ReadOrder(b, w)
			if err != nil {
				return
			}
			reply := func(p sendproto.Reply) {
				mu.Lock()
				defer mu.Unlock()
				outW.Write(p.Append(nil, w))
			}
			if o.IsQuestion(w) {
				go r.s.answer(w, reply)
				continue
			}
			if o.IsHurry(w) {
				r.s.mu.Lock()
				r.s.hurried++
				r.s.mu.Unlock()
				continue
			}
			if o.IsGroup(w) {
				go r.s.transaction(c, o, reply)
				continue
			}
			go func() { reply(r.s.one(c, o)) }()
		}
	}()
	return Pipe{inW, outR}
}

func (s *site) one(c queue.Channel, o sendproto.Order) sendproto.Reply {
	s.mu.Lock()
	s.running[c]++
	s.peak[c] = max(s.peak[c], s.running[c])
	s.mu.Unlock()
	kind, text := report.Success, "ok\n"
	if s.deliver != nil {
		kind, text = s.deliver(c, o)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[c]--
	if kind == report.Success {
		s.got[o.Recipient]++
	}
	return sendproto.Reply{Delnum: o.Delnum, Kind: kind, Text: []byte(text)}
}

func (r *run) cleaner() Pipe {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	r.close = append(r.close, inR, outW)
	q := queue.Open(r.s.dir, nil)
	go func() {
		for b := bufio.NewReader(inR); ; {
			req, ok, err := sendproto.ReadRequest(b)
			if err != nil {
				return
			}
			answer := sendproto.Cleaned
			r.s.mu.Lock()
			bad := r.s.cleanBad
			r.s.mu.Unlock()
			switch {
			case !ok:
				answer = sendproto.Malformed
			case bad:
				answer = sendproto.Trouble
			case req.Kind == sendproto.Foop:
				q.CleanFoop(queue.ID(req.ID))
			default:
				q.CleanTodo(queue.ID(req.ID))
			}
			outW.Write([]byte{answer})
		}
	}()
	return Pipe{inW, outR}
}

func (r *run) pull() {
	select {
	case r.trigger <- struct{}{}:
	default:
	}
}

// stop sends SIGTERM and waits for the end.
func (r *run) stop() {
	r.s.t.Helper()
	select {
	case r.signals <- Stop:
	case <-r.over:
	}
	r.wait()
}

func (r *run) wait() {
	r.s.t.Helper()
	select {
	case <-r.over:
	case <-time.After(time.Minute):
		r.s.t.Fatalf("qmail-send does not end; log:\n%s", r.s.logged())
	}
}

func (s *site) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// empty waits until no message has a file any more, which is some time after it has ended in the log.
func (s *site) empty() {
	s.t.Helper()
	s.eventually("an empty queue", func() bool { return s.files() == "" })
}

// until waits for a line of log that has text n times.
func (s *site) until(text string, n int) {
	s.t.Helper()
	poll.Until(s.t, fmt.Sprintf("%q is logged %d times", text, n), func() bool {
		return strings.Count(s.logged(), text) >= n
	}, s.logged)
}

// files lists what is in the queue, by folder.
func (s *site) files() string {
	var names []string
	filepath.Walk(s.dir, func(path string, fi os.FileInfo, err error) error {
		if err == nil && fi.Mode().IsRegular() {
			rel, _ := filepath.Rel(s.dir, path)
			b, _ := os.ReadFile(path)
			if folder, _, _ := strings.Cut(rel, "/"); folder == "mess" {
				names = append(names, folder)
			} else {
				names = append(names, folder+":"+strings.ReplaceAll(string(b), "\x00", "|"))
			}
		}
		return nil
	})
	return strings.Join(names, " ")
}
