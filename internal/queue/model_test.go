package queue

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"sort"
	"sync"
	"syscall"
	"time"
)

// A law says what a disk may forget in a power cut.
type law struct {
	name   string
	follow bool // what NamesFollow answers
	// journal: names reach the disk in the order in which they changed, and every sync brings all changes before it along.
	// Else a name is on disk only by a sync of its folder or, with follow, by a sync of its file; what was not synced
	// is lost in any subset.
	journal bool
	// ordered is what Ordered answers: a disk keeps the names as they were after some change, and of each file what
	// was written out before that change, at least. A sync of a file brings along what came before the last change of
	// that file itself, not all that came before the sync.
	ordered bool
	mute    bool // files cannot be written out but by a sync
	fresh   bool // inode numbers are never used again
	unnamed bool // files can be made without a name
}

var laws = []law{
	{name: "journal", follow: true, journal: true, unnamed: true},
	{name: "ordered", follow: true, ordered: true, unnamed: true},
	{name: "ordered, pid", follow: true, ordered: true},
	{name: "ordered, mute", follow: true, ordered: true, mute: true, unnamed: true},
	{name: "any subset, names follow", follow: true, fresh: true, unnamed: true},
	{name: "any subset", unnamed: true},
	{name: "any subset, pid", unnamed: false},
}

// An object is a file as the disk knows it. versions are its contents after each write.
type object struct {
	ino      uint64
	versions [][]byte
	open     int
	mtime    time.Time
}

func (o *object) now() []byte { return o.versions[len(o.versions)-1] }

// A change is one thing that happened to the disk.
type change struct {
	name    string  // a name changed: obj is what it names now, nil for nothing
	obj     *object // or obj was written, synced or written out
	written bool
	sync    bool
	out     bool
	folder  string // or a folder was synced
}

// model is an FS in memory that remembers all changes.
type model struct {
	law
	mu    sync.Mutex
	names map[string]*object
	start map[string]*object // as the log begins
	log   []change
	clock time.Time
	last  uint64
	// skip is asked before each sync and write-out of a file; true: it does nothing.
	skip func(kind string, o *object) bool
}

func newModel(l law) *model {
	return &model{law: l, names: map[string]*object{}, start: map[string]*object{}, clock: time.Unix(1e9, 0), last: 100}
}

func (m *model) NamesFollow() bool { return m.follow }

func (m *model) Ordered() bool { return m.ordered }

func (m *model) Hold(File) error           { return nil }
func (m *model) Held(string) (bool, error) { return false, nil }

func (m *model) StartOut(File) error { return nil } // what is only on its way may as well be lost

func (m *model) WriteOut(f File) error {
	if m.mute {
		return errors.ErrUnsupported
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := f.(*handle).o
	if m.skip == nil || !m.skip("write out", o) {
		m.log = append(m.log, change{obj: o, out: true})
	}
	return nil
}

func (m *model) inode() uint64 {
	if m.fresh {
		m.last++
		return m.last
	}
	used := map[uint64]bool{}
	for _, o := range m.names {
		used[o.ino] = true
	}
	for _, c := range m.log {
		if c.obj != nil && c.obj.open > 0 {
			used[c.obj.ino] = true
		}
	}
	n := uint64(101)
	for used[n] {
		n++
	}
	return n
}

func (m *model) object() *object {
	m.clock = m.clock.Add(time.Second)
	o := &object{ino: m.inode(), versions: [][]byte{{}}, mtime: m.clock}
	m.log = append(m.log, change{obj: o, written: true})
	return o
}

func (m *model) set(name string, o *object) {
	if o == nil {
		delete(m.names, name)
	} else {
		m.names[name] = o
	}
	m.log = append(m.log, change{name: name, obj: o})
}

func (m *model) CreateUnnamed(string, fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unnamed {
		return nil, errors.ErrUnsupported
	}
	return m.handle(m.object()), nil
}

func (m *model) LinkUnnamed(f File, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil {
		return fs.ErrExist
	}
	m.set(name, f.(*handle).o)
	return nil
}

func (m *model) Create(name string, _ fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil {
		return nil, fs.ErrExist
	}
	o := m.object()
	m.set(name, o)
	return m.handle(o), nil
}

func (m *model) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.names[name]
	if o == nil {
		return nil, fs.ErrNotExist
	}
	return m.handle(o), nil
}

func (m *model) Update(name string) (File, error) { return m.Open(name) }

