package attack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
	"qmail/internal/sys/passwd"
)

// A rootwork is a program that root runs over folders of others.
type rootwork struct {
	name string
	args []string
	// names says whether its output must name a path below HOME that is not what it should be.
	names func(path string, b bait) bool
	looks bool // it only looks, so that the next finds the same
}

// A tree is an installed system with mail in its queue, and what root has outside of it.
type tree struct {
	t        *testing.T
	accounts passwd.Accounts
	entries  map[string]hier.Entry
	work     []rootwork
	canaries []canary
}

// A canary is a file or folder of root's that nobody may get, as it was.
type canary struct {
	path string
	f    *os.File
	was  string
}

// A bait is what somebody puts in the place of a name.
type bait struct {
	name string
	put  func(t *tree, path string, uid int)
	link bool // a symbolic one
	long bool // only played when there is time
}

const cellar = "/.canary" // below HOME: a hard link must be on the same filesystem

func home(path string) string { return conf.Home() + path }

func (t *tree) must(err error) {
	t.t.Helper()
	if err != nil {
		t.t.Fatal(err)
	}
}

func newTree(tt *testing.T) *tree {
	t := &tree{t: tt, entries: map[string]hier.Entry{}}
	var err error
	t.accounts, err = passwd.AccountsIn("")
	t.must(err)
	source, err := testqmail.Source()
	t.must(err)
	all, err := hier.Tree(os.DirFS(source))
	t.must(err)
	for _, e := range all {
		t.entries["/"+e.Path] = e
	}
	inTree := func(path string, b bait) bool {
		e, ok := t.entries[path]
		return ok && !(e.Kind == hier.Pipe && b.name == "a FIFO")
	}
	inQueue := func(path string, b bait) bool {
		return strings.HasPrefix(path, "/queue/") && !(t.entries[path].Kind == hier.Pipe && b.name == "a FIFO") &&
			!(strings.HasPrefix(path, "/queue/intd/") && !b.link && b.name != "a FIFO") // it may be coming in
	}
	built := source + "/build/bin/"
	light := t.light(source)
	t.write("/run/tree", t.manifest(built+"install", light))
	none := func(string, bait) bool { return false }
	t.work = []rootwork{
		{"instcheck", []string{built + "instcheck", light}, inTree, true},
		{"qmail-tcpok", []string{built + "qmail-tcpok"}, none, true},
		{"qmail-tcpto", []string{built + "qmail-tcpto"}, none, true},
		{"qmail-qread", []string{built + "qmail-qread"}, none, true},
		{"qmail-qstat", []string{home("/bin/qmail-qstat")}, none, true},
		{"qmail-rm", []string{built + "qmail-rm", "-s", "*"}, none, true},
		{"queue-fix", []string{built + "queue-fix"}, inQueue, true},
		{"install", []string{built + "install", light}, inTree, false},
		{"install -p", []string{built + "install", "-p", "/run/tree"}, inTree, false},
		{"queue-fix -f", []string{built + "queue-fix", "-f"}, inQueue, false},
	}
	t.fill()
	t.hide()
	return t
}

// light makes a source tree whose programs are small, for install copies them a hundred times. Nobody starts them.
func (t *tree) light(source string) string {
	const light = "/run/source"
	t.sh("mkdir " + light + "; ln -s " + source + "/* " + light + "; rm " + light + "/build; mkdir -p " + light +
		"/build/bin; cd " + source + "/build/bin; for name in *; do echo $name >" + light + "/build/bin/$name; done")
	return light
}

func (t *tree) manifest(install, source string) string {
	t.t.Helper()
	out, err := exec.Command(install, source, "/run/dest", "/run/manifest").CombinedOutput()
	if err != nil {
		t.t.Fatalf("%v %s", err, out)
	}
	b, err := os.ReadFile("/run/manifest")
	t.must(err)
	return string(b)
}

func (t *tree) write(path, text string) { t.must(os.WriteFile(path, []byte(text), 0o600)) }

// fill puts a message in each state into the queue, and something into the folder of alias.
func (t *tree) fill() {
	u := conf.UserNames()
	put := func(path, text, owner string, mode fs.FileMode) {
		t.write(path, text)
		t.must(os.Chown(path, t.accounts.UIDs[owner], t.accounts.GIDs[conf.GroupNames().Qmail]))
		t.must(os.Chmod(path, mode))
	}
	for _, state := range []string{"todo", "info"} {
		t.write(home("/queue/pid/1"), "Subject: x\n\ntext\n")
		fi, err := os.Stat(home("/queue/pid/1"))
		t.must(err)
		_, ino := sys.Inode(fi)
		id := strconv.FormatUint(ino, 10)
		part := strconv.FormatUint(ino%conf.Split(), 10) + "/" + id
		t.must(os.Rename(home("/queue/pid/1"), home("/queue/mess/"+part)))
		put(home("/queue/mess/"+part), "Subject: x\n\ntext\n", u.Queue, 0o644)
		if state == "todo" {
			put(home("/queue/intd/"+id), "u1\x00p1\x00Fa@b\x00Tme@c\x00", u.Queue, 0o644)
			t.must(os.Link(home("/queue/intd/"+id), home("/queue/todo/"+id)))
			continue
		}
		put(home("/queue/info/"+part), "Fa@b\x00", u.Send, 0o600)
		put(home("/queue/local/"+part), "Tme@c\x00", u.Send, 0o600)
		put(home("/queue/remote/"+part), "Tme@d\x00", u.Send, 0o600)
		put(home("/queue/bounce/"+id), "<e@f>:\nno\n", u.Send, 0o600)
	}
	for _, n := range []string{"postmaster", "mailer-daemon", "root"} {
		put(home("/alias/.qmail-"+n), "", u.Alias, 0o644)
	}
}

