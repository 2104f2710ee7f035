package queue

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"strings"
	"testing"
	"time"

	"qmail/conf"
)

// world is one queue on a model disk, with what the world outside knows of it.
type world struct {
	m     *model
	q     *Queue
	facts []fact
	note  func(kind string, l *letter, rcpt string) // instead of facts, where there is no model
}

// A fact is true from change number at on.
type fact struct {
	at   int
	kind string // accepted, delivered, bounced
	msg  *letter
	rcpt string
}

// A letter is a message of the tests.
type letter struct {
	id     ID
	text   string
	sender string
	rcpts  []string
}

func newWorld(l law) *world {
	m := newModel(l)
	return &world{m: m, q: Open("", m)}
}

func (w *world) fact(kind string, l *letter, rcpt string) {
	if w.note != nil {
		w.note(kind, l, rcpt)
		return
	}
	w.facts = append(w.facts, fact{len(w.m.log), kind, l, rcpt})
}

// enqueue is what qmail-queue does.
func (w *world) enqueue(t *testing.T, l *letter) {
	in, err := w.q.Begin(77, time.Unix(1e9, 0))
	if err == nil {
		l.id = in.ID()
		if w.note != nil {
			w.note("number", l, l.id.String())
		}
		err = in.Text([]byte("Received: x\n"), strings.NewReader(l.text))
	}
	if err == nil {
		err = in.Envelope(1000, 77)
	}
	if err == nil {
		err = in.Record(record('F', []byte(l.sender)))
	}
	for _, r := range l.rcpts {
		if err == nil {
			err = in.Record(record('T', []byte(r)))
		}
	}
	if err == nil {
		err = in.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.fact("accepted", l, "")
}

func testRoute(r string) (string, Channel) {
	if strings.HasSuffix(r, "@here") {
		return r, Local
	}
	return r, Remote
}

// preprocess is what qmail-send does with several messages at once; done are recipients that have their message.
func (w *world) preprocess(t *testing.T, done map[string]bool, letters ...*letter) {
	var batch []*Prepared
	for _, l := range letters {
		m, err := w.q.Prepare(Plan{ID: l.id, Route: testRoute, Done: func(n int) bool { return done[l.rcpts[n]] }})
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, m)
	}
	for _, err := range w.q.Settle(batch) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range letters {
		w.q.CleanTodo(l.id)
	}
}