func (m *model) Append(name string, mode fs.FileMode) (File, error) {
	f, err := m.Create(name, mode)
	if errors.Is(err, fs.ErrExist) {
		f, err = m.Open(name)
	}
	if err == nil {
		f.Seek(0, io.SeekEnd)
	}
	return f, err
}

func (m *model) Link(old, new string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.names[old]
	switch {
	case o == nil:
		return fs.ErrNotExist
	case m.names[new] != nil:
		return fs.ErrExist
	}
	m.set(new, o)
	return nil
}

func (m *model) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] == nil {
		return fs.ErrNotExist
	}
	m.set(name, nil)
	return nil
}

func (m *model) Lstat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.names[name]
	if o == nil {
		return nil, fs.ErrNotExist
	}
	return info{o.ino, int64(len(o.now())), o.mtime}, nil
}

func (m *model) Accessed(name string) (time.Time, error) {
	fi, err := m.Lstat(name)
	if err != nil {
		return time.Time{}, err
	}
	return fi.ModTime(), nil
}

func (m *model) SetTime(name string, t time.Time) error {
	if _, err := m.Lstat(name); err != nil {
		return err
	}
	m.names[name].mtime = t
	return nil
}

func (m *model) EachName(folder string, fn func(string) bool) error {
	m.mu.Lock()
	var list []string
	for n := range m.names {
		if folderOf(n) == folder {
			list = append(list, n[len(folder)+1:])
		}
	}
	m.mu.Unlock()
	sort.Strings(list)
	for _, n := range list {
		if !fn(n) {
			break
		}
	}
	return nil
}

func (m *model) SyncFolder(folder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, change{folder: folder})
	return nil
}

type info struct {
	ino   uint64
	size  int64
	mtime time.Time
}

func (i info) Name() string       { return "" }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o644 }
func (i info) ModTime() time.Time { return i.mtime }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return &syscall.Stat_t{Ino: i.ino} }

type handle struct {
	m   *model
	o   *object
	pos int64
}

func (m *model) handle(o *object) *handle {
	o.open++
	return &handle{m: m, o: o}
}

func (h *handle) Read(b []byte) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	data := h.o.now()
	if h.pos >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(b, data[h.pos:])
	h.pos += int64(n)
	return n, nil
}

func (h *handle) Write(b []byte) (int, error) {
	n, err := h.WriteAt(b, h.pos)
	h.pos += int64(n)
	return n, err
}

func (h *handle) WriteAt(b []byte, pos int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	old := h.o.now()
	data := bytes.Clone(old)
	if need := pos + int64(len(b)); need > int64(len(data)) {
		data = append(data, make([]byte, need-int64(len(data)))...)
	}
	copy(data[pos:], b)
	if half := len(b) / 2; half > 0 { // a write may be torn
		torn := data[:pos+int64(half)]
		h.o.versions = append(h.o.versions, bytes.Clone(torn))
		h.m.log = append(h.m.log, change{obj: h.o, written: true})
	}
	h.o.versions = append(h.o.versions, data)
	h.m.log = append(h.m.log, change{obj: h.o, written: true})
	return len(b), nil
}

func (h *handle) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		h.pos = off
	case io.SeekEnd:
		h.pos = int64(len(h.o.now())) + off
	}
	return h.pos, nil
}

func (h *handle) Truncate(n int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.o.versions = append(h.o.versions, bytes.Clone(h.o.now()[:n]))
	h.m.log = append(h.m.log, change{obj: h.o, written: true})
	return nil
}

func (h *handle) Sync() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.m.skip == nil || !h.m.skip("sync", h.o) {
		h.m.log = append(h.m.log, change{obj: h.o, sync: true})
	}
	return nil
}

func (h *handle) Stat() (fs.FileInfo, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	return info{h.o.ino, int64(len(h.o.now())), h.o.mtime}, nil
}

func (h *handle) Close() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.o.open--
	return nil
}

// past is what a disk may hold after a cut at one moment: of each name one of some objects, of each object one of
// some contents.
type past struct {
	law      law
	names    []string
	history  map[string][]*object // the first is what is on disk for certain
	contents map[*object][][]byte
	synced   map[*object]int // which version is the first of contents
	// For a journal: the names as they were after each change that may or may not be on disk.
	prefixes []prefix
}

// A prefix is what is on disk when the changes so far are.
type prefix struct {
	at    int // number of the change
	names map[string]*object
	out   map[*object]int // on an ordered disk: versions of each file that were written out before
}

