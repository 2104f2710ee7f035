package queuefix

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/sys"
)

// A damage is done to a filled queue; what comes of it is in the row.
type damage struct {
	what  string
	do    func(r *rig)
	gone  []int  // messages that are not in the queue any more
	aside string // what is set aside then; # stands for the number of message 0
	root  bool   // only root can do it
}

func damages() []damage {
	const far = queue.ID(1 << 40)
	rm := func(r *rig, name string) { r.must(os.Remove(r.at(name))) }
	put := func(r *rig, name, text string) { r.must(os.WriteFile(r.at(name), []byte(text), 0o644)) }
	first := func(r *rig) queue.ID { return r.sent[0].id }
	return []damage{
		{what: "a folder's mode", do: func(r *rig) { r.must(os.Chmod(r.at("todo"), 0o777)) }},
		{what: "a folder's owner", root: true, do: func(r *rig) { r.must(os.Chown(r.at("info/3"), 0, 0)) }},
		{what: "a folder's group", root: true, do: func(r *rig) { r.must(os.Chown(r.at("mess"), -1, 0)) }},
		{what: "a message file's mode", do: func(r *rig) { r.must(os.Chmod(r.at(queue.Mess(first(r))), 0o600)) }},
		{
			what:  "a message file of another user",
			root:  true,
			do:    func(r *rig) { r.must(os.Chown(r.at(queue.Mess(first(r))), 1, 1)) },
			gone:  []int{0},
			aside: "#/mess",
		},
		{
			what:  "an info of root in a folder of qmail-send's",
			root:  true,
			do:    func(r *rig) { r.must(os.Chown(r.at(queue.Info(first(r))), 0, 0)) },
			gone:  []int{0},
			aside: "#/mess",
		},
		{what: "a message file of the owner of its folder", root: true, do: func(r *rig) {
			dir := parent(queue.Mess(first(r)))
			r.must(os.Chown(r.at(dir), 7, 7))
			r.must(os.Chown(r.at(queue.Mess(first(r))), 7, 7))
		}},
		{what: "a whole queue of root, as a backup may give it back", root: true, do: func(r *rig) {
			for name := range r.all(".") {
				r.must(os.Lchown(r.dir+name, 0, 0))
			}
		}},
		{what: "a whole queue with the uids of another machine", root: true, do: func(r *rig) {
			for name := range r.all(".") {
				fi, err := os.Lstat(r.dir + name)
				r.must(err)
				uid, gid := sys.Owner(fi)
				if uid > 60099 {
					continue // by its other name
				}
				r.must(os.Lchown(r.dir+name, uid+100, gid+100))
				r.must(os.Chmod(r.dir+name, fi.Mode()))
			}
		}, aside: "strays/lock_quirks strays/lock_sendmutex strays/lock_tcpto strays/lock_tcpto6"},
		{what: "the mode of what qmail-send writes", do: func(r *rig) {
			r.must(os.Chmod(r.at(queue.Local.File(first(r))), 0o666))
		}},
		{
			what:  "a symbolic link in the place of a folder",
			do:    func(r *rig) { rm(r, "pid"); r.must(os.Symlink("/etc", r.at("pid"))) },
			aside: "strays/pid",
		},
		{what: "a hard link to a file of root as lock/tcpto", root: true, do: func(r *rig) {
			put(r, "../secret", strings.Repeat("x", 1024))
			rm(r, lockTCP)
			r.must(os.Link(r.at("../secret"), r.at(lockTCP)))
		}, aside: "strays/lock_tcpto"},
		{
			what:  "a symbolic link as lost+queue",
			do:    func(r *rig) { r.must(os.Symlink("/etc", r.at(Lost))) },
			aside: "strays/lost+queue.1",
		},
		{
			what:  "a name that is as long as a name can be",
			do:    func(r *rig) { put(r, "mess/0/"+strings.Repeat("x", 255), "x") },
			aside: "strays/mess_0_" + strings.Repeat("x", 193),
		},
		{what: "no lock/trigger", do: func(r *rig) { rm(r, trigger) }},
		{
			what:  "a file as lock/trigger",
			do:    func(r *rig) { rm(r, trigger); put(r, trigger, "x") },
			aside: "strays/lock_trigger",
		},
		{what: "no lock/sendmutex", do: func(r *rig) { rm(r, sendMutex) }},
		{
			what:  "a folder as lock/sendmutex",
			do:    func(r *rig) { rm(r, sendMutex); r.must(os.Mkdir(r.at(sendMutex), 0o700)) },
			aside: "strays/lock_sendmutex",
		},
		{what: "no folder lock", do: func(r *rig) { r.must(os.RemoveAll(r.at("lock"))) }},
		{what: "a short lock/tcpto", do: func(r *rig) { put(r, lockTCP, "x") }, aside: "strays/lock_tcpto"},
		{
			what: "no folders pid and sendctl",
			do:   func(r *rig) { r.must(os.RemoveAll(r.at("pid"))); r.must(os.RemoveAll(r.at("sendctl"))) },
		},
		{what: "an empty folder of the split is missing", do: func(r *rig) {
			for n := range conf.Split() {
				os.Remove(r.at("mess/" + queue.SplitFolder(queue.ID(n)))) // of those that are empty
			}
		}},
		{what: "a file in the place of a folder of the split", do: func(r *rig) {
			for n := range conf.Split() {
				if p := "info/" + queue.SplitFolder(queue.ID(n)); os.Remove(r.at(p)) == nil {
					put(r, p, "x")
					r.must(os.Rename(r.at(p), r.at("info/x")))
					return
				}
			}
		}, aside: "strays/info_x"},
		{
			what:  "a name in mess that is no number",
			do:    func(r *rig) { put(r, "mess/0/core", "x") },
			aside: "strays/mess_0_core",
		},
		{what: "a number with a leading zero", do: func(r *rig) { put(r, "todo/0123", "x") }, aside: "strays/todo_0123"},
		{
			what:  "strange things beside the folders",
			do:    func(r *rig) { put(r, "dead.letter", "x"); put(r, "lock/x", "x") },
			aside: "strays/dead.letter strays/lock_x",
		},
		{what: "a name in pid that no qmail-queue makes", do: func(r *rig) { put(r, "pid/x", "x") }, aside: "strays/pid_x"},
		{
			what:  "a symbolic link in todo",
			do:    func(r *rig) { r.must(os.Symlink("/etc/passwd", r.at("todo/17"))) },
			aside: "strays/todo_17",
		},
		{
			what:  "a folder in remote",
			do:    func(r *rig) { r.must(os.Mkdir(r.at("remote/0/23"), 0o700)) },
			aside: "strays/remote_0_23",
		},
		{
			what:  "todo without a message",
			do:    func(r *rig) { put(r, "todo/17", "u1\x00p2\x00Fa@b\x00Tc@d\x00") },
			aside: "strays/todo_17",
		},
		{
			what:  "info and local without a message",
			do:    func(r *rig) { put(r, queue.Info(46), "Fa@b\x00"); put(r, queue.Local.File(46), "Tc@d\x00") },
			aside: "strays/info_0_46 strays/local_0_46",
		},
		{what: "a bounce without a message", do: func(r *rig) { put(r, "bounce/17", "x") }, aside: "strays/bounce_17"},
		{what: "an old envelope in intd without a message", do: func(r *rig) {
			put(r, "intd/17", "u1\x00")
			old := time.Now().Add(-48 * time.Hour)
			r.must(os.Chtimes(r.at("intd/17"), old, old))
		}, aside: "strays/intd_17"},
		{
			what: "a message whose text is lost",
			do:   func(r *rig) { r.must(os.Truncate(r.at(queue.Mess(first(r))), 0)); r.sent[0].text = "" },
			gone: []int{0},
		},
		{
			what:  "an info that breaks off",
			do:    func(r *rig) { r.must(os.Truncate(r.at(queue.Info(first(r))), 3)) },
			gone:  []int{0},
			aside: "#/mess",
		},
		{
			what:  "an info of zero bytes, as some disks leave",
			do:    func(r *rig) { r.must(os.Truncate(r.at(queue.Info(first(r))), 0)) },
			gone:  []int{0},
			aside: "#/mess",
		},
		{
			what:  "a local that breaks off",
			do:    func(r *rig) { r.must(os.Truncate(r.at(queue.Local.File(first(r))), 5)) },
			gone:  []int{0},
			aside: "#/mess",
		},
		{
			what:  "a remote full of zero bytes",
			do:    func(r *rig) { r.write("remote", first(r), "\x00\x00\x00\x00") },
			gone:  []int{0},
			aside: "#/mess",
		},
		{
			what:  "an envelope that is something else",
			do:    func(r *rig) { r.write("todo", r.sent[1].id, "hello\n") },
			gone:  []int{1},
			aside: "!/mess",
		},
		{what: "no info", do: func(r *rig) { rm(r, queue.Info(first(r))) }, gone: []int{0}, aside: "#/mess"},
		{what: "a number that is not the inode's", do: func(r *rig) { r.rename(r.sent[0], far) }},
		{what: "every number one too high, in a chain", do: func(r *rig) { r.swap(append(r.sent[:4:4], &sent{id: far})...) }},
		{what: "all numbers in a cycle", do: func(r *rig) { r.swap(r.sent...) }},
		{what: "two numbers swapped", do: func(r *rig) { r.swap(r.sent[0], r.sent[1]) }},
		{what: "a chain that ends in a damaged message", do: func(r *rig) {
			r.must(os.Truncate(r.at(queue.Info(first(r))), 3))
			r.swap(r.sent[0], r.sent[1], r.sent[2])
		}, gone: []int{0}, aside: "!/mess"},
		{what: "a split of 7", do: func(r *rig) { r.split(7) }},
		{what: "a split of 150", do: func(r *rig) { r.split(150) }},
		{what: "a split of 1, and all numbers in a cycle", do: func(r *rig) { r.swap(r.sent...); r.split(1) }},
		{what: "no split at all, as before qmail 0.96", do: func(r *rig) { r.split(0) }},
		{
			what: "a message file with a second name",
			do:   func(r *rig) { r.must(os.Link(r.at(queue.Mess(first(r))), r.at(queue.Mess(far)))) },
		},
		{what: "a birth and a next attempt in the future", do: func(r *rig) {
			at := time.Now().Add(100 * 24 * time.Hour)
			r.must(os.Chtimes(r.at(queue.Info(first(r))), at, at))
			r.must(os.Chtimes(r.at(queue.Remote.File(first(r))), at, at))
		}},
	}
}

