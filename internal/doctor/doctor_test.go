package doctor

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/net/dns"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
)

// A world is an installed qmail in a folder, and a DNS, which are well until a test breaks them.
type world struct {
	t *testing.T
	*Site
	addrs map[string][]netip.Addr
	mx    map[string][]dns.MX
	ptr   map[string][]string
	txt   map[string][]string
	tlsa  map[string][]dns.TLSA
	down  bool
}

func (w *world) Addrs(h string) ([]netip.Addr, error) { return answer(w, w.addrs[h]) }
func (w *world) MX(d string) ([]dns.MX, error)        { return answer(w, w.mx[d]) }
func (w *world) TXT(n string) ([]string, error)       { return answer(w, w.txt[n]) }
func (w *world) PTR(ip netip.Addr) ([]string, error)  { return answer(w, w.ptr[ip.String()]) }
func (w *world) TLSA(h string, _ uint16) ([]dns.TLSA, error) {
	return answer(w, w.tlsa[h])
}

func answer[T any](w *world, list []T) ([]T, error) {
	if w.down {
		return nil, errors.New("no DNS server answered")
	}
	if len(list) == 0 {
		return nil, dns.ErrNotFound
	}
	return list, nil
}

const host = "mail.example.org"

func newWorld(t *testing.T) *world {
	w := &world{t: t, Site: &Site{
		Root: t.TempDir(), Home: "/var/qmail", Now: time.Now(),
		Space: func(string) (sys.Space, error) {
			return sys.Space{Bytes: 100, Free: 50, Inodes: 100, FreeInodes: 50}, nil
		},
		Greeting: func() (string, error) { return "220 " + host + " ESMTP\r\n", nil },
		Running:  func(string) (bool, error) { return true, nil },
	}}
	w.DNS = w
	ip := netip.MustParseAddr("198.51.100.7")
	w.addrs = map[string][]netip.Addr{host: {ip}, "mx.example.org": {ip}}
	w.mx = map[string][]dns.MX{"example.org": {{Pref: 10, Host: "mx.example.org"}}}
	w.ptr = map[string][]string{ip.String(): {host}}
	w.txt = map[string][]string{"example.org": {"v=spf1 mx -all"}, "_dmarc.example.org": {"v=DMARC1; p=none"},
		host: {"v=spf1 a -all"}, "one._domainkey.example.org": {"v=DKIM1; p=x"}}
	w.tlsa = map[string][]dns.TLSA{}
	u, g := conf.UserNames(), conf.GroupNames()
	passwd, ids := "root:x:0:0::/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n", map[string]int{u.Root: 0}
	for i, n := range []string{u.Alias, u.Daemon, u.Log, u.Passwd, u.Queue, u.Remote, u.Send, u.Key} {
		ids[n] = 7790 + i
		passwd += n + ":x:" + strconv.Itoa(7790+i) + ":7790::/var/qmail:/bin/true\n"
	}
	w.file("/etc/passwd", passwd)
	w.file("/etc/group", g.Qmail+":x:7790:\n"+g.NoFiles+":x:7791:\n")
	w.file("/etc/resolv.conf", "nameserver 192.0.2.53\n")
	for _, d := range []string{"alias", "bin", "control", "users", "boot"} {
		w.must(os.MkdirAll(w.path(d), 0o755))
	}
	for _, b := range hier.Binaries() {
		w.file("/var/qmail/bin/"+b, "x")
		w.must(os.Chmod(w.path("bin", b), 0o755))
	}
	w.must(os.Chown(w.path("bin/qmail-queue"), ids[u.Queue], 7790))
	w.must(os.Chmod(w.path("bin/qmail-queue"), 0o711|os.ModeSetuid))
	for _, e := range hier.Queue() {
		path := w.path(e.Path)
		switch e.Kind {
		case hier.Dir:
			w.must(os.MkdirAll(path, 0o755))
		case hier.Pipe:
			w.must(syscall.Mkfifo(path, 0o622))
		default:
			w.file("/var/qmail/"+e.Path, "")
		}
		w.must(os.Chmod(path, e.Mode))
		w.must(os.Lchown(path, ids[e.Owner], 7790))
	}
	for name, text := range map[string]string{
		"control/me": host, "control/locals": host + "\nexample.org", "control/rcpthosts": host + "\nexample.org",
		"control/concurrencyremote": "40", "control/dkimdomains": "example.org:one",
		"alias/.qmail-postmaster": "&joe", "alias/.qmail-root": "&joe", "alias/.qmail-mailer-daemon": "&joe",
		"rc": "#!/bin/sh\nexec qmail-start ./Mailbox splogger qmail",
	} {
		w.file("/var/qmail/"+name, text+"\n")
	}
	w.must(os.Chmod(w.path("rc"), 0o755))
	w.file("/dev/log", "")
	w.must(os.MkdirAll(w.Root+"/usr/sbin", 0o755))
	w.must(os.Symlink(w.path("bin/sendmail"), w.Root+"/usr/sbin/sendmail"))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) file(name, text string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.Root+name), 0o755))
	w.must(os.WriteFile(w.Root+name, []byte(text), 0o644))
	w.must(os.Chmod(w.Root+name, 0o644))
}