// cut returns the past of a cut after the first k changes.
func (m *model) cut(k int) past {
	p := past{law: m.law, history: map[string][]*object{}, contents: map[*object][][]byte{}, synced: map[*object]int{}}
	last := map[*object]int{} // versions written so far
	durable := p.synced
	names := map[string]*object{}
	for n, o := range m.start {
		p.history[n] = []*object{o}
		names[n] = o
		last[o] = 0
	}
	out := map[*object]int{}
	touched := map[*object]int{} // number of an object's last change
	inFolder := map[string]int{} // and of a folder's
	p.prefixes = []prefix{{0, maps.Clone(names), maps.Clone(out)}}
	// commit: the changes up to number at are on disk; on a disk that is not ordered, all of them.
	commit := func(at int) {
		i := len(p.prefixes) - 1
		for m.ordered && i > 0 && p.prefixes[i].at > at {
			i--
		}
		p.prefixes = p.prefixes[i:]
	}
	pin := func(name string) { // all so far is on disk
		h := p.history[name]
		p.history[name] = h[len(h)-1:]
	}
	for i, c := range m.log[:k] {
		switch {
		case c.folder != "":
			for n := range p.history {
				if folderOf(n) == c.folder {
					pin(n)
				}
			}
			commit(inFolder[c.folder])
		case c.name != "":
			if old := names[c.name]; old != nil {
				touched[old] = i
			}
			if c.obj != nil {
				touched[c.obj] = i
			}
			inFolder[folderOf(c.name)] = i
			if p.history[c.name] == nil {
				p.history[c.name] = []*object{nil}
			}
			p.history[c.name] = append(p.history[c.name], c.obj)
			if c.obj == nil {
				delete(names, c.name)
			} else {
				names[c.name] = c.obj
			}
			p.prefixes = append(p.prefixes, prefix{i, maps.Clone(names), maps.Clone(out)})
		case c.sync:
			durable[c.obj] = last[c.obj]
			if m.follow {
				for n, h := range p.history {
					for i := len(h) - 1; i > 0; i-- {
						if h[i] == c.obj {
							p.history[n] = h[i:]
							break
						}
					}
				}
			}
			commit(touched[c.obj])
		case c.out:
			out[c.obj] = last[c.obj]
		case c.written:
			touched[c.obj] = i
			if _, seen := last[c.obj]; seen {
				last[c.obj]++
			} else {
				last[c.obj] = 0
			}
		}
	}
	for o, n := range last {
		p.contents[o] = o.versions[durable[o] : n+1]
	}
	for n := range p.history {
		p.names = append(p.names, n)
	}
	sort.Strings(p.names)
	return p
}

// states calls fn with disks that the cut may have left: all of them if they are at most limit, else that many by
// chance.
func (p past) states(limit int, rnd *rand.Rand, fn func(*model)) {
	total := 1
	grow := func(n int) {
		if total <= limit {
			total *= n
		}
	}
	var objs []*object
	for o, v := range p.contents {
		if len(v) > 1 {
			objs = append(objs, o)
			grow(len(v))
		}
	}
	sort.Slice(objs, func(i, j int) bool { return objs[i].ino < objs[j].ino })
	if p.law.journal || p.law.ordered {
		grow(len(p.prefixes))
	} else {
		for _, n := range p.names {
			grow(len(p.history[n]))
		}
	}
	all := total <= limit
	for i := range min(total, limit) {
		rest := i
		pick := func(n int) int {
			if !all {
				return rnd.Intn(n)
			}
			c := rest % n
			rest /= n
			return c
		}
		fn(p.state(objs, pick))
	}
}

func (p past) state(objs []*object, pick func(n int) int) *model {
	version := map[*object]int{}
	for _, o := range objs {
		version[o] = pick(len(p.contents[o]))
	}
	names := map[string]*object{}
	if p.law.journal || p.law.ordered {
		one := p.prefixes[pick(len(p.prefixes))]
		names = one.names
		for o, n := range one.out {
			version[o] = max(version[o], n-p.synced[o])
		}
	} else {
		for _, n := range p.names {
			if o := p.history[n][pick(len(p.history[n]))]; o != nil {
				names[n] = o
			}
		}
	}
	m := newModel(p.law)
	m.last = 1000
	made := map[*object]*object{}
	for n, o := range names {
		if made[o] == nil {
			data := p.contents[o][version[o]]
			made[o] = &object{ino: o.ino, versions: [][]byte{data}, mtime: o.mtime}
		}
		m.names[n], m.start[n] = made[o], made[o]
	}
	return m
}
