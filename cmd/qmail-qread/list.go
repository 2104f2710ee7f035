package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/route"
)

// A message as it is listed.
type message struct {
	id         queue.ID
	birth      time.Time
	size       int64
	sender     string
	todo       bool // not preprocessed: qmail-send may be delivering it straight from todo
	bouncing   bool
	recipients []recipient
}

type recipient struct {
	channel queue.Channel
	address string
	done    bool
	next    time.Time // of one that is not done; zero where it is not known
	failure string    // of one that is done: how it failed; empty when it did not
}

type lister struct {
	q     *queue.Queue
	table *route.Table
	now   time.Time
}

// each calls fn for each message. Messages come and go meanwhile: one that is gone is passed over, none is shown twice.
func (l lister) each(fn func(*message)) error {
	inTodo := map[queue.ID]bool{}
	err := l.q.EachTodo(func(string, error) {}, func(id queue.ID) bool { inTodo[id] = true; return true })
	if err != nil {
		return err
	}
	err = l.q.EachInfo(func(id queue.ID) {
		if !inTodo[id] {
			if m, err := l.fromInfo(id); err == nil {
				fn(m)
			}
		}
	})
	if err != nil {
		return err
	}
	for id := range inTodo {
		m, err := l.fromTodo(id)
		if errors.Is(err, fs.ErrNotExist) {
			m, err = l.fromInfo(id)
		}
		if err == nil {
			fn(m)
		}
	}
	return nil
}

// fromTodo reads a message that is in S4.
func (l lister) fromTodo(id queue.ID) (*message, error) {
	t, err := l.q.OpenTodo(id)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	m := &message{id: id, sender: t.Sender, birth: t.Queued, todo: true}
	if m.size, err = l.q.Size(id); err != nil {
		return nil, err
	}
	for {
		addr, err := t.Next()
		if err != nil {
			return m, nil // what could be read is shown
		}
		r := recipient{address: string(addr), next: l.now}
		if l.table != nil {
			r.address, r.channel = l.table.Rewrite(r.address)
		}
		m.recipients = append(m.recipients, r)
	}
}

// fromInfo reads a message that is in S5.
func (l lister) fromInfo(id queue.ID) (*message, error) {
	info, err := l.q.ReadInfo(id)
	if err != nil {
		return nil, err
	}
	found, err := l.q.Look(id)
	if err != nil {
		return nil, err
	}
	m := &message{id: id, sender: info.Sender, birth: info.Birth, bouncing: found.Bounces}
	if m.size, err = l.q.Size(id); err != nil {
		return nil, err
	}
	for _, c := range queue.Channels() {
		if found.Has[c] {
			l.readChannel(m, c, nextTry(m.birth, l.now, found.Next[c], c))
		}
	}
	if found.Bounces {
		l.failures(m)
	}
	return m, nil
}

func (l lister) readChannel(m *message, c queue.Channel, next time.Time) {
	r, err := l.q.Recipients(c, m.id, 0)
	if err != nil {
		return
	}
	defer r.Close()
	for {
		one, err := r.Next()
		if err != nil {
			return
		}
		rcpt := recipient{channel: c, address: string(one.Addr), done: one.Done}
		if !one.Done {
			rcpt.next = next
		}
		m.recipients = append(m.recipients, rcpt)
	}
}

// nextTry returns when a recipient is tried next: what a qmail-send that has ended wrote down, else by the schedule of
// a running one, which tries at birth and then so that the root of the age grows by a constant.
func nextTry(birth, now, written time.Time, c queue.Channel) time.Time {
	if written.After(now) {
		return written
	}
	step := int64(10)
	if c == queue.Remote {
		step = 20
	}
	age := max(0, now.Unix()-birth.Unix())
	root := int64(0)
	for root*root <= age {
		root += step
	}
	return time.Unix(birth.Unix()+root*root, 0)
}

// maxFailure bounds the text of one failure.
const maxFailure = 2000

// failures reads the bounce and gives each recipient the last paragraph about it. A virtual recipient
// stands there without the user that was put before it.
func (l lister) failures(m *message) {
	f, err := l.q.OpenBounce(m.id)
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
			if about != "" {
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
	for i := range m.recipients {
		if r := &m.recipients[i]; r.done {
			r.failure = failureOf(r.address, texts)
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
