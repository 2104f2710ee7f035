package metrics

import (
	"strconv"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/messages"
)

// maxWalk is how long a walk over the queue may take. Prometheus waits ten seconds.
const maxWalk = 8 * time.Second

// ages are those that messages are counted by, in seconds.
func ages() []int64 { return []int64{60, 600, 3600, 14400, 86400, 259200} }

// The states of what waits.
const (
	inTodo = iota
	waiting
	held
)

func states() []string { return []string{inTodo: "todo", waiting: "waiting", held: "held"} }

// A survey is what waits in the queue.
type survey struct {
	messages   [3]uint64
	recipients [2][3]uint64
	older      []uint64 // messages, by ages
	oldest     int64    // the age of the oldest message
	bytes      uint64
	whole      bool // nothing was left out
}

// look walks over the queue, for a while.
func look(l messages.List, until time.Time) (s survey, err error) {
	s.whole, s.older = true, make([]uint64, len(ages()))
	err = l.While(func(m *messages.Message) bool {
		s.add(m, l.Now)
		s.whole = time.Now().Before(until)
		return s.whole
	})
	return s, err
}

// add counts a message. It is held when all who wait for it are.
func (s *survey) add(m *messages.Message, now time.Time) {
	state := waiting
	kept, left := 0, 0
	for _, r := range m.Recipients {
		switch {
		case r.Done:
			continue
		case m.Todo:
			s.recipients[r.Channel][inTodo]++
		case r.Held:
			s.recipients[r.Channel][held]++
			kept++
		default:
			s.recipients[r.Channel][waiting]++
		}
		left++
	}
	switch {
	case m.Todo:
		state = inTodo
	case kept > 0 && kept == left:
		state = held
	}
	s.messages[state]++
	s.bytes += uint64(max(0, m.Size))
	age := max(0, now.Unix()-m.Birth.Unix())
	s.oldest = max(s.oldest, age)
	for n, a := range ages() {
		if age > a {
			s.older[n]++
		}
	}
}

func (t *text) queue(s survey) {
	t.family("qmail_queue_messages", "gauge", "Messages in the queue.")
	for n, state := range states() {
		t.sample("qmail_queue_messages", `state="`+state+`"`, s.messages[n])
	}
	t.family("qmail_queue_recipients", "gauge", "Recipients that wait.")
	for _, c := range queue.Channels() {
		for n, state := range states() {
			t.sample("qmail_queue_recipients", channelLabel(c)+`,state="`+state+`"`, s.recipients[c][n])
		}
	}
	t.family("qmail_queue_messages_older", "gauge", "Messages in the queue that are older than so many seconds.")
	for n, a := range ages() {
		t.sample("qmail_queue_messages_older", `seconds="`+strconv.FormatInt(a, 10)+`"`, s.older[n])
	}
	t.family("qmail_queue_oldest_age_seconds", "gauge", "The age of the oldest message in the queue.")
	t.sample("qmail_queue_oldest_age_seconds", "", uint64(s.oldest))
	t.family("qmail_queue_bytes", "gauge", "Bytes of the messages in the queue.")
	t.sample("qmail_queue_bytes", "", s.bytes)
	t.family("qmail_queue_walk_complete", "gauge", "0 where time was too short to look at all of the queue.")
	whole := uint64(0)
	if s.whole {
		whole = 1
	}
	t.sample("qmail_queue_walk_complete", "", whole)
}