// hide makes the canaries.
func (t *tree) hide() {
	t.must(os.MkdirAll(home(cellar+"/folder/5"), 0o700))
	for _, name := range []string{"/file", "/folder/5/1", "/folder/sendmutex", "/folder/tcpto", "/folder/1"} {
		t.write(home(cellar+name), strings.Repeat("x", 1024)) // the size of lock/tcpto
	}
	t.must(filepath.WalkDir(home(cellar), func(path string, _ fs.DirEntry, err error) error {
		t.must(err)
		f, err := os.Open(path)
		t.must(err)
		t.canaries = append(t.canaries, canary{path: path, f: f, was: look(f)})
		return nil
	}))
}

// look returns what an attacker would change in what is open.
func look(f *os.File) string {
	fi, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	uid, gid := sys.Owner(fi)
	text := fmt.Sprintf("%v %d:%d", fi.Mode(), uid, gid)
	if fi.IsDir() {
		f.Seek(0, 0)
		names, _ := f.Readdirnames(-1)
		slices.Sort(names)
		return text + " " + strings.Join(names, " ")
	}
	b := make([]byte, 4096)
	n, _ := f.ReadAt(b, 0)
	return text + " " + string(b[:n])
}

// unharmed checks the canaries.
func (t *tree) unharmed(after string) {
	t.t.Helper()
	for _, c := range t.canaries {
		if is := look(c.f); is != c.was {
			t.t.Fatalf("%s: %s is %.80s, and was %.80s", after, c.path, is, c.was)
		}
	}
}

// may reports whether uid may change the names in a folder.
func may(uid, gid int, fi fs.FileInfo) bool {
	owner, group := sys.Owner(fi)
	mode := fi.Mode().Perm()
	switch {
	case owner == uid:
		return true // he may give himself the right
	case group == gid:
		return mode&0o020 != 0
	}
	return mode&0o002 != 0
}

// within returns the paths below HOME that uid may put something else in the place of, by how deep they are.
func (t *tree) within(uid, gid int) (byDepth [][]string) {
	t.must(filepath.WalkDir(home(""), func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == home("") {
			return err
		}
		above, err := os.Lstat(filepath.Dir(path))
		t.must(err)
		if path == home(cellar) {
			return fs.SkipDir
		}
		if may(uid, gid, above) {
			rel := path[len(home("")):]
			depth := strings.Count(rel, "/")
			for len(byDepth) <= depth {
				byDepth = append(byDepth, nil)
			}
			byDepth[depth] = append(byDepth[depth], rel)
		}
		return nil
	}))
	return byDepth
}

func (t *tree) symlink(target, path string, uid int) {
	t.must(os.Symlink(target, path))
	t.must(os.Lchown(path, uid, -1))
}

func baits() []bait {
	return []bait{
		{"a link to a file", func(t *tree, p string, uid int) { t.symlink(home(cellar+"/file"), p, uid) }, true, true},
		{"a link to a folder", func(t *tree, p string, uid int) { t.symlink(home(cellar+"/folder"), p, uid) }, true, false},
		{"a link to nothing", func(t *tree, p string, uid int) { t.symlink(home(cellar+"/folder/new"), p, uid) }, true, true},
		// As from a system where anybody may link any file.
		{"a hard link", func(t *tree, p string, _ int) { t.must(os.Link(home(cellar+"/file"), p)) }, false, false},
		{"the last link", func(t *tree, p string, _ int) {
			t.write(p, strings.Repeat("x", 1024))
			f, err := os.Open(p)
			t.must(err)
			t.canaries = append(t.canaries, canary{path: p, f: f, was: look(f)})
		}, false, true},
		{"a FIFO", func(t *tree, p string, uid int) {
			t.must(sys.Mkfifo(p, 0o600))
			t.must(os.Chown(p, uid, -1))
		}, false, false},
	}
}

// run runs a program that must not wait, and returns what it says.
func (t *tree) run(w rootwork) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.args[0], w.args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		t.t.Fatalf("%s hangs: %s", w.name, out.String())
	}
	if e, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || e.ExitCode() < 0) {
		t.t.Fatalf("%s: %v %s", w.name, err, out.String())
	}
	return out.String()
}

func (t *tree) sh(command string) {
	t.t.Helper()
	if out, err := exec.Command("/bin/sh", "-ec", command).CombinedOutput(); err != nil {
		t.t.Fatalf("%s: %v %s", command, err, out)
	}
}

