package queuefix

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
)

// A rig is a queue with messages in it.
type rig struct {
	t    testing.TB
	dir  string
	site Site
	sent []*sent // by number in the order of their making
}

// sent is one message as it was put in.
type sent struct {
	id            queue.ID
	text          string
	state         int // 2 to 5
	local, remote string
}

// owners gives every account this user's number, or as root one of its own.
func owners() (uids, gids map[string]int) {
	uids, gids = map[string]int{}, map[string]int{}
	u, g := conf.UserNames(), conf.GroupNames()
	for i, n := range []string{u.Root, u.Alias, u.Daemon, u.Log, u.Passwd, u.Queue, u.Remote, u.Send} {
		uids[n] = os.Getuid()
		if os.Getuid() == 0 && i > 0 {
			uids[n] = 60000 + i
		}
	}
	for i, n := range []string{g.Qmail, g.NoFiles} {
		gids[n] = os.Getgid()
		if os.Getuid() == 0 {
			gids[n] = 60010 + i
		}
	}
	return uids, gids
}

func newRig(t testing.TB) *rig {
	dir, err := os.MkdirTemp("/dev/shm", "queuefix") // no disk to wait for
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return newRigIn(t, filepath.Join(dir, "queue"))
}

func newRigIn(t testing.TB, dir string) *rig {
	r := &rig{t: t, dir: dir}
	uids, gids := owners()
	r.site = Site{Dir: r.dir, UIDs: uids, GIDs: gids, Now: time.Now()}
	for _, e := range hier.Queue() {
		path := r.at(within(e))
		var err error
		switch e.Kind {
		case hier.Dir:
			err = os.Mkdir(path, 0o700)
		case hier.Pipe:
			err = sys.Mkfifo(path, 0o600)
		default:
			err = os.WriteFile(path, make([]byte, e.Size), 0o600)
		}
		r.must(err)
		r.must(os.Chown(path, uids[e.Owner], gids[e.Group]))
		r.must(os.Chmod(path, e.Mode))
	}
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) at(name string) string { return filepath.Join(r.dir, name) }

// write makes a file of a message as its program does.
func (r *rig) write(kind string, id queue.ID, text string) {
	r.t.Helper()
	path := r.at(name(kind, id))
	r.must(os.WriteFile(path, []byte(text), 0o600))
	r.own(kind, path)
}

func (r *rig) own(kind, path string) {
	f := &fixer{Site: r.site}
	f.rules()
	r.must(os.Chown(path, f.uid[kind], -1))
	r.must(os.Chmod(path, f.mode[kind]))
}

// add puts a message into the queue, in one of the states 2 to 5.
func (r *rig) add(state int, local, remote string) *sent {
	r.t.Helper()
	tmp := r.at("pid/1")
	m := &sent{state: state, local: local, remote: remote,
		text: fmt.Sprintf("Received: x\nSubject: %d\n\nhello\n", len(r.sent))}
	r.must(os.WriteFile(tmp, []byte(m.text), 0o644))
	fi, err := os.Stat(tmp)
	r.must(err)
	_, ino := sys.Inode(fi)
	m.id = queue.ID(ino)
	r.must(os.Rename(tmp, r.at(queue.Mess(m.id))))
	r.own("mess", r.at(queue.Mess(m.id)))
	envelope := "u1000\x00p77\x00F" + r.sender(len(r.sent)) + "\x00T" + local + "\x00T" + remote + "\x00"
	if state == 3 || state == 4 {
		r.write("intd", m.id, envelope)
	}
	if state == 4 {
		r.must(os.Link(r.at(queue.Intd(m.id)), r.at(queue.Todo(m.id))))
	}
	if state == 5 {
		r.write("info", m.id, "F"+r.sender(len(r.sent))+"\x00")
		r.write("local", m.id, "D"+local+"\x00T"+local+"\x00")
		r.write("remote", m.id, "T"+remote+"\x00")
		r.write("bounce", m.id, "<x@y>:\nno\n")
	}
	r.sent = append(r.sent, m)
	return m
}

