// Package messages reads the messages of a queue with their recipients, for programs that list them or ask qmail-send
// to do something with them, and finds those that the user means.
package messages

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/reasons"
	"qmail/internal/send/route"
	"qmail/internal/send/schedule"
	"qmail/internal/site/control"
	"qmail/internal/text/dsn"
)

// A Message is one of the queue as it is now.
type Message struct {
	ID         queue.ID
	Birth      time.Time
	Size       int64
	Sender     string
	Todo       bool // not preprocessed: qmail-send may be delivering it straight from todo
	Bouncing   bool
	Recipients []Recipient
}

// A Recipient is one of a message's.
type Recipient struct {
	Channel queue.Channel
	Address string
	Done    bool
	Next    time.Time // of one that is not done; zero where it is not known
	Held    bool      // qmail-hold keeps it
	Failure string    // of one that is done: how it failed; empty when it did not
	Why     string    // of one that is not done: why it was deferred last, at Tried; empty where that is not known
	Tried   time.Time
}

// A List is the messages of a queue.
type List struct {
	Queue *queue.Queue
	// Route is how qmail-send sees a recipient. Without it, that of a message in todo is as it was given.
	Route func(string) (string, queue.Channel)
	Now   time.Time
	// Reasons has why recipients were deferred; it may be nil.
	Reasons *reasons.Table
}

// Here returns the List of the queue whose folder we are in.
func Here() List {
	l := List{Queue: queue.Open(".", nil), Now: time.Now(), Reasons: reasons.Open(".")}
	if table, err := route.Read(control.Default()); err == nil {
		l.Route = table.Rewrite
	}
	return l
}

// Each calls fn for each message. Messages come and go meanwhile: one that is gone is passed over, none is shown twice.
func (l List) Each(fn func(*Message)) error {
	return l.While(func(m *Message) bool { fn(m); return true })
}

// While is Each until fn returns false.
func (l List) While(fn func(*Message) bool) error {
	ids, inTodo, err := l.ids()
	if err == nil {
		l.each(ids, inTodo, fn)
	}
	return err
}

// EachOldestFirst is Each in the order of the messages' births.
func (l List) EachOldestFirst(fn func(*Message)) error {
	ids, inTodo, err := l.ids()
	if err != nil {
		return err
	}
	births := make(map[queue.ID]int64, len(ids))
	for _, id := range ids {
		births[id] = l.birth(id)
	}
	slices.SortStableFunc(ids, func(a, b queue.ID) int { return cmp.Compare(births[a], births[b]) })
	l.each(ids, inTodo, func(m *Message) bool { fn(m); return true })
	return nil
}

func (l List) each(ids []queue.ID, inTodo map[queue.ID]bool, fn func(*Message) bool) {
	for _, id := range ids {
		if m, err := l.read(id, inTodo[id]); err == nil && !fn(m) {
			return
		}
	}
}

// ids returns the messages: first those that have been preprocessed.
func (l List) ids() (ids []queue.ID, inTodo map[queue.ID]bool, err error) {
	inTodo = map[queue.ID]bool{}
	err = l.Queue.EachTodo(func(string, error) {}, func(id queue.ID) bool { inTodo[id] = true; return true })
	if err == nil {
		err = l.Queue.EachInfo(func(id queue.ID) {
			if !inTodo[id] {
				ids = append(ids, id)
			}
		})
	}
	return slices.AppendSeq(ids, maps.Keys(inTodo)), inTodo, err
}

// birth returns when a message came; that it is gone shows when it is read.
func (l List) birth(id queue.ID) int64 {
	if info, err := l.Queue.ReadInfo(id); err == nil {
		return info.Birth.Unix()
	}
	t, err := l.Queue.OpenTodo(id)
	if err != nil {
		return 0
	}
	defer t.Close()
	return t.Queued.Unix()
}

