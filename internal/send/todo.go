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

// todo is what is known of the todo folder.
type todo struct {
	due     bool  // it is to be looked at
	at      int64 // at the latest then
	looking bool
	rest    time.Time           // not before, whatever is due
	last    int64               // when the latest message was read
	more    bool                // not all that is there was listed the last time
	known   map[queue.ID]entry  // entries that have been read and not yet removed
	odd     map[string]struct{} // entries that are of no use, each named once in the log
	direct  int                 // messages that are delivered straight from todo, or wait for that
	directs []*message          // those whose first delivery has started, the oldest first, and some that are in todo no more
	writes  []*message          // to get info, local and remote
	writing bool
}

// An entry is what is known of an entry of todo.
type entry uint8

const (
	read  entry = iota
	asked       // qmail-clean is to remove it
	seen        // and since then there was one with this number
)

func (t *todo) begin() {
	t.due, t.known, t.odd = true, map[queue.ID]entry{}, map[string]struct{}{}
}

// fresh is a new message as it was read.
type fresh struct {
	info  qlog.Info
	rcpts [2][]recipient
	count int  // recipients
	many  bool // there are more recipients than were read
	gone  bool // the entry, or its mess, was there no more
	err   error
}

// next returns when todo is to be looked at, or a message there has taken too long.
func (t *todo) next(now int64) int64 {
	at := t.at
	if len(t.directs) > 0 && t.directs[0].direct != nil {
		at = min(at, t.directs[0].direct.since+directTime+1)
	}
	return at
}

// resting returns for how long todo is not to be looked at.
func (t *todo) resting() time.Duration { return max(0, time.Until(t.rest)) }

// doTodo looks at todo when it is due.
func (d *daemon) doTodo() {
	t := &d.todo
	for len(t.directs) > 0 {
		m := t.directs[0]
		if m.direct != nil && m.direct.since+directTime >= d.sec {
			break
		}
		t.directs = t.directs[1:]
		if m.direct != nil {
			d.write(m)
		}
	}
	if d.exiting || t.looking || !t.due && t.at > d.sec || t.resting() > 0 {
		return
	}
	if t.at <= d.sec {
		clear(t.odd)
	}
	t.due, t.looking, t.at = false, true, d.sec+sleepTodo
	q := d.Queue
	d.tasks.start(func() func() {
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
				d.isOdd(name)
			}
			if err != nil {
				d.warning("unable to read todo; will try again later")
				t.at = d.sec + sleepFailure
			}
			t.more = len(ids) == maxListed
			t.rest = time.Now().Add(restAfter(took, listShare))
			d.look(ids)
		}
	})
}

// isOdd names an entry that is of no use, once.
func (d *daemon) isOdd(name string) {
	if _, ok := d.todo.odd[name]; ok || len(d.todo.odd) >= maxListed {
		return
	}
	d.todo.odd[name] = struct{}{}
	d.warning("skipping " + name + ": not a message of ours")
}

// look reads those of the entries that are new, a batch at a time.
func (d *daemon) look(ids []queue.ID) {
	t := &d.todo
	var batch []queue.ID
	for len(ids) > 0 && len(batch) < todoBatch {
		id := ids[0]
		ids = ids[1:]
		if e, ok := t.known[id]; ok {
			if e == asked {
				t.known[id] = seen
			}
			continue
		}
		if _, ok := t.odd[queue.Todo(id)]; !ok {
			batch = append(batch, id)
		}
	}
	if len(batch) == 0 || d.exiting {
		t.looking = false
		return
	}
	q, table, scanning := d.Queue, d.Controls.table, d.scan.running || d.scan.failed
	d.tasks.start(func() func() {
		found := make([]fresh, 0, len(batch))
		for _, id := range batch {
			f := readTodo(q, table, id)
			if scanning && f.err == nil {
				f.err = q.DropLeftovers(id)
			}
			found = append(found, f)
		}
		return func() {
			for _, f := range found {
				d.found(f, table)
			}
			d.look(ids)
		}
	})
}

// readTodo reads one entry.
func readTodo(q *queue.Queue, table *route.Table, id queue.ID) (f fresh) {
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
func (d *daemon) found(f fresh, table *route.Table) {
	id := queue.ID(f.info.ID)
	if d.exiting {
		return
	}
	switch {
	case f.gone:
		return
	case errors.Is(f.err, queue.ErrDamaged):
		d.isOdd(queue.Todo(id))
		return
	case f.err != nil:
		d.warning("unable to read " + queue.Todo(id) + "; will try again later")
		d.todo.at = min(d.todo.at, d.sec+sleepFailure)
		return
	}
	if !d.take(id) {
		return
	}
	d.todo.last = d.sec
	if d.bounces.hold(f, table) {
		d.todo.known[id] = read
		return
	}
	d.announce(f, table)
}

// untodo has the entry in todo removed, however often that takes.
func (d *daemon) untodo(id queue.ID, then func()) {
	d.todo.known[id] = asked
	d.ask(sendproto.Request{Kind: sendproto.Todo, ID: uint64(id)}, func(ok bool) {
		if !ok {
			d.warning("qmail-clean unable to clean up " + queue.Todo(id))
			d.after(func() { d.untodo(id, then) })
			return
		}
		// What was seen may have been a new message that has got this number, whose trigger will not be pulled again.
		d.todo.due = d.todo.due || d.todo.known[id] == seen
		delete(d.todo.known, id)
		if d.todo.more && len(d.todo.known) < maxListed/2 {
			d.todo.due = true
		}
		then()
	})
}
