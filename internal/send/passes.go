package send

import (
	"errors"
	"io"
	"io/fs"

	"qmail/internal/queue"
	"qmail/internal/send/schedule"
)

const (
	// chunk is how many recipients of a message are read at once, fewLeft how few are left when more are read.
	chunk, fewLeft = 512, 128
	// mostWaiting is how many recipients of a message may wait before no more are read.
	mostWaiting = 2000
	// ahead is how many messages of a channel are read before their turn, so that slots never wait for the disk.
	ahead = 8
	// mostResting bounds the messages of a channel that wait for shares only; restPause is the pause in seconds of one
	// that has to make room.
	mostResting, restPause = 64, 10
)

// passes have the recipients of messages read when it is their turn, given to the spawners, and their fates noted.
type passes struct {
	*desk
	*messages
	slots    [2]*slots
	spawners [2]*spawner
	intake   *intake
	controls *Controls
	number   uint64 // of the last delivery, in the log
	moved    int64  // when a slot for remote deliveries was taken or given back last, or asked for
	lost     func() // a spawner is gone
	giveUp   int64  // from when on remote deliveries are given up; 0: never
}

// work begins passes over the messages that are due, and deliveries, as many as there are slots for.
func (p *passes) work() {
	if p.stopping {
		p.hurryAll()
		return
	}
	for _, c := range queue.Channels() {
		p.fill(c)
		p.deliver(c)
	}
	if p.starving() && p.sec >= p.moved+hurryAfter {
		p.spawners[queue.Remote].hurry()
		p.moved = p.sec - hurryAfter + hurryPause
	}
}

const (
	// hurryAfter is for how many seconds no slot may have become free, while somebody waits for one, before deliveries
	// have to give theirs up whose hosts are silent; one each hurryPause seconds.
	hurryAfter, hurryPause = 2, 1
)

// hurryAll has the remote deliveries given up whose hosts are silent and may not have the message yet, again and again
// once that has begun: one is spared while it is not silent.
func (p *passes) hurryAll() {
	if p.giveUp == 0 || p.sec < p.giveUp || p.spawners[queue.Remote].lost {
		return
	}
	p.giveUp = p.sec + hurryPause
	for range p.slots[queue.Remote].running {
		p.spawners[queue.Remote].hurry()
	}
}

// starving reports whether remote deliveries wait for nothing but a slot.
func (p *passes) starving() bool {
	s := p.slots[queue.Remote]
	return s.limit > 0 && s.running >= s.limit && len(s.fresh)+len(s.stale) > 0
}

// fill begins passes over the messages that are due, as many as keep the slots busy.
func (p *passes) fill(c queue.Channel) {
	s := p.slots[c]
	if s.limit == 0 || p.spawners[c].lost {
		return
	}
	if len(s.resting) > mostResting {
		j := s.resting[0]
		s.drop(j)
		if !j.eof {
			j.eof, j.left = true, j.left+1 // whoever comes after
		}
		j.retry = min(j.retry, p.sec+restPause)
		p.passed(c, j)
	}
	for len(s.first) > 0 && !enough(s.fresh, s.opening[0]) {
		id := s.first[0]
		s.first = s.first[1:]
		p.open(c, id, true)
	}
	for len(s.retry) > 0 && s.retry[0].at <= p.sec && !enough(s.stale, s.opening[1]) {
		p.open(c, s.retry.take().id, false)
	}
}

// open reads what a pass over a message needs, and begins it.
func (p *passes) open(c queue.Channel, id queue.ID, first bool) {
	s := p.slots[c]
	opening := &s.opening[0]
	if !first {
		opening = &s.opening[1]
	}
	*opening++
	m := p.get(id)
	j := &job{m: m, first: first, reading: true}
	m.jobs[c] = j
	q, now, warnAfter := p.queue, p.sec, p.controls.warnAfter
	p.disk.start(func() func() {
		info, err := q.ReadInfo(id)
		var some piece
		var birth int64
		var knows warned
		if err == nil {
			birth = age(q, id, info.Birth.Unix(), now)
			if info.Asked != nil && warnAfter > 0 && now >= birth+warnAfter {
				knows, err = readWarned(q, id, info)
			}
		}
		if err == nil {
			some, err = readPiece(q, c, id, 0)
			if errors.Is(err, fs.ErrNotExist) { // everybody is done, but it was not certain that the name is gone
				some, err = piece{eof: true}, nil
			}
		}
		return func() {
			*opening--
			if err != nil {
				p.trouble("trouble opening "+c.File(id)+"; will try again later", err)
				m.jobs[c] = nil
				s.retry.add(due{p.sec + sleepFailure, id})
				p.advance(m)
				return
			}
			m.sender, m.birth, m.wants = info.Sender, min(birth, p.sec), info.Asked
			if m.warned == nil {
				m.warned = knows
			}
			j.retry = schedule.Next(m.birth, p.sec, c)
			j.dying = p.sec > m.birth+p.controls.lifetime
			p.read(c, j, some, nil)
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

// readOn reads more recipients of a job, when few are left.
func (p *passes) readOn(c queue.Channel, j *job) {
	ready := 0
	for _, b := range j.bundles {
		ready += len(b.rcpts)
	}
	if j.eof || j.reading || ready >= fewLeft || j.waiting >= mostWaiting {
		return
	}
	j.reading = true
	q, id, from := p.queue, j.m.id, j.from
	p.disk.start(func() func() {
		some, err := readPiece(q, c, id, from)
		return func() { p.read(c, j, some, err) }
	})
}

// read takes note of recipients that have been read.
func (p *passes) read(c queue.Channel, j *job, some piece, err error) {
	j.reading = false
	if err != nil {
		// Whoever comes after is left for the next pass.
		p.trouble("unable to read "+c.File(j.m.id)+"; will try again later", err)
		j.eof, j.left, j.retry = true, j.left+1, p.sec+sleepFailure
	} else {
		j.from, j.eof = some.from, some.eof
		j.left += len(some.rcpts)
	}
	if j.m.wish != nil {
		p.advance(j.m)
		return
	}
	if err == nil {
		p.slots[c].add(j, some.rcpts)
		p.readOn(c, j)
	}
	p.passed(c, j)
}

// passed looks whether a job is over: everybody has been read, started, and come back.
func (p *passes) passed(c queue.Channel, j *job) {
	if j.over() || j.m.wish != nil {
		p.advance(j.m)
	}
}