func (r *rig) sender(n int) string { return fmt.Sprintf("s%d@here.test", n) }

// fill puts in messages of every state.
func (r *rig) fill() {
	r.add(5, "a@here.test", "b@far.test")
	r.add(4, "c@here.test", "d@far.test")
	r.add(5, "e@here.test", "f@far.test")
	r.add(2, "", "")
	r.add(3, "g@here.test", "h@far.test")
}

// run is queue-fix.
func (r *rig) run(mend bool) (string, int) {
	r.t.Helper()
	var out bytes.Buffer
	n, err := Run(r.site, mend, &out)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String(), n
}

// rename gives all files of a message another number, as a copy to another disk does.
func (r *rig) rename(m *sent, to queue.ID) {
	for _, k := range kinds() {
		err := os.Rename(r.at(name(k, m.id)), r.at(name(k, to)))
		if err != nil && !os.IsNotExist(err) {
			r.t.Fatal(err)
		}
	}
}

// swap gives messages each the number of the next.
func (r *rig) swap(ms ...*sent) {
	const away = queue.ID(1 << 50)
	for i, m := range ms {
		r.rename(m, away+queue.ID(i))
	}
	for i := range ms {
		r.rename(&sent{id: away + queue.ID(i)}, ms[(i+1)%len(ms)].id)
	}
}

// all returns everything below a folder: names, and what is in the files.
func (r *rig) all(folder string) map[string]string {
	found := map[string]string{}
	filepath.WalkDir(r.at(folder), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		r.must(err)
		fi, err := d.Info()
		r.must(err)
		uid, gid := sys.Owner(fi)
		text := fmt.Sprintf("%v %d:%d ", fi.Mode(), uid, gid)
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			r.must(err)
			text += string(b)
		}
		found[path[len(r.dir):]] = text
		return nil
	})
	return found
}

// find returns the number under which a message is whole in the queue, with what was there when it was sent.
func (r *rig) find(m *sent) error {
	var mess []string
	for _, pattern := range []string{"mess/*/*"} {
		files, _ := filepath.Glob(r.at(pattern))
		for _, f := range files {
			if b, _ := os.ReadFile(f); string(b) == m.text {
				mess = append(mess, f)
			}
		}
	}
	if len(mess) != 1 {
		return fmt.Errorf("there %d times", len(mess))
	}
	fi, err := os.Stat(mess[0])
	r.must(err)
	_, ino := sys.Inode(fi)
	id := queue.ID(ino)
	if mess[0] != r.at(queue.Mess(id)) {
		return fmt.Errorf("inode %d is %s", ino, mess[0])
	}
	q := queue.Open(r.dir, nil)
	switch m.state {
	case 4:
		todo, err := q.OpenTodo(id)
		if err != nil {
			return err
		}
		defer todo.Close()
		a, _ := todo.Next()
		if string(a) != m.local {
			return fmt.Errorf("todo is for %s", a)
		}
	case 5:
		if _, err := q.ReadInfo(id); err != nil {
			return err
		}
		for c, want := range map[queue.Channel]string{queue.Local: "D" + m.local + "\x00T" + m.local + "\x00",
			queue.Remote: "T" + m.remote + "\x00"} {
			if b, err := os.ReadFile(r.at(c.File(id))); string(b) != want {
				return fmt.Errorf("%v has %q, %v", c, b, err)
			}
		}
		if _, err := os.Stat(r.at(queue.Bounce(id))); err != nil {
			return err
		}
	}
	return nil
}

// aside lists what was set aside: messages by what they hold, strays by name.
func (r *rig) aside() []string {
	var found []string
	for path, text := range r.all(Lost) {
		if strings.Contains(text, "Subject: ") || strings.HasPrefix(path, "/"+Lost+"/strays/") {
			found = append(found, path[len(Lost)+2:])
		}
	}
	sort.Strings(found)
	return found
}
