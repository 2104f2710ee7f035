package queuefix

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strconv"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/sys"
)

// A message is what the queue has under one number: the path of its file in each folder.
type message struct {
	id     queue.ID
	inode  queue.ID // of its file in mess; 0: it has none
	size   int64    // of that
	path   map[string]string
	files  map[string]sys.Status
	leaves bool // it is being set aside
	// second are further names of the same files, which a repair that was cut short has left.
	second map[string][]string
}

// names returns all names of the message's file of a kind.
func (m *message) names(kind string) []string {
	if m.path[kind] == "" {
		return nil
	}
	return append([]string{m.path[kind]}, m.second[kind]...)
}

// messages goes through everything that belongs to messages. The folder mess comes last: what is in the others has
// its mess before, also if it is coming in just now.
func (f *fixer) messages() {
	found := map[string]map[queue.ID][]string{}
	for _, k := range undo() {
		found[k] = f.numbered(k)
	}
	f.pid()
	all := f.assemble(found)
	if f.err != nil {
		return
	}
	slices.SortFunc(all, func(a, b *message) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.inode, b.inode))
	})
	f.judge(all)
	f.move()
	f.foreignParts()
}

// numbered returns the paths in the folder of a kind, by number. Everything else is set aside.
func (f *fixer) numbered(kind string) map[queue.ID][]string {
	found := map[queue.ID][]string{}
	if !divided(kind) {
		f.collect(found, kind, f.names(kind))
		return found
	}
	for _, part := range f.names(kind) {
		path := kind + "/" + part
		number, err := strconv.ParseUint(part, 10, 64)
		isPart := err == nil && strconv.FormatUint(number, 10) == part
		st, err := f.disk.lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			f.fail(err)
		case isPart && st.Mode.IsDir():
			f.collect(found, path, f.names(path))
		case isPart && number < conf.Split():
			// A dry run has said so.
		case isPart && st.Mode.IsRegular():
			f.collect(found, kind, []string{part}) // of a time before there was a split
		default:
			f.setAside(path, "does not belong here")
		}
	}
	return found
}

// collect adds the names of a folder that are numbers to found.
func (f *fixer) collect(found map[queue.ID][]string, folder string, names []string) {
	for _, n := range names {
		path := folder + "/" + n
		id, ok := queue.ParseID(n)
		if !ok {
			f.setAside(path, "is no message's")
			continue
		}
		st, err := f.disk.lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			f.fail(err)
		case st.Mode.Type() == fs.ModeSymlink:
			f.setAside(path, aLink)
		case !st.Mode.IsRegular():
			f.setAside(path, "is not a file")
		default:
			found[id] = append(found[id], path)
		}
	}
}

// pid sets aside what no qmail-queue can have left in pid: its names are PID.TIME.SEQ.
func (f *fixer) pid() {
	for _, n := range f.names("pid") {
		if st, err := f.disk.lstat("pid/" + n); err == nil && !st.Mode.IsRegular() {
			f.setAside("pid/"+n, "is not a file")
			continue
		}
		for _, c := range []byte(n) {
			if c != '.' && (c < '0' || c > '9') {
				f.setAside("pid/"+n, "is no message's")
				break
			}
		}
	}
}

// assemble puts the files of each number together. Where a number has more than one message file, as after a change
// of the split, each goes with what is in subfolders of the same name, and the one in the right folder with the rest.
func (f *fixer) assemble(found map[string]map[queue.ID][]string) []*message {
	var all []*message
	ids := map[queue.ID]bool{}
	for _, byID := range found {
		for id := range byID {
			ids[id] = true
		}
	}
	for id := range ids {
		var same []*message
		for _, path := range ordered(found["mess"][id], queue.Mess(id)) {
			same = f.another(same, id, path)
		}
		if len(same) == 0 {
			same = []*message{newMessage(id)}
		}
		home := same[0] // the one in the right folder, if there is one
		for _, k := range kinds()[1:] {
			for _, path := range ordered(found[k][id], name(k, id)) {
				f.adopt(same, home, k, path)
			}
		}
		all = append(all, same...)
	}
	for _, m := range all {
		f.look(m)
	}
	return all
}

// adopt gives a file to the message that it belongs to.
func (f *fixer) adopt(same []*message, home *message, kind, path string) {
	to := home
	if divided(kind) {
		for _, m := range same {
			for _, mess := range m.names("mess") {
				if parent(mess)[len("mess"):] == parent(path)[len(kind):] {
					to = m
				}
			}
		}
	}
	switch have := to.path[kind]; {
	case have == "":
		to.path[kind] = path
	case f.sameFile(have, path):
		to.second[kind] = append(to.second[kind], path)
	default:
		f.setAside(path, "is there twice")
	}
}

func newMessage(id queue.ID) *message {
	return &message{id: id, path: map[string]string{}, second: map[string][]string{}}
}

// another adds a message file to those of the same number.
func (f *fixer) another(same []*message, id queue.ID, path string) []*message {
	for _, m := range same {
		if f.sameFile(m.path["mess"], path) {
			m.second["mess"] = append(m.second["mess"], path)
			return same
		}
	}
	m := newMessage(id)
	m.path["mess"] = path
	return append(same, m)
}

// sameFile reports whether two names are the same file's.
func (f *fixer) sameFile(a, b string) bool {
	x, e1 := f.disk.lstat(a)
	y, e2 := f.disk.lstat(b)
	return e1 == nil && e2 == nil && x.Same(y)
}

// ordered returns paths with first, if it is among them, first.
func ordered(paths []string, first string) []string {
	slices.Sort(paths)
	if i := slices.Index(paths, first); i > 0 {
		paths[0], paths[i] = paths[i], paths[0]
	}
	return paths
}

// look looks at the files of a message.
func (f *fixer) look(m *message) {
	m.files = map[string]sys.Status{}
	for k, path := range m.path {
		st, err := f.disk.lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			delete(m.path, k) // of a message that was given up, or is in todo by now
			continue
		}
		if err != nil {
			f.fail(err)
			return
		}
		m.files[k] = st
		if k == "mess" {
			m.inode, m.size = queue.ID(st.Ino), st.Size
		}
	}
}

// name returns where the file of a kind of message id belongs.
func name(kind string, id queue.ID) string {
	if divided(kind) {
		return kind + "/" + queue.MessName(id)
	}
	return kind + "/" + id.String()
}

// foreignParts removes the subfolders of another split as soon as they are empty.
func (f *fixer) foreignParts() {
	for _, k := range kinds() {
		if !divided(k) {
			continue
		}
		for _, part := range f.names(k) {
			path := k + "/" + part
			n, err := strconv.ParseUint(part, 10, 64)
			if err != nil || n < conf.Split() || f.mend && len(f.names(path)) > 0 {
				continue
			}
			if st, err := f.disk.lstat(path); err != nil || !st.Mode.IsDir() {
				continue
			}
			f.fault(path, "is of another split; removed")
			f.do(func() error { return f.disk.remove(path) })
		}
	}
}