// lay puts a bait in the place of each path.
func (t *tree) lay(b bait, paths []string, uid int) {
	for _, p := range paths {
		t.must(os.RemoveAll(home(p)))
		b.put(t, home(p), uid)
	}
}

// restore makes everything good again.
func (t *tree) restore() {
	t.sh("rm -rf " + home("/queue") + " " + home("/alias") + "; cp -a /run/good/queue /run/good/alias " + home(""))
	t.canaries = slices.DeleteFunc(t.canaries, func(c canary) bool {
		laid := !strings.HasPrefix(c.path, home(cellar))
		if laid {
			c.f.Close()
		}
		return laid
	})
}

// names checks that what a program says names each path.
func (t *tree) names(w rootwork, out string, b bait, paths []string) {
	t.t.Helper()
	for _, p := range paths {
		said := false
		for _, name := range []string{home(p), strings.TrimPrefix(p, "/queue/")} { // queue-fix begins at the queue
			for _, begin := range []string{"\n", " "} {
				said = said || strings.Contains(out, begin+name+": ") || strings.Contains(out, begin+name+" ")
			}
		}
		if w.names(p, b) && !said {
			t.t.Errorf("%s says nothing of %s:\n%s", w.name, p, out)
		}
	}
}

func TestRootFollowsAndGivesAwayNothingThatAnotherUserHasPutThere(tt *testing.T) {
	if !inWorld(tt) {
		return
	}
	t := newTree(tt)
	for _, w := range t.work {
		if out := t.run(w); strings.Contains(w.name, "inst") && out != "" || strings.HasPrefix(w.name, "queue-fix") &&
			out != "queue-fix: no fault\n" {
			t.t.Fatalf("%s, before any attack: %s", w.name, out)
		}
	}
	t.sh("mkdir /run/good; cp -a " + home("/queue") + " " + home("/alias") + " /run/good")
	u, laid := conf.UserNames(), 0
	for _, name := range []string{u.Alias, u.Daemon, u.Log, u.Passwd, u.Queue, u.Remote, u.Send} {
		uid := t.accounts.UIDs[name]
		entry, err := passwd.Lookup(name)
		t.must(err)
		for _, paths := range t.within(uid, entry.GID) {
			if len(paths) == 0 {
				continue
			}
			for _, b := range baits() {
				if b.long && !long() {
					continue
				}
				fresh := true
				for _, w := range t.work {
					if fresh {
						t.restore()
						t.lay(b, paths, uid)
						laid += len(paths)
					}
					fresh = !w.looks
					who := fmt.Sprintf("%s puts %s in the place of %s and others; then %s",
						name, b.name, paths[0], w.name)
					out := "\n" + t.run(w)
					t.unharmed(who + ":" + out)
					t.names(w, out, b, paths)
					if tt.Failed() {
						tt.Fatal(who)
					}
				}
				t.restore()
			}
		}
	}
	if laid < 500 {
		t.t.Errorf("only %d baits were laid: the walk finds too little", laid)
	}
}

// flip has a link to target and what it finds at path change places, as fast as uid can, until stop is closed.
func flip(path, bait, target string, uid int, stop <-chan struct{}, done chan<- int) {
	runtime.LockOSThread() // and never unlocked: the thread ends with us
	unix.SetfsuidRetUid(uid)
	for n := 0; ; {
		select {
		case <-stop:
			done <- n
			return
		default:
		}
		if err := unix.Renameat2(unix.AT_FDCWD, bait, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE); err == nil {
			n++
		} else {
			os.Symlink(target, bait) // the last one was taken away
		}
	}
}

func TestRootLosesNoRaceAgainstWhoFlipsFoldersAndLinks(tt *testing.T) {
	if !inWorld(tt) {
		return
	}
	t := newTree(tt)
	u := conf.UserNames()
	stop, done := make(chan struct{}), make(chan int)
	var paths []string
	for _, p := range []struct{ owner, path, target string }{
		{u.Queue, "/queue/mess/5", cellar + "/folder"}, {u.Queue, "/queue/lock/tcpto", cellar + "/file"},
		{u.Queue, "/queue/lock/sendmutex", cellar + "/folder/sendmutex"}, {u.Queue, "/queue/mess", cellar + "/folder"},
		{u.Send, "/queue/info/7", cellar + "/folder"}, {u.Send, "/queue/local/5", cellar + "/folder"},
	} {
		bait := filepath.Dir(home(p.path)) + "/.bait" + strconv.Itoa(len(paths))
		paths = append(paths, home(p.path))
		go flip(home(p.path), bait, home(p.target), t.accounts.UIDs[p.owner], stop, done)
	}
	rounds, long := 0, 4*time.Second
	if testing.Short() {
		long = time.Second
	}
	for end := time.Now().Add(long); time.Now().Before(end) || rounds < 5; rounds++ {
		for _, w := range t.work {
			t.run(w)
			t.unharmed(w.name)
		}
	}
	close(stop)
	flips := 0
	for range paths {
		flips += <-done
	}
	if flips < 100 {
		t.t.Errorf("only %d flips", flips)
	}
	t.t.Logf("%d rounds, %d flips", rounds, flips)
}
