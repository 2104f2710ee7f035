package queuefix

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"qmail/internal/queue"
	"qmail/internal/sys"
)

const (
	// orphan is when an envelope without a message can be no qmail-queue's any more; see internal/queue.
	orphan = 36 * time.Hour
	// future is how far from now no clock is wrong, and no message's next attempt.
	future = 30 * 24 * time.Hour
	// heldUntil is the next attempt of a message that qmail-hold keeps.
	heldUntil = 1<<31 - 1
)

// judge decides about each message: it stays, is moved to its right number, or is set aside.
func (f *fixer) judge(all []*message) {
	by := holders(all)
	var stay []*message
	for _, m := range all {
		if f.err != nil {
			return
		}
		switch what := f.damage(m); {
		case m.inode == 0:
			f.withoutMess(m)
		case what == senderLost && hasTwin(m, all):
			stay = append(stay, m) // half of a move that was cut short
		case what != "":
			f.setAsideWhole(m, what)
			m.leaves = true
		default:
			stay = append(stay, m)
		}
	}
	f.renumber(stay, by)
	for _, m := range stay {
		f.attributes(m)
	}
}

const senderLost = "its sender is lost"

// hasTwin reports whether another message with an envelope has the same file.
func hasTwin(m *message, all []*message) bool {
	for _, o := range all {
		if o != m && o.inode == m.inode && (o.path["todo"] != "" || o.path["info"] != "") {
			return true
		}
	}
	return false
}

// holders returns the messages by number.
func holders(all []*message) map[queue.ID][]*message {
	by := map[queue.ID][]*message{}
	for _, m := range all {
		if m.inode != 0 {
			by[m.id] = append(by[m.id], m)
		}
	}
	return by
}

// withoutMess sets aside what belongs to no message: it was finished when the machine went down, or its text is lost.
func (f *fixer) withoutMess(m *message) {
	for _, k := range undo() {
		path, ok := m.path[k]
		if !ok || k == "intd" && f.Now.Sub(m.files[k].ModTime) < orphan {
			continue
		}
		f.setAside(path, "has no message")
		for _, second := range m.second[k] {
			f.setAside(second, "has no message")
		}
		delete(m.path, k)
	}
}

// damage returns why a message cannot stay, or "". Without an envelope it was promised to nobody; qmail-send
// removes it after a while. But something that qmail-send has made about it says that there was one.
func (f *fixer) damage(m *message) string {
	if m.inode == 0 {
		return ""
	}
	if why := f.foreign(m); why != "" {
		return why
	}
	todo, info := m.path["todo"], m.path["info"]
	switch {
	case todo != "":
		return f.envelope(m, "todo")
	case info != "":
		return f.envelope(m, "info", "local", "remote")
	case m.path["local"] != "" || m.path["remote"] != "" || m.path["bounce"] != "":
		return senderLost
	}
	return ""
}

// foreign returns which files of a message would have to be changed and must not be given away, and why; or "".
func (f *fixer) foreign(m *message) string {
	var all []string
	for _, k := range kinds() {
		st, ok := m.files[k]
		if !ok || k == "intd" && m.path["todo"] == "" || st.UID == f.uid[k] && st.Mode == f.mode[k] && f.clock(k, st) == "" {
			continue
		}
		why, err := f.disk.foreign(m.path[k], st, f.uid[k])
		if err != nil {
			f.fail(err)
		}
		if why != "" {
			all = append(all, m.path[k]+" "+why)
		}
	}
	return strings.Join(all, ", and ")
}

func (f *fixer) envelope(m *message, needed ...string) string {
	if m.size == 0 {
		return "its text is lost"
	}
	for _, k := range needed {
		path, ok := m.path[k]
		if !ok {
			continue
		}
		file, _, err := f.disk.open(path, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = queue.Whole(k, file)
			file.Close()
		}
		if errors.Is(err, queue.ErrDamaged) {
			return path + " is damaged"
		}
		if err != nil {
			return path + " cannot be read: " + sys.Reason(err)
		}
	}
	return ""
}

// setAsideWhole takes all files of a message out of the queue, into a folder with its number.
func (f *fixer) setAsideWhole(m *message, why string) {
	to := f.room("", m.id.String())
	f.fault(m.path["mess"], why+"; the message is set aside as "+to)
	var mv move
	for _, k := range kinds() {
		for _, path := range m.names(k) {
			mv.names = append(mv.names, rename{k, path, to + "/" + k})
		}
	}
	f.moves = append(f.moves, mv)
}

// attributes checks owners, modes and times of the files of a message.
func (f *fixer) attributes(m *message) {
	for _, k := range kinds() {
		st, ok := m.files[k]
		if !ok || k == "intd" && m.path["todo"] == "" {
			continue // one that is being written is nobody's business
		}
		path := m.path[k]
		f.owned(path, st, f.uid[k], anyGroup, f.mode[k])
		if wrong := f.clock(k, st); wrong != "" {
			f.fault(path, wrong)
			f.do(func() error { return f.disk.setTime(path, f.Now) })
		}
	}
}

// clock returns what is wrong with the time of a file of a kind, or "".
func (f *fixer) clock(kind string, st sys.Status) string {
	at := st.ModTime
	switch {
	case kind != "info" && kind != "local" && kind != "remote" || at.Sub(f.Now) < future:
	case kind == "info":
		return fmt.Sprintf("was born in the future, in %d; now", at.UTC().Year())
	case at.Unix() != heldUntil:
		return fmt.Sprintf("is to be tried next in %d; now", at.UTC().Year())
	}
	return ""
}
