package send

import (
	"qmail/internal/queue"
	"qmail/internal/text/dsn"
)

// messages are those that something is being done about.
type messages struct {
	active map[queue.ID]*message
	// advance does the next thing that a message needs; see daemon.advance.
	advance func(*message)
}

// get returns the message, now one that something is done about.
func (a *messages) get(id queue.ID) *message {
	m := a.active[id]
	if m == nil {
		m = &message{id: id}
		a.active[id] = m
	}
	return m
}

// forget drops a message that nothing is done about any more.
func (a *messages) forget(m *message) {
	if !m.busy && m.direct == nil && m.jobs[0] == nil && m.jobs[1] == nil && a.active[m.id] == m {
		delete(a.active, m.id)
	}
}

// A message is one that something is being done about. Each of its disk tasks waits for the one before.
type message struct {
	id       queue.ID
	sender   string
	birth    int64
	direct   *direct // not nil: its only record is in todo
	jobs     [2]*job
	bounce   []byte    // paragraphs not yet on disk
	failures []failure // whom they are about
	busy     bool      // a task about it is under way
	wish     *wish     // what a queue tool wants of it
	writing  bool      // it is to get, or getting, its info, local and remote files
	wants    *dsn.Set  // what its sender asks for; nil: nothing, or it has no files yet
	warned   warned    // whose delays its sender knows of; nil: none is to be told yet
	delays   []byte    // paragraphs about delays that the sender is to be told
}

// retryNow has those passes followed by the next one at once that have ended for all but the disk.
func (m *message) retryNow(now int64) {
	for _, j := range m.jobs {
		if j != nil && j.over() {
			j.retry = now
		}
	}
}

// A job is one pass over the recipients of a message on one channel.
type job struct {
	m       *message
	retry   int64     // when the next pass is due, if this one leaves anyone
	dying   bool      // the message is too old: a deferral is a failure
	first   bool      // nobody has been tried before this pass
	bundles []*bundle // of recipients that may be tried
	waiting int       // recipients that have been read and not tried
	lined   bool      // it is in the line for slots
	from    int64     // where to read on
	reading bool
	eof     bool          // all recipients have been read
	running int           // deliveries
	left    int           // recipients that are not done
	letters []int64       // positions of recipients that are done and not marked yet
	moved   map[int]int64 // positions by number, of a job that was begun straight from todo
}

// over reports whether nothing more will happen in this pass.
func (j *job) over() bool { return j.eof && j.waiting == 0 && j.running == 0 && !j.reading }

// pos returns where the recipient's record is, once the message has files.
func (j *job) pos(r recipient) int64 {
	if j.moved != nil {
		return j.moved[r.n]
	}
	return r.pos
}

// A recipient is one that is to be tried.
type recipient struct {
	addr string
	pos  int64 // of its record in the local or remote file
	n    int   // its number in todo, for a message that is there only
}

// A failure is a recipient that failed. Its delivery counts as running until the paragraph about it is on disk. One
// that was served has such a paragraph where the sender wants it, and is not tried again if that cannot be written.
type failure struct {
	j      *job
	r      recipient
	served bool
}
