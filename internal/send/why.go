package send

import "qmail/internal/send/reasons"

// mostReasons bounds the deferrals that wait to be written down.
const mostReasons = 1000

// why has the reasons of deferrals written down for the queue tools, beside all else.
type why struct {
	table   *reasons.Table
	list    []reasons.Deferral
	writing bool
}

// note takes note of a deferral. Where the disk does not keep up, it is not told.
func (w *why) note(d reasons.Deferral) {
	if w.table != nil && len(w.list) < mostReasons {
		w.list = append(w.list, d)
	}
}

// write has what was noted written, one task at a time.
func (w *why) write(disk *tasks) {
	if w.writing || len(w.list) == 0 {
		return
	}
	table, list := w.table, w.list
	w.list, w.writing = nil, true
	disk.start(func() func() {
		table.Note(list)
		return func() { w.writing = false }
	})
}