// deliver delivers to every recipient of a message in S5; those that start with "bad" fail.
func (w *world) deliver(t *testing.T, l *letter) {
	for _, c := range Channels() {
		r, err := w.q.Recipients(c, l.id, 0)
		if isGone(err) {
			continue
		}
		for err == nil {
			var one Recipient
			if one, err = r.Next(); err != nil {
				break
			}
			addr := string(one.Addr)
			if strings.HasPrefix(addr, "bad") {
				err = w.q.AppendBounce(l.id, []byte("<"+addr+">:\nno\n\n"))
			} else {
				w.fact("delivered", l, addr)
			}
			if err == nil {
				err = w.q.Mark(c, l.id, one.Pos)
			}
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		r.Close()
		w.q.EndChannel(c, l.id)
	}
}

// finish ends a message whose channels have ended.
func (w *world) finish(t *testing.T, l *letter) {
	var text bytes.Buffer
	if err := w.q.CopyBounce(l.id, &text); err == nil {
		for _, r := range l.rcpts {
			if strings.Contains(text.String(), "<"+r+">") {
				w.fact("bounced", l, r)
			}
		}
		w.q.RemoveBounce(l.id)
	}
	if err := w.q.Finish(l.id); err != nil {
		t.Fatal(err)
	}
	w.q.CleanFoop(l.id)
}

// leave is what a qmail-send does that is killed before todo has given way to the files.
func (w *world) leave(t *testing.T, l *letter) {
	m, err := w.q.Prepare(Plan{ID: l.id, Route: testRoute})
	if err != nil {
		t.Fatal(err)
	}
	w.q.Settle([]*Prepared{m})
}

// straight delivers a message from todo and ends it.
func (w *world) straight(l *letter) {
	for _, r := range l.rcpts {
		w.fact("delivered", l, r)
	}
	w.q.CleanTodo(l.id)
	w.q.CleanFoop(l.id)
}

// restart is what qmail-clean and qmail-send do first.
func restart(q *Queue) error {
	q.CleanIntd()
	return q.Recover(Recovery{Ask: func(c Chore, id ID) {
		if c == ChoreTodo {
			q.CleanTodo(id)
		} else {
			q.CleanFoop(id)
		}
	}})
}

// owed returns what the queue after a restart will do for a letter: recipient to "send" or "bounce".
func owed(q *Queue, l *letter) (map[string]string, error) {
	will := map[string]string{}
	if t, err := q.OpenTodo(l.id); err == nil {
		defer t.Close()
		if t.Sender != l.sender {
			return will, nil // the number is another message's by now
		}
		for {
			r, err := t.Next()
			if err == io.EOF {
				return will, nil
			}
			if err != nil {
				return nil, err
			}
			will[string(r)] = "send"
		}
	} else if !isGone(err) {
		return nil, err
	}
	info, err := q.ReadInfo(l.id)
	if isGone(err) {
		return will, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Sender != l.sender {
		return will, nil
	}
	var text bytes.Buffer
	if err := q.CopyBounce(l.id, &text); err != nil && !isGone(err) {
		return nil, err
	}
	for _, r := range l.rcpts {
		if strings.Contains(text.String(), "<"+r+">:\nno\n\n") {
			will[r] = "bounce"
		}
	}
	for _, c := range Channels() {
		r, err := q.Recipients(c, l.id, 0)
		for err == nil {
			var one Recipient
			if one, err = r.Next(); err == nil && !one.Done {
				will[string(one.Addr)] = "send"
			}
		}
		if err != io.EOF && !isGone(err) {
			return nil, err
		}
	}
	return will, nil
}

// check looks for what must not be after a cut at k and a restart.
func (w *world) check(k int, m *model, letters []*letter) error {
	q := Open("", m)
	if err := restart(q); err != nil {
		return err
	}
	after := fmt.Sprint(m.names)
	if err := restart(q); err != nil || fmt.Sprint(m.names) != after {
		return fmt.Errorf("the second restart finds more to do: %v", err)
	}
	for name := range m.names {
		if err := sound(m, name); err != nil {
			return err
		}
	}
	state := map[*letter]map[string]string{}
	for _, f := range w.facts {
		if f.at > k {
			break
		}
		switch f.kind {
		case "accepted":
			state[f.msg] = map[string]string{}
		default:
			state[f.msg][f.rcpt] = f.kind
		}
	}
	for l, had := range state {
		will, err := owed(q, l)
		if err != nil {
			return fmt.Errorf("message %d: %w", l.id, err)
		}
		if len(will) > 0 && !holds(m, l) {
			if !finished(l, had) {
				return fmt.Errorf("message %d is not whole", l.id)
			}
		}
		for _, r := range l.rcpts {
			if had[r] == "" && will[r] == "" {
				return fmt.Errorf("message %d: nothing is owed to %s", l.id, r)
			}
		}
	}
	return nil
}

func finished(l *letter, had map[string]string) bool { return len(had) == len(l.rcpts) }

func holds(m *model, l *letter) bool {
	o := m.names[Mess(l.id)]
	return o != nil && string(o.now()) == "Received: x\n"+l.text
}

// sound reports what is wrong with a name after a restart.
func sound(m *model, name string) error {
	folder, rest, _ := strings.Cut(name, "/")
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		rest = rest[i+1:]
	}
	if folder == "pid" {
		return nil
	}
	id, _ := ParseID(rest)
	mess := m.names[Mess(id)]
	switch {
	case mess == nil:
		return fmt.Errorf("%s has no mess", name)
	case uint64(id) != mess.ino:
		return fmt.Errorf("%s has inode %d", Mess(id), mess.ino)
	}
	switch folder {
	case "todo":
		if !whole(m.names[name].now(), mess.now()) {
			return fmt.Errorf("%s: the message is not whole, or another's: %q, %q", name, m.names[name].now(), mess.now())
		}
	case "local", "remote", "bounce":
		if m.names[Info(id)] == nil {
			return fmt.Errorf("%s has no info", name)
		}
	case "info":
		if m.names[Todo(id)] != nil {
			return fmt.Errorf("%s is beside todo", name)
		}
		if !whole(m.names[name].now(), mess.now()) {
			return fmt.Errorf("%s: the message is not whole, or another's: %q, %q", name, m.names[name].now(), mess.now())
		}
	}
	return nil
}

// whole reports whether the sender's record and the message, whose text names its sender, belong together and are
// whole.
func whole(envelope, mess []byte) bool {
	i := bytes.IndexByte(envelope, 'F')
	if i < 0 {
		return false
	}
	sender, _, ok := bytes.Cut(envelope[i+1:], []byte{0})
	return ok && string(mess) == "Received: x\nfrom "+string(sender)+"\nend\n"
}

func newLetter(sender string, rcpts ...string) *letter {
	return &letter{text: "from " + sender + "\nend\n", sender: sender, rcpts: rcpts}
}

// The lives that a message may lead.
var lives = map[string]func(*testing.T, *world) []*letter{
	"preprocessed": func(t *testing.T, w *world) []*letter {
		a, b := newLetter("a@b", "x@here", "y@far", "bad@here"), newLetter("c@d", "bad@far")
		w.enqueue(t, a)
		w.enqueue(t, b)
		w.preprocess(t, nil, a, b)
		for _, l := range []*letter{a, b} {
			w.deliver(t, l)
			w.finish(t, l)
		}
		return []*letter{a, b}
	},
	"straight from todo": func(t *testing.T, w *world) []*letter {
		a := newLetter("a@b", "x@here", "y@far")
		w.enqueue(t, a)
		w.straight(a)
		return []*letter{a}
	},
	"straight, but one is deferred": func(t *testing.T, w *world) []*letter {
		a := newLetter("a@b", "x@here", "bad@far", "y@here")
		w.enqueue(t, a)
		w.fact("delivered", a, "x@here")
		w.preprocess(t, map[string]bool{"x@here": true}, a)
		w.deliver(t, a)
		w.finish(t, a)
		return []*letter{a}
	},
	"one number, three messages": func(t *testing.T, w *world) []*letter {
		a, b, c := newLetter("a@b", "x@here"), newLetter("c@d", "bad@far"), newLetter("e@f", "z@here")
		w.enqueue(t, a)
		w.preprocess(t, nil, a)
		w.deliver(t, a)
		w.finish(t, a)
		w.enqueue(t, b)
		w.preprocess(t, nil, b)
		w.deliver(t, b)
		w.finish(t, b)
		w.enqueue(t, c)
		w.straight(c)
		return []*letter{a, b, c}
	},
	"left by one that was killed, and straight": func(t *testing.T, w *world) []*letter {
		a, b := newLetter("a@b", "x@here", "y@far"), newLetter("c@d", "z@here")
		w.enqueue(t, a)
		w.leave(t, a)
		if err := w.q.DropLeftovers(a.id); err != nil {
			t.Fatal(err)
		}
		w.straight(a)
		w.enqueue(t, b)
		w.straight(b)
		return []*letter{a, b}
	},
	"prepared twice": func(t *testing.T, w *world) []*letter {
		a := newLetter("a@b", "x@here", "y@far")
		w.enqueue(t, a)
		m, err := w.q.Prepare(Plan{ID: a.id, Route: testRoute})
		if err != nil {
			t.Fatal(err)
		}
		w.q.Drop(m)
		w.preprocess(t, nil, a)
		w.deliver(t, a)
		w.finish(t, a)
		return []*letter{a}
	},
}

func TestNoPowerCutLosesAnAcceptedMessage(t *testing.T) {
	limit := 100
	if testing.Short() {
		limit = 20
	}
	for _, l := range laws {
		for name, life := range lives {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				w := newWorld(l)
				letters := life(t, w)
				rnd := rand.New(rand.NewSource(1))
				states := 0
				for k := range len(w.m.log) + 1 {
					w.m.cut(k).states(limit, rnd, func(m *model) {
						states++
						before := fmt.Sprint(dump(m))
						if err := w.check(k, m, letters); err != nil && !t.Failed() {
							t.Errorf("cut after change %d of %d: %v\n%s", k, len(w.m.log), err, before)
						}
					})
				}
				t.Logf("%d cuts, %d states", len(w.m.log)+1, states)
			})
		}
	}
}

