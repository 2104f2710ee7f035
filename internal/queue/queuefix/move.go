package queuefix

import (
	"errors"
	"fmt"
	"io/fs"

	"qmail/internal/queue"
)

// A move gives the files of one message other names.
type move struct {
	names []rename // in the order of kinds
}

type rename struct{ kind, from, to string }

// refuge is above every inode number: a message waits there under a number of its own while another takes its old one.
const refuge queue.ID = 1 << 62

// renumber plans how the messages get the numbers of their files. A number that is needed by one and held by
// another that needs a third is freed first, so that neither chains nor cycles matter; the rest follows in the next
// round. by is who has a number now.
func (f *fixer) renumber(stay []*message, by map[queue.ID][]*message) {
	wanted := map[queue.ID]bool{}
	for _, m := range stay {
		if m.id != m.inode {
			wanted[m.inode] = true
		}
	}
	next := refuge
	for _, m := range stay {
		switch twin := twinOf(m, by[m.inode]); {
		case m.id == m.inode:
			f.relocate(m, m.id, by)
		case twin != nil && twin.leaves:
			f.again = true
		case twin != nil:
			f.fault(m.path["mess"], fmt.Sprintf("is %s under another number", twin.path["mess"]))
			f.unite(m, twin)
		case wanted[m.id]:
			for by[next] != nil {
				next++
			}
			if f.mend {
				f.fault(m.path["mess"], fmt.Sprintf("has inode number %d; waits as %d", m.inode, next))
			} else {
				f.fault(m.path["mess"], wrongNumber(m))
			}
			f.relocate(m, next, by)
			next++
		default:
			f.relocate(m, m.inode, by)
		}
	}
}

// twinOf returns the message among others that has the same file.
func twinOf(m *message, others []*message) *message {
	for _, o := range others {
		if o != m && o.inode == m.inode {
			return o
		}
	}
	return nil
}

func wrongNumber(m *message) string {
	return fmt.Sprintf("has inode number %d; becomes %s", m.inode, queue.Mess(m.inode))
}

// relocate moves each file of a message to where message id has it, unless it is there. It waits for the next round
// when another message has that number, which goes away in this one.
func (f *fixer) relocate(m *message, id queue.ID, by map[queue.ID][]*message) {
	for _, o := range by[id] {
		if o != m && f.mend {
			f.again = true
			return
		}
	}
	if id != m.id && id == m.inode {
		f.fault(m.path["mess"], wrongNumber(m))
	}
	var mv move
	for _, k := range kinds() {
		for _, path := range m.names(k) {
			if path == name(k, id) {
				continue
			}
			if id == m.id {
				f.fault(path, "is in the wrong folder; becomes "+name(k, id))
			}
			mv.names = append(mv.names, rename{k, path, name(k, id)})
		}
	}
	if len(mv.names) > 0 {
		f.moves = append(f.moves, mv)
	}
}

// unite ends a move that was cut short, or frees a file from its second name: holder gets what it does not have.
func (f *fixer) unite(m, holder *message) {
	var mv move
	for _, k := range kinds() {
		path, ok := m.path[k]
		if !ok {
			continue
		}
		if there, ok := holder.files[k]; ok && !there.Same(m.files[k]) {
			f.setAside(path, "is not "+holder.path[k])
			delete(m.path, k)
			delete(m.files, k)
			continue
		}
		for _, path := range m.names(k) {
			mv.names = append(mv.names, rename{k, path, name(k, holder.id)})
		}
	}
	f.moves = append(f.moves, mv)
}

// move does all that was planned. Each step of all messages comes before the next step of any, so there are few
// waits for the disk.
func (f *fixer) move() {
	if !f.mend || f.err != nil || len(f.moves) == 0 {
		return
	}
	f.fail(f.linkAll())
	if f.err == nil {
		f.fail(f.unlinkAll())
	}
}

// linkAll makes all new names and waits until they are on disk.
func (f *fixer) linkAll() error {
	folders := map[string]bool{}
	for _, m := range f.moves {
		for _, r := range m.names {
			if to := parent(r.to); !folders[to] {
				if err := f.folders(r.to); err != nil {
					return err
				}
				folders[to] = true
			}
			if err := f.link(r); err != nil {
				return err
			}
		}
	}
	return f.syncAll(folders)
}

// link gives a file a second name. If that name is there it must be the same file's, except in intd: what stands
// there is nothing that a message needs.
func (f *fixer) link(r rename) error {
	err := f.disk.link(r.from, r.to)
	if !errors.Is(err, fs.ErrExist) || r.kind == "intd" {
		return unlessExist(err)
	}
	if f.sameFile(r.from, r.to) {
		return nil
	}
	return err
}

// unlessExist is err without fs.ErrExist.
func unlessExist(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// unlinkAll removes the old names.
func (f *fixer) unlinkAll() error {
	folders := map[string]bool{}
	for _, m := range f.moves {
		for _, k := range undo() {
			for _, r := range m.names {
				if r.kind != k || r.from == r.to {
					continue
				}
				if err := f.disk.remove(r.from); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				folders[parent(r.from)] = true
			}
		}
	}
	return f.syncAll(folders)
}

func (f *fixer) syncAll(folders map[string]bool) error {
	for d := range folders {
		if err := f.disk.sync(d); err != nil {
			return err
		}
	}
	return nil
}
