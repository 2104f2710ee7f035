package send

import (
	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
)

// orphans is the pass over mess that finds what qmail-queue left there long ago.
type orphans struct {
	at   int64 // when the next is due
	part uint64
	busy bool
}

// work goes over mess when that is due, one subfolder at a time.
func (s *survey) work() {
	p := &s.orphans
	if p.busy || s.stopping || s.running || p.at > s.sec {
		return
	}
	p.busy = true
	s.tell()
	s.ending.gone.walk()
	q, part, now, pace := s.queue, p.part, s.now(), pacer(s.paces, 0)
	s.disk.start(func() func() {
		var ids []queue.ID
		q.EachOrphan(part, now, pace, func(id queue.ID) { ids = append(ids, id) })
		return func() {
			p.busy = false
			s.tell()
			ids = s.ending.gone.without(ids)
			s.ending.gone.unwalk()
			if s.stopping {
				return
			}
			if p.part++; p.part >= conf.Split() {
				p.part, p.at = 0, s.sec+sleepCleanup
			}
			for _, id := range ids {
				s.ending.clean.ask(sendproto.Request{Kind: sendproto.Foop, ID: uint64(id)}, func(bool) {})
			}
		}
	})
}