// What makes an Intake safe on an ordered disk, one thing at a time: without it some cut does harm.
func TestNoneOfTheWaitsOfAnIntakeCanBeLeftOut(t *testing.T) {
	for _, c := range []struct{ kind, folder string }{{"write out", "mess"}, {"write out", "intd"}, {"sync", "intd"}} {
		w := newWorld(law{follow: true, ordered: true, unnamed: true})
		w.m.skip = func(kind string, o *object) bool {
			for name, named := range w.m.names {
				if folder, _, _ := strings.Cut(name, "/"); named == o && folder == c.folder {
					return kind == c.kind
				}
			}
			return false
		}
		letters := lives["preprocessed"](t, w)
		rnd := rand.New(rand.NewSource(1))
		harm := 0
		for k := range len(w.m.log) + 1 {
			w.m.cut(k).states(100, rnd, func(m *model) {
				if w.check(k, m, letters) != nil {
					harm++
				}
			})
		}
		if harm == 0 {
			t.Errorf("without the %s of %s nothing is lost", c.kind, c.folder)
		}
	}
}

// Nor can DropLeftovers, wherever numbers are used again.
func TestADeliveryStraightFromTodoMayNotLeaveFilesOfAnEarlierTime(t *testing.T) {
	for _, l := range laws {
		w := newWorld(l)
		a, b := newLetter("a@b", "x@here", "y@far"), newLetter("c@d", "z@here")
		w.enqueue(t, a)
		w.leave(t, a)
		w.straight(a)
		w.enqueue(t, b)
		w.straight(b)
		rnd := rand.New(rand.NewSource(1))
		harm := 0
		for k := range len(w.m.log) + 1 {
			w.m.cut(k).states(100, rnd, func(m *model) {
				if w.check(k, m, []*letter{a, b}) != nil {
					harm++
				}
			})
		}
		if harm == 0 && !l.fresh {
			t.Errorf("%s: files that are left do no harm", l.name)
		}
	}
}

