package submit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/text/dsn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/worker"
	"qmail/internal/worker/pool"
)

// The test binary is also the qmail-queue: it is linked under this name.
const program = "qmail-queue"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != program {
		os.Exit(m.Run())
	}
	if !sys.IsPacketSocket(3) {
		os.Exit(int(store("classic", uint64(os.Getpid()), os.Stdin, os.Stdout)))
	}
	l := worker.Accept(os.NewFile(3, "parent"))
	l.Contents = true
	qp := uint64(1) << 40
	os.Exit(int(l.Serve(2, func(j worker.Job, out *worker.Output) worker.Answer {
		qp++
		fmt.Fprint(out, qp)
		if len(j.Contents) > 0 {
			return worker.Answer{Code: store("packet", qp, bytes.NewReader(j.Contents[0]), bytes.NewReader(j.Contents[1]))}
		}
		return worker.Answer{Code: store("pipes", qp, j.Files[0], j.Files[1])}
	})))
}

// store keeps the last message in a file, as qmail-queue would queue it.
func store(way string, qp uint64, text, env io.Reader) exit.Code {
	t, _ := io.ReadAll(text)
	e, _ := io.ReadAll(env)
	if !bytes.HasSuffix(e, []byte{0, 0}) {
		return envelope.BadEnvelope
	}
	b := []byte(fmt.Sprintf("%s %d|%s|%s", way, qp, t, e))
	if os.WriteFile(os.Getenv("STORE"), b, 0o600) != nil {
		return envelope.WriteError
	}
	return envelope.Queued
}

// A world is a client and its qmail-queue.
type world struct {
	t     *testing.T
	c     *Client
	store string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &world{t: t, store: filepath.Join(dir, "store")}
	path := filepath.Join(dir, program)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	env := []string{"STORE=" + w.store, "GORACE=atexit_sleep_ms=0"}
	workers := pool.NewIn(dir, 1)
	w.c = &Client{home: dir, path: path, env: env,
		keeper: &keeper{path: path, taken: true, workers: workers, spec: pool.Spec{Name: program, Env: env}}}
	t.Cleanup(w.c.Close)
	return w
}

// warm queues messages until one goes to a worker.
func (w *world) warm() {
	w.t.Helper()
	poll.Until(w.t, "a message goes to a worker", func() bool {
		way, _ := w.queue("x", "s")
		return way == "packet"
	})
}

// expect queues one message and says which way it must go, where a worker is there.
func (w *world) expect(way, text, sender string, recipients ...string) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); w.warm() {
		got, _ := w.queue(text, sender, recipients...)
		if got == way {
			return
		}
		if got != "classic" { // it had been idle for too long
			w.t.Errorf("%d bytes for %d recipients: %s, want %s", len(text), len(recipients), got, way)
			return
		}
	}
	w.t.Errorf("%d bytes never met a worker", len(text))
}

// queue queues one message and returns which way it went.
func (w *world) queue(text, sender string, recipients ...string) (way string, qp uint64) {
	w.t.Helper()
	os.Remove(w.store)
	qp, err := w.c.Copy("", strings.NewReader(text), sender, recipients)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := os.ReadFile(w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	first, rest, _ := bytes.Cut(b, []byte("|"))
	var from uint64
	fmt.Sscanf(string(first), "%s %d", &way, &from)
	want := text + "|F" + sender + "\x00"
	for _, r := range recipients {
		want += "T" + r + "\x00"
	}
	if want += "\x00"; string(rest) != want || qp != from {
		w.t.Errorf("of %d bytes for %d recipients, %d arrived from process %d, said to be %d", len(text),
			len(recipients), len(rest), from, qp)
	}
	return way, qp
}

func TestASmallMessageIsOnePacketAndALargeOneTakesThePipes(t *testing.T) {
	w := newWorld(t)
	w.warm()
	const room = worker.MaxContents - len("Fs\x00Tr\x00\x00")
	for _, c := range []struct {
		size int
		way  string
	}{{0, "packet"}, {1, "packet"}, {10_000, "packet"}, {room, "packet"}, {room + 1, "pipes"}, {room + 5, "pipes"},
		{room + 7, "pipes"}, {100_000, "pipes"}, {1_000_000, "pipes"}, {5, "packet"}} {
		w.expect(c.way, strings.Repeat("x", c.size), "s", "r")
	}
}

func TestAnEnvelopeThatOutgrowsAPacketTakesThePipes(t *testing.T) {
	w := newWorld(t)
	w.warm()
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprint("somebody", i, "@far.test")
	}
	for _, size := range []int{0, 100, worker.MaxContents - 1000, 100_000} {
		w.expect("pipes", strings.Repeat("x", size), "s", many...)
	}
	w.expect("pipes", "x", strings.Repeat("s", worker.MaxContents), "r")
}