// split puts the files of all messages where a queue of another split has them, or with 0 one without.
func (r *rig) split(n uint64) {
	for _, k := range kinds() {
		if !divided(k) {
			continue
		}
		for name := range r.all(k) {
			id, ok := queue.ParseID(name[strings.LastIndexByte(name, '/')+1:])
			if !ok || strings.Count(name, "/") != 3 {
				continue
			}
			to := k
			if n > 0 {
				to += "/" + queue.ID(uint64(id)%n).String()
			}
			os.MkdirAll(r.at(to), 0o700)
			r.must(os.Rename(r.dir+name, r.at(to+"/"+id.String())))
		}
	}
}

func TestEachDamageIsSaidThenRepairedAndNothingIsLost(t *testing.T) {
	for _, d := range damages() {
		t.Run(d.what, func(t *testing.T) {
			if d.root && os.Getuid() != 0 {
				t.Skip("only root can do that")
			}
			r := newRig(t)
			r.fill()
			d.do(r)
			before := r.all(".")
			said, n := r.run(false)
			if n == 0 || strings.Count(said, "\n") != n {
				t.Errorf("a dry run finds %d faults:\n%s", n, said)
			}
			if after := r.all("."); !equal(before, after) {
				t.Errorf("a dry run changes the queue")
			}
			said, _ = r.run(true)
			t.Log("\n" + said)
			if again, n := r.run(false); n != 0 {
				t.Errorf("after the repair:\n%s", again)
			}
			for i, m := range r.sent {
				gone := len(d.gone) > 0 && d.gone[0] == i
				if err := r.find(m); (err != nil) != gone {
					t.Errorf("message %d: %v", i, err)
				}
			}
			r.checkAside(d.aside)
		})
	}
}

