package send

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/route"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/qlog"
)

const (
	// todoBatch is how many messages are read from todo, or written, at once.
	todoBatch = 256
	// fewRecipients is the most that a message may have to be delivered straight from todo.
	fewRecipients = 16
	// fewBytes is the most that the addresses of these may have.
	fewBytes = 2048
	// maxDirect bounds the messages that are delivered straight from todo, as they are held in memory.
	maxDirect = 4000
	// directTime is how many seconds a message may take for that from the start of its first delivery.
	directTime = 4
	// maxListed bounds the entries of todo that are listed at once, and those that are remembered as unusable.
	maxListed = 10000
)

// intake finds new messages in todo, and has each delivered straight from there or given its own files first.
type intake struct {
	*desk
	*messages
	slots    [2]*slots
	ending   *ending
	controls *Controls
	// claim asks the survey for the number of a message that was read; scanning reports whether the first scan runs.
	claim    func(queue.ID) bool
	scanning func() bool

	due     bool  // todo is to be looked at
	at      int64 // at the latest then
	looking bool
	rest    time.Time           // not before, whatever is due
	last    int64               // when the latest message was read
	more    bool                // not all that is there was listed the last time
	entries map[queue.ID]entry  // those that have been read and not yet removed
	odd     map[string]struct{} // those that are of no use, each named once in the log
	direct  int                 // messages that are delivered straight from todo, or wait for that
	directs []*message          // those whose first delivery has started, the oldest first, some of them in todo no more
	writes  []*message          // to get info, local and remote
	writing bool
}

// An entry is what is known of an entry of todo.
type entry uint8

const (
	known   entry = iota
	removed       // qmail-clean is to remove it
	again         // and since then there was one with this number
)

// An arrival is a new message as it was read.
type arrival struct {
	info  qlog.Info
	rcpts [2][]recipient
	count int  // recipients
	many  bool // there are more recipients than were read, or what is asked for
	gone  bool // the entry, or its mess, was there no more
	err   error
}

// next returns when todo is to be looked at, or a message there has taken too long.
func (t *intake) next() int64 {
	at := t.at
	if len(t.directs) > 0 && t.directs[0].direct != nil {
		at = min(at, t.directs[0].direct.since+directTime+1)
	}
	return at
}

// resting returns for how long todo is not to be looked at.
func (t *intake) resting() time.Duration { return max(0, time.Until(t.rest)) }

// work looks at todo when it is due, and has the files of messages written that wait for it.
func (t *intake) work() {
	for len(t.directs) > 0 {
		m := t.directs[0]
		if m.direct != nil && m.direct.since+directTime >= t.sec {
			break
		}
		t.directs = t.directs[1:]
		if m.direct != nil {
			t.write(m)
		}
	}
	t.writeAll()
	if t.stopping || t.looking || !t.due && t.at > t.sec || t.resting() > 0 {
		return
	}
	if t.at <= t.sec {
		clear(t.odd)
	}
	t.due, t.looking, t.at = false, true, t.sec+sleepTodo
	q := t.queue
	t.disk.start(func() func() {
		var ids []queue.ID
		var odd []string
		begun := time.Now()
		err := q.EachTodo(func(name string, _ error) { odd = append(odd, name) }, func(id queue.ID) bool {
			ids = append(ids, id)
			return len(ids) < maxListed
		})
		took := time.Since(begun)
		return func() {
			for _, name := range odd {
				t.isOdd(name)
			}
			if err != nil {
				t.trouble("unable to read todo; will try again later", err)
				t.at = t.sec + sleepFailure
			}
			t.more = len(ids) == maxListed
			t.rest = time.Now().Add(restAfter(took, listShare))
			t.look(ids)
		}
	})
}

// isOdd names an entry that is of no use, once.
func (t *intake) isOdd(name string) {
	if _, ok := t.odd[name]; ok || len(t.odd) >= maxListed {
		return
	}
	t.odd[name] = struct{}{}
	t.warning("skipping " + name + ": not a message of ours")
}

// look reads those of the entries that are new, a batch at a time.
func (t *intake) look(ids []queue.ID) {
	var batch []queue.ID
	for len(ids) > 0 && len(batch) < todoBatch {
		id := ids[0]
		ids = ids[1:]
		if e, ok := t.entries[id]; ok {
			if e == removed {
				t.entries[id] = again
			}
			continue
		}
		if _, ok := t.odd[queue.Todo(id)]; !ok {
			batch = append(batch, id)
		}
	}
	if len(batch) == 0 || t.stopping {
		t.looking = false
		return
	}
	q, table, scanning := t.queue, t.controls.table, t.scanning()
	t.disk.start(func() func() {
		found := make([]arrival, 0, len(batch))
		for _, id := range batch {
			f := readTodo(q, table, id)
			if scanning && f.err == nil {
				f.err = q.DropLeftovers(id)
			}
			found = append(found, f)
		}
		return func() {
			for _, f := range found {
				t.found(f, table)
			}
			t.look(ids)
		}
	})
}

// readTodo reads one entry.
func readTodo(q *queue.Queue, table *route.Table, id queue.ID) (f arrival) {
	f.info.ID = uint64(id)
	t, err := q.OpenTodo(id)
	if err != nil {
		f.gone, f.err = errors.Is(err, fs.ErrNotExist), err
		return f
	}
	defer t.Close()
	f.info.Sender, f.info.UID, f.info.QP = t.Sender, t.UID, t.PID
	if f.info.Bytes, f.err = q.Size(id); f.err != nil {
		f.gone = errors.Is(f.err, fs.ErrNotExist)
		return f
	}
	var at [2]int64
	bytes := 0
	for ; ; f.count++ {
		addr, err := t.Next()
		if err == io.EOF {
			f.many = t.Asks()
			return f
		}
		if err != nil {
			f.err = err
			return f
		}
		if bytes += len(addr); f.count == fewRecipients || bytes > fewBytes {
			f.many = true
			return f
		}
		to, c := table.Rewrite(string(addr))
		f.rcpts[c] = append(f.rcpts[c], recipient{addr: to, pos: at[c], n: f.count})
		at[c] += int64(len(to)) + 2
	}
}

// found begins with a new message.
func (t *intake) found(f arrival, table *route.Table) {
	id := queue.ID(f.info.ID)
	if t.stopping {
		return
	}
	switch {
	case f.gone:
		return
	case errors.Is(f.err, queue.ErrDamaged):
		t.isOdd(queue.Todo(id))
		return
	case f.err != nil:
		t.trouble("unable to read "+queue.Todo(id)+"; will try again later", f.err)
		t.at = min(t.at, t.sec+sleepFailure)
		return
	}
	if !t.claim(id) {
		return
	}
	t.last = t.sec
	if t.ending.order.keep(f, table) {
		t.entries[id] = known
		return
	}
	t.announce(f, table)
}

// untodo has the entry in todo removed, however often that takes.
func (t *intake) untodo(id queue.ID, then func()) {
	t.entries[id] = removed
	t.ending.clean.ask(sendproto.Request{Kind: sendproto.Todo, ID: uint64(id)}, func(ok bool) {
		if !ok {
			t.warning("qmail-clean unable to clean up " + queue.Todo(id))
			t.after(func() { t.untodo(id, then) })
			return
		}
		// What was seen may have been a new message that has got this number, whose trigger will not be pulled again.
		t.due = t.due || t.entries[id] == again
		delete(t.entries, id)
		if t.more && len(t.entries) < maxListed/2 {
			t.due = true
		}
		then()
	})
}