// read reads a message; one that was in todo may have been preprocessed meanwhile.
func (l List) read(id queue.ID, inTodo bool) (*Message, error) {
	if inTodo {
		if m, err := l.fromTodo(id); !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	return l.fromInfo(id)
}

// fromTodo reads a message that is in S4.
func (l List) fromTodo(id queue.ID) (*Message, error) {
	t, err := l.Queue.OpenTodo(id)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	m := &Message{ID: id, Sender: t.Sender, Birth: t.Queued, Todo: true}
	if m.Size, err = l.Queue.Size(id); err != nil {
		return nil, err
	}
	for {
		addr, err := t.Next()
		if err != nil {
			return m, nil // what could be read is shown
		}
		r := Recipient{Address: string(addr), Next: l.Now}
		if l.Route != nil {
			r.Address, r.Channel = l.Route(r.Address)
		}
		r.Why, r.Tried = l.Reasons.Last(id, r.Channel, r.Address, m.Birth)
		m.Recipients = append(m.Recipients, r)
	}
}

// fromInfo reads a message that is in S5.
func (l List) fromInfo(id queue.ID) (*Message, error) {
	info, err := l.Queue.ReadInfo(id)
	if err != nil {
		return nil, err
	}
	found, err := l.Queue.Look(id)
	if err != nil {
		return nil, err
	}
	m := &Message{ID: id, Sender: info.Sender, Birth: info.Birth, Bouncing: found.Bounces}
	if m.Size, err = l.Queue.Size(id); err != nil {
		return nil, err
	}
	for _, c := range queue.Channels() {
		if found.Has[c] {
			l.readChannel(m, c, nextTry(m.Birth, l.Now, found.Next[c], c))
		}
	}
	if found.Bounces {
		l.failures(m)
	}
	return m, nil
}

func (l List) readChannel(m *Message, c queue.Channel, next time.Time) {
	r, err := l.Queue.Recipients(c, m.ID, 0)
	if err != nil {
		return
	}
	defer r.Close()
	for {
		one, err := r.Next()
		if err != nil {
			return
		}
		rcpt := Recipient{Channel: c, Address: string(one.Addr), Done: one.Done}
		if !one.Done {
			if rcpt.Held = next.Unix() == heldUntil; !rcpt.Held {
				rcpt.Next = next
			}
			rcpt.Why, rcpt.Tried = l.Reasons.Last(m.ID, c, rcpt.Address, m.Birth)
		}
		m.Recipients = append(m.Recipients, rcpt)
	}
}

// nextTry returns when a recipient is tried next: what a qmail-send that has ended wrote down, else by the schedule of
// a running one.
func nextTry(birth, now, written time.Time, c queue.Channel) time.Time {
	if written.After(now) {
		return written
	}
	return time.Unix(schedule.Due(birth.Unix(), now.Unix(), c), 0)
}

// heldUntil is the next attempt of a message that qmail-hold keeps.
const heldUntil = 1<<31 - 1

// maxFailure bounds the text of one failure.
const maxFailure = 2000

// failures reads the bounce and gives each recipient the last paragraph about it. A virtual recipient
// stands there without the user that was put before it.
func (l List) failures(m *Message) {
	f, err := l.Queue.OpenBounce(m.ID)
	if err != nil {
		return
	}
	defer f.Close()
	texts := map[string]string{}
	r := bufio.NewReader(f)
	about, text := "", ""
	for {
		line, err := r.ReadString('\n')
		switch {
		case about == "" && strings.HasPrefix(line, "<") && strings.HasSuffix(line, ">:\n"):
			about = line[1 : len(line)-3]
		case line == "\n" || err == io.EOF:
			if about != "" && !strings.HasPrefix(text, dsn.NoFailure) {
				texts[about] = text + strings.TrimSuffix(line, "\n")
			}
			about, text = "", ""
		case len(text)+len(line) <= maxFailure:
			text += line
		}
		if err != nil {
			break
		}
	}
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.Done {
			r.Failure = failureOf(r.Address, texts)
		}
	}
}

func failureOf(address string, texts map[string]string) string {
	if t, ok := texts[address]; ok {
		return t
	}
	for i := 0; i < len(address) && address[i] != '@'; i++ {
		if address[i] == '-' {
			if t, ok := texts[address[i+1:]]; ok {
				return t
			}
		}
	}
	return ""
}