// set writes a control file.
func (w *world) set(name, text string) { w.file("/var/qmail/control/"+name, text) }

func (w *world) gone(name string)                   { w.must(os.RemoveAll(w.path(name))) }
func (w *world) mode(name string, mode os.FileMode) { w.must(os.Chmod(w.path(name), mode)) }

func (w *world) findings(start bool) (list []Finding) {
	w.Examine(start, func(f Finding) { list = append(list, f) })
	return list
}

func TestASiteThatIsWellHasNoFindings(t *testing.T) {
	testqmail.NeedRoot(t)
	w := newWorld(t)
	for _, f := range w.findings(false) {
		t.Errorf("%+v", f)
	}
	var out strings.Builder
	if code := w.Report(false, false, &out); code != 0 || !strings.HasPrefix(out.String(), "qmail-doctor: nothing") {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

func TestEachBrokenSetUpIsFoundAndNamed(t *testing.T) {
	testqmail.NeedRoot(t)
	for name, c := range broken() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.do(w)
			found := false
			for _, f := range w.findings(false) {
				if strings.Contains(f.Text, c.want) {
					found = true
				}
				if f.Level == 0 || f.Text == "" || f.Command == "" || strings.Count(f.Text, "\n") > 0 ||
					!strings.HasSuffix(f.Text, ".") {
					t.Errorf("no sentence with a command: %+v", f)
				}
			}
			if !found {
				t.Errorf("not found: %q; found: %+v", c.want, w.findings(false))
			}
			var out strings.Builder
			if code := w.Report(false, true, &out); code == 0 {
				t.Errorf("exit code 0")
			}
			for l := range strings.Lines(out.String()) {
				if !json.Valid([]byte(l)) {
					t.Errorf("no JSON: %s", l)
				}
			}
		})
	}
}

func TestACommandOfOursIsInstalled(t *testing.T) {
	testqmail.NeedRoot(t)
	for name, c := range broken() {
		w := newWorld(t)
		c.do(w)
		for _, f := range w.findings(false) {
			program, _, _ := strings.Cut(f.Command, " ")
			if below, ok := strings.CutPrefix(program, "/var/qmail/bin/"); ok && !slices.Contains(hier.Binaries(), below) {
				t.Errorf("%s: %s is not there", name, f.Command)
			}
		}
	}
}

func TestOnlyWhatKeepsQmailSendFromStartingIsAFaultOfTheStart(t *testing.T) {
	testqmail.NeedRoot(t)
	for name, do := range map[string]func(w *world){
		"me":          func(w *world) { w.gone("control/me") },
		"a user":      func(w *world) { w.file("/etc/passwd", "root:x:0:0::/:/\n") },
		"the trigger": func(w *world) { w.gone("queue/lock/trigger") },
		"a control":   func(w *world) { w.mode("control/locals", 0o600) },
		"a program":   func(w *world) { w.gone("bin/qmail-clean") },
	} {
		w := newWorld(t)
		do(w)
		if code := w.Report(true, false, new(strings.Builder)); code != 2 {
			t.Errorf("%s: exit %d", name, code)
		}
	}
	w := newWorld(t)
	w.gone("control/rcpthosts")
	w.gone("queue/lock/quirks")
	w.set("queuelifetime", "1d\n")
	w.down = true
	var out strings.Builder
	if code := w.Report(true, false, &out); code != 0 || out.Len() > 0 {
		t.Errorf("exit %d, %s", code, out.String())
	}
}

func TestNothingThatAnotherUserPutsInTheWayIsWaitedForOrFollowed(t *testing.T) {
	w := newWorld(t)
	for name, put := range map[string]func(path string) error{
		".qmail-postmaster": func(path string) error { return syscall.Mkfifo(path, 0o644) },
		".qmail-root":       func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		w.gone("alias/" + name)
		w.must(put(w.path("alias/" + name)))
	}
	for _, f := range w.findings(false) {
		if f.Check == "aliases" && strings.Contains(f.Text, "mailbox of user alias") {
			t.Errorf("%+v", f)
		}
	}
}
