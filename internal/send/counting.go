package send

import (
	"math"
	"time"

	"qmail/internal/queue"
	"qmail/internal/sys/counters"
	"qmail/internal/text/report"
)

// counting is what has happened, and happens, for who looks at numbers. Nobody else writes the file.
type counting struct {
	file    *counters.File // nil: nobody looks
	slots   counters.Slots
	changed bool
	writing bool
	last    int64 // the second in which it was written
}

func newCounting(f *counters.File) counting { return counting{file: f, slots: f.Read()} }

func (c *counting) add(slot int, n uint64) {
	c.slots[slot] += n
	c.changed = true
}

// delivery counts the end of one; age is that of its message in seconds.
func (c *counting) delivery(ch queue.Channel, k report.Kind, age int64) {
	n := int(ch)
	switch k {
	case report.Success:
		age = max(0, age)
		c.add(counters.Deliveries(n, counters.Success), 1)
		c.add(counters.Delay(n, counters.Bucket(age)), 1)
		c.add(counters.DelaySum(n), uint64(age))
	case report.Failure:
		c.add(counters.Deliveries(n, counters.Failure), 1)
	default:
		c.add(counters.Deliveries(n, counters.Deferral), 1)
	}
}

// load notes how many slots of a channel are in use, and how many there are.
func (c *counting) load(ch queue.Channel, running, limit int) {
	c.slots[counters.SlotsInUse(int(ch))], c.slots[counters.SlotsLimit(int(ch))] = uint64(running), uint64(limit)
	c.changed = true
}

// bounced counts what became of the failures of a message.
func (c *counting) bounced(x end) {
	switch {
	case x.triple:
		c.add(counters.TripleBounces, 1)
	case x.qp != 0 && x.double:
		c.add(counters.DoubleBounces, 1)
	case x.qp != 0:
		c.add(counters.Bounces, 1)
	}
}

// due is when the counts are to be written, if nothing happens before.
func (c *counting) due() int64 {
	if c.file == nil || !c.changed || c.writing {
		return math.MaxInt64
	}
	return c.last + 1
}

// write has the counts written where they changed, once a second at most.
func (c *counting) write(disk *tasks, sec int64) {
	c.last = min(c.last, sec) // the clock may have been set back
	if c.due() > sec {
		return
	}
	f, slots := c.file, c.slots
	c.changed, c.writing, c.last = false, true, sec
	disk.start(func() func() {
		f.Write(&slots, time.Unix(sec, 0))
		return func() { c.writing = false }
	})
}

// end writes the last counts.
func (c *counting) end(sec int64) {
	c.file.Write(&c.slots, time.Unix(sec, 0))
}