// asking queues a message of a size, with something asked for about it and one of its two recipients.
func (w *world) asking(c *Client, size int) (way, env string) {
	w.t.Helper()
	os.Remove(w.store)
	m, err := c.Open()
	if err != nil {
		w.t.Fatal(err)
	}
	m.Ask(dsn.Message{Ret: "HDRS", EnvID: "e"})
	m.Write(bytes.Repeat([]byte("x"), size))
	m.From("s")
	m.ToOnce("a")
	m.AskTo(dsn.Recipient{})
	if m.ToOnce("a") {
		w.t.Error("a recipient is there twice")
	}
	m.ToOnce("b")
	m.AskTo(dsn.Recipient{Notify: dsn.Never})
	if err := m.Commit(); err != nil {
		w.t.Fatal(err)
	}
	b, err := os.ReadFile(w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	part := strings.SplitN(string(b), "|", 3)
	way, _, _ = strings.Cut(part[0], " ")
	return way, part[2]
}

func TestWhatIsAskedForFollowsTheEnvelopeButNeverToAForeignProgram(t *testing.T) {
	w := newWorld(t)
	w.warm()
	w.c.filter = true
	const plain, asked = "Fs\x00Ta\x00Tb\x00\x00", "p;RET=HDRS;ENVID=e\x00p;N=1;NOTIFY=NEVER\x00\x00"
	for size, want := range map[int]string{10: "packet", 100_000: "pipes"} {
		poll.Until(t, "a worker takes it", func() bool {
			way, env := w.asking(w.c, size)
			if env != plain+asked {
				t.Errorf("%s: %q", way, env)
			}
			return way == want
		})
	}
	own := NewIn(w.c.home, append(w.c.env, "QMAILQUEUE="+w.c.path), nil)
	foreign := NewIn(w.c.home, w.c.env, nil)
	foreign.path = w.c.path // no set-uid program
	for _, c := range []*Client{own, own.Through("filter"), foreign} {
		for _, size := range []int{10, 100_000} {
			if _, env := w.asking(c, size); env != plain || c.TakesAsked() {
				t.Errorf("what is no qmail-queue got %q", env)
			}
		}
	}
	filter := &Client{home: w.c.home, path: w.c.path, env: w.c.env, filter: true}
	for _, size := range []int{10, 100_000} {
		if _, env := w.asking(filter, size); env != plain+asked {
			t.Errorf("a filter got %q", env)
		}
	}
}

func TestNothingIsQueuedThatFailsBeforeCommit(t *testing.T) {
	w := newWorld(t)
	w.warm()
	for _, size := range []int{10, 100_000} {
		os.Remove(w.store)
		m, err := w.c.Open()
		if err != nil {
			t.Fatal(err)
		}
		m.Write(make([]byte, size))
		m.From("s")
		m.To("r")
		m.Fail()
		err = m.Commit()
		if err == nil || report.Of(err).Kind != report.Deferral {
			t.Errorf("%d bytes: %v", size, err)
		}
		if m, err = w.c.Open(); err != nil {
			t.Fatal(err)
		}
		m.Write(make([]byte, size))
		m.Abort()
		if _, err := os.Stat(w.store); err == nil {
			t.Errorf("%d bytes: something is queued", size)
		}
		w.queue("next", "s", "r")
	}
}

func TestAMessageForAQueueThatIsGoneIsStartedTheClassicWay(t *testing.T) {
	w := newWorld(t)
	w.warm()
	m, err := w.c.Open() // which finds a worker
	if err != nil {
		t.Fatal(err)
	}
	m.WriteString("text")
	m.From("s")
	w.c.Close()
	if err := m.Commit(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(w.store); err != nil ||
		!strings.HasPrefix(string(b), fmt.Sprintf("classic %d|text|Fs", m.QP())) {
		t.Errorf("%q %v", b, err)
	}
}

func TestAMessageThatNoProgramTakesIsADeferral(t *testing.T) {
	w := newWorld(t)
	w.warm()
	for _, size := range []int{10, 100_000} {
		m, err := w.c.Open()
		if err != nil {
			t.Fatal(err)
		}
		w.c.Close()
		w.c.path = "/nonexistent"
		m.Write(make([]byte, size))
		m.From("s")
		m.To("r")
		if err := m.Commit(); err == nil || report.Of(err).Kind != report.Deferral ||
			report.Of(err).Error() != envelope.Meaning(envelope.NoExec).Error() {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestNothingOfAMessageIsLeftInMemoryForTheNext(t *testing.T) {
	w := newWorld(t)
	w.warm()
	w.expect("packet", "secret", "secret@x", "secret@y")
	h := w.c.keeper.memory
	if h == nil || cap(h.text) == 0 || cap(h.envelope) == 0 {
		t.Fatal("no memory is kept")
	}
	for _, b := range [][]byte{h.text[:cap(h.text)], h.envelope[:cap(h.envelope)]} {
		if bytes.Contains(b, []byte("secret")) {
			t.Errorf("%q", b)
		}
	}
	w.expect("packet", strings.Repeat("x", 2*maxMemory), "s", "r")
	if h := w.c.keeper.memory; h != nil {
		t.Errorf("%d bytes are kept", cap(h.text))
	}
}

func TestSessionsShareAKeptFilterAndAnAdministratorsProgramComesBeforeIt(t *testing.T) {
	dir := t.TempDir()
	c := NewIn(dir, []string{"A=1"}, nil)
	c.Keep(How{})
	defer c.Close()
	one := c.With([]string{"RELAYCLIENT="}).Through("filter")
	two := c.With([]string{"A=2"}).Through("filter")
	if one.keeper == nil || one.keeper != two.keeper || one.keeper != c.Through("filter").keeper {
		t.Error("each session keeps a filter of its own")
	}
	if one.keeper == c.keeper || one.keeper == c.Through("other").keeper {
		t.Error("two programs are one")
	}
	if want := filepath.Join(dir, "bin/filter"); one.file() != want || one.keeper.path != want {
		t.Errorf("%s, kept %s, want %s", one.file(), one.keeper.path, want)
	}
	if v := one.env; len(v) != 1 || v[0] != "RELAYCLIENT=" {
		t.Errorf("a filter that is started for a message sees %q", v)
	}
	if v := one.keeper.spec.Env; len(v) != 1 || v[0] != "A=1" {
		t.Errorf("a filter that is kept for all sees one session's %q", v)
	}
	if a := c.Apart([]string{"B=1"}).With([]string{"B=2"}).Through("filter"); a.keeper != nil || a.env[0] != "B=2" {
		t.Errorf("a filter is kept with an environment that is for one session: %+v", a)
	}
	own := c.With([]string{"QMAILQUEUE=/own"})
	if f := own.Through("filter"); f != own || f.file() != "/own" || f.keeper != nil {
		t.Errorf("QMAILQUEUE is passed over for %s", f.file())
	}
}