// The same with a second cut while the first restart repairs.
func TestNoPowerCutDuringTheRepairLosesAMessage(t *testing.T) {
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			w := newWorld(l)
			letters := lives["preprocessed"](t, w)
			rnd := rand.New(rand.NewSource(2))
			for k := 0; k <= len(w.m.log); k++ {
				w.m.cut(k).states(20, rnd, func(m *model) {
					if restart(Open("", m)) != nil {
						return
					}
					m.cut(rnd.Intn(len(m.log)+1)).states(3, rnd, func(again *model) {
						if err := w.check(k, again, letters); err != nil && !t.Failed() {
							t.Errorf("cut after change %d: %v", k, err)
						}
					})
				})
			}
		})
	}
}

func dump(m *model) []string {
	var out []string
	for n, o := range m.names {
		out = append(out, fmt.Sprintf("%s=%d:%q", n, o.ino, o.now()))
	}
	return out
}

func TestTheScanRemovesNothingThatIsNotLentToIt(t *testing.T) {
	w := newWorld(laws[0])
	a, b := newLetter("a@b", "x@here", "y@far"), newLetter("c@d", "z@here")
	for _, l := range []*letter{a, b} {
		w.enqueue(t, l)
		w.leave(t, l)
	}
	asked := map[ID]bool{}
	err := w.q.Recover(Recovery{Alone: func(id ID, remove func() error) error {
		asked[id] = true
		if id == b.id {
			return nil
		}
		return remove()
	}})
	if err != nil || len(asked) != 2 {
		t.Errorf("%v, asked for %v", err, asked)
	}
	if w.m.names[Info(a.id)] != nil || w.m.names[Remote.File(a.id)] != nil || w.m.names[Info(b.id)] == nil ||
		w.m.names[Local.File(b.id)] == nil {
		t.Error(dump(w.m))
	}
}

func TestAWalkEndsWhenItsPaceSaysSo(t *testing.T) {
	w := newWorld(laws[0])
	for id := ID(1); id <= 3*PaceNames; id++ {
		for _, name := range []string{Mess(id * 23), Info(id * 23)} {
			f, err := w.m.Create(name, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	found, asked := 0, 0
	pace := func() bool { asked++; return asked < 2 }
	err := w.q.Recover(Recovery{Waiting: func(Found) { found++ }, Pace: pace})
	if err != ErrStopped || found != 2*PaceNames {
		t.Errorf("%v after %d messages", err, found)
	}
	asked = 0
	if err := w.q.EachOrphan(0, time.Now(), pace, func(ID) {}); err != ErrStopped || asked != 2 {
		t.Errorf("%v after %d questions", err, asked)
	}
}

// turning is a disk on which something happens when a name is looked at for the first time.
type turning struct {
	*model
	name string
	turn func()
}

func (d *turning) Lstat(name string) (fs.FileInfo, error) {
	fi, err := d.model.Lstat(name)
	if name == d.name && d.turn != nil {
		d.turn()
		d.turn = nil
	}
	return fi, err
}

func TestAMessageThatIsPreprocessedDuringTheCleanupIsNoOrphan(t *testing.T) {
	for _, at := range []func(ID) string{Todo, Info} {
		w := newWorld(laws[0])
		a := newLetter("a@b", "x@here")
		w.enqueue(t, a)
		disk := &turning{w.m, at(a.id), func() { w.preprocess(t, nil, a) }}
		err := Open("", disk).EachOrphan(uint64(a.id)%conf.Split(), w.m.clock.Add(100*time.Hour), nil, func(id ID) {
			t.Errorf("%d is an orphan when it changes as %s is looked at", id, at(id))
		})
		if err != nil || disk.turn != nil && at(a.id) == Todo(a.id) {
			t.Error(err)
		}
	}
}
