package send

import (
	"errors"
	"io"
	"io/fs"

	"qmail/internal/queue"
)

const (
	// chunk is how many recipients of a message are read at once.
	chunk = 512
	// ahead is how many messages of a channel are read before their turn, so that slots never wait for the disk.
	ahead = 8
	// maxLine bounds the messages of a channel that are in the line, but for those that are delivered straight from todo.
	maxLine = 64
)

// A message is one that something is being done about. Each of its disk tasks waits for the one before.
type message struct {
	id       queue.ID
	sender   string
	birth    int64
	direct   *direct // not nil: its only record is in todo
	jobs     [2]*job
	bounce   []byte     // paragraphs not yet on disk
	failures []failure  // whom they are about
	letters  [2][]int64 // positions of recipients that are done and not marked yet
	busy     bool       // a task about it is under way
	wish     *wish      // what a queue tool wants of it
	writing  bool       // it is to get, or getting, its info, local and remote files
	remove   bool       // a queue tool wants it gone
}

// A job is one pass over the recipients of a message on one channel.
type job struct {
	m       *message
	retry   int64 // when the next pass is due, if this one leaves anyone
	dying   bool  // the message is too old: a deferral is a failure
	first   bool  // nobody has been tried before this pass
	next    []recipient
	aside   []recipient // that wait until more is known of their hosts
	from    int64       // where to read on
	reading bool
	eof     bool          // all recipients have been read
	running int           // deliveries
	left    int           // recipients that are not done
	parked  int           // of those: that wait for their host to be free
	lined   bool          // it is in the channel's line
	letters []int64       // positions of recipients that are done and not marked yet
	moved   map[int]int64 // positions by number, of a job that was begun straight from todo
}

// A recipient is one that is to be tried.
type recipient struct {
	addr string
	pos  int64  // of its record in the local or remote file
	n    int    // its number in todo, for a message that is there only
	at   string // what host has returned
}

// host returns the recipient's host in lower case.
func (r *recipient) host() string {
	if r.at == "" {
		r.at = hostOf(r.addr)
	}
	return r.at
}

// A failure is a recipient that failed. Its delivery counts as running until the paragraph about it is on disk.
type failure struct {
	j *job
	r recipient
}

// pos returns where the recipient's record is, once the message has files.
func (j *job) pos(r recipient) int64 {
	if j.moved != nil {
		return j.moved[r.n]
	}
	return r.pos
}

// message returns the message, now one that something is done about.
func (d *daemon) message(id queue.ID) *message {
	m := d.active[id]
	if m == nil {
		m = &message{id: id}
		d.active[id] = m
	}
	return m
}

// fill begins passes over the messages that are due, as many as keep the slots busy.
func (d *daemon) fill(c queue.Channel) {
	ch := &d.ch[c]
	if ch.limit == 0 || ch.lost {
		return
	}
	for len(ch.first) > 0 && inLine(ch.fresh)+ch.opening[0] < ahead {
		id := ch.first[0]
		ch.first = ch.first[1:]
		d.open(c, id, true)
	}
	for len(ch.retry) > 0 && ch.retry[0].at <= d.sec && inLine(ch.stale)+ch.opening[1] < ahead {
		d.open(c, ch.retry.take().id, false)
	}
}

// inLine returns how many jobs of a line wait for slots, or that there are enough. Messages that wait in todo are
// held in memory anyway, and keep no others from being read; nor do those that wait for a host, unless they are
// very many.
func inLine(line []*job) int {
	n, aside := 0, 0
	for _, j := range line {
		switch {
		case j.m.direct != nil:
		case len(j.next) > 0 || len(j.aside) == 0:
			n++
		default:
			aside++
		}
		if n == ahead || aside == maxLine {
			return ahead
		}
	}
	return n
}

// open reads what a pass over a message needs, and begins it.
func (d *daemon) open(c queue.Channel, id queue.ID, first bool) {
	opening := &d.ch[c].opening[0]
	if !first {
		opening = &d.ch[c].opening[1]
	}
	*opening++
	m := d.message(id)
	j := &job{m: m, first: first, reading: true}
	m.jobs[c] = j
	q, now := d.Queue, d.sec
	d.tasks.start(func() func() {
		info, err := q.ReadInfo(id)
		var p piece
		var birth int64
		if err == nil {
			birth = age(q, id, info.Birth.Unix(), now)
			p, err = readPiece(q, c, id, 0)
			if errors.Is(err, fs.ErrNotExist) { // everybody is done, but it was not certain that the name is gone
				p, err = piece{eof: true}, nil
			}
		}
		return func() {
			*opening--
			if err != nil {
				d.warning("trouble opening " + c.File(id) + "; will try again later")
				m.jobs[c] = nil
				d.ch[c].retry.add(due{d.sec + sleepFailure, id})
				d.progress(m)
				return
			}
			m.sender, m.birth = info.Sender, min(birth, d.sec)
			j.retry = nextRetry(m.birth, d.sec, c)
			j.dying = d.sec > m.birth+d.Controls.lifetime
			d.ch[c].line(j)
			d.read(c, j, p, nil)
		}
	})
}

// A piece is a part of a local or remote file.
type piece struct {
	rcpts []recipient
	from  int64 // where to read on
	eof   bool
}

func readPiece(q *queue.Queue, c queue.Channel, id queue.ID, from int64) (piece, error) {
	f, err := q.Recipients(c, id, from)
	if err != nil {
		return piece{}, err
	}
	defer f.Close()
	p := piece{from: from}
	for len(p.rcpts) < chunk {
		r, err := f.Next()
		if err == io.EOF {
			p.eof = true
			return p, nil
		}
		if err != nil {
			return piece{}, err
		}
		p.from = r.Pos + int64(len(r.Addr)) + 2
		if !r.Done {
			p.rcpts = append(p.rcpts, recipient{addr: string(r.Addr), pos: r.Pos})
		}
	}
	return p, nil
}

// readOn reads more recipients of a job.
func (d *daemon) readOn(c queue.Channel, j *job) {
	j.reading = true
	q, id, from := d.Queue, j.m.id, j.from
	d.tasks.start(func() func() {
		p, err := readPiece(q, c, id, from)
		return func() { d.read(c, j, p, err) }
	})
}

// read takes note of recipients that have been read.
func (d *daemon) read(c queue.Channel, j *job, p piece, err error) {
	j.reading = false
	if err != nil {
		// Whoever comes after is left for the next pass.
		d.warning("unable to read " + c.File(j.m.id) + "; will try again later")
		j.eof, j.left, j.retry = true, j.left+1, d.sec+sleepFailure
	} else {
		j.next, j.from, j.eof = append(j.next, p.rcpts...), p.from, p.eof
		j.left += len(p.rcpts)
	}
	if j.m.wish != nil {
		j.next = nil
		d.ch[c].unline(j)
		d.progress(j.m)
		return
	}
	d.passed(c, j)
}

// passed looks whether a job is over: everybody has been read, started, and come back.
func (d *daemon) passed(c queue.Channel, j *job) {
	if len(j.next) > 0 || len(j.aside) > 0 {
		return
	}
	if j.eof {
		d.ch[c].unline(j)
	}
	if j.over() || j.m.wish != nil {
		d.progress(j.m)
	}
}