func (r *rig) checkAside(want string) {
	r.t.Helper()
	want = strings.ReplaceAll(want, "#", r.sent[0].id.String())
	want = strings.ReplaceAll(want, "!", r.sent[1].id.String())
	var got []string
	for _, n := range r.aside() {
		if n != "strays" {
			got = append(got, n)
		}
	}
	if g := strings.Join(got, " "); g != want {
		r.t.Errorf("set aside: %s, want %s", g, want)
	}
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestAGoodQueueHasNoFault(t *testing.T) {
	r := newRig(t)
	r.fill()
	if said, n := r.run(true); n != 0 {
		t.Error(said)
	}
	if _, err := os.Lstat(r.at(Lost)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("there is a folder for nothing")
	}
}

func TestAMessageThatIsComingInIsLeftAlone(t *testing.T) {
	r := newRig(t)
	q := queue.Open(r.dir, nil)
	in, err := q.Begin(1, time.Now())
	r.must(err)
	r.must(in.Text([]byte("Received: x\n"), strings.NewReader("")))
	r.own("mess", r.at(queue.Mess(in.ID())))
	r.must(in.Envelope(1, 2))
	if said, n := r.run(true); n != 0 {
		t.Error(said)
	}
	in.Record([]byte("Fa@b\x00"))
	in.Record([]byte("Tc@d\x00"))
	r.must(in.Commit())
}

func TestNothingIsDoneWhileQmailSendRuns(t *testing.T) {
	r := newRig(t)
	r.fill()
	r.must(os.Chmod(r.at("todo"), 0o777))
	lock, err := queue.LockSend(r.dir)
	r.must(err)
	for _, mend := range []bool{false, true} {
		if _, err := Run(r.site, mend, silence{}); !errors.Is(err, ErrRunning) {
			t.Errorf("mend %v: %v", mend, err)
		}
	}
	lock.Close()
	r.must(os.Remove(r.at(sendMutex)))
	hears, err := queue.OpenTrigger(r.dir)
	r.must(err)
	if _, err := Run(r.site, false, silence{}); !errors.Is(err, ErrRunning) {
		t.Errorf("without lock/sendmutex: %v", err)
	}
	_ = hears
}

func TestANameDoesNotReachTheTerminalRaw(t *testing.T) {
	r := newRig(t)
	name := "pid/\x1b]0;x\x07\n\xff\\"
	r.must(os.WriteFile(r.at(name), nil, 0o644))
	said, n := r.run(true)
	want := `pid/\033]0;x\007\012\377\134: is no message's; set aside as lost+queue/strays/pid_\033]0;x\007\012\377\134` +
		"\n"
	if n != 1 || said != want {
		t.Errorf("%q, want %q", said, want)
	}
}

func TestALinkInTheQueueDoesNotLeadOutOfIt(t *testing.T) {
	r := newRig(t)
	outside := t.TempDir()
	r.must(os.WriteFile(outside+"/46", []byte("x"), 0o640))
	r.must(os.Remove(r.at("info/0")))
	r.must(os.Symlink(outside, r.at("info/0")))
	Run(r.site, true, silence{})
	fi, err := os.Stat(outside + "/46")
	if err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", fi, err)
	}
}
