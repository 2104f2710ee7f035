package doctest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

const (
	hostName = "host.example.org"
	log      = "/var/log/mail.log"
	pristine = "/run/pristine"
	patience = 20 * time.Second
)

// accounts are those that the documents speak of, beside the root and me of every world.
var accounts = [...]string{"joe", "ann"}

const firstUID = 7900

func TestTheCommandsOfTheDocumentsWork(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range documents(t) {
		for _, s := range sections(text) {
			if len(s.steps) == 0 {
				continue
			}
			t.Run(filepath.Base(path)+"/"+s.title, func(t *testing.T) {
				if err := w.reset(); err != nil {
					t.Fatal(err)
				}
				for _, st := range s.steps {
					if err := w.do(st); err != nil {
						text, _ := os.ReadFile(log)
						t.Fatalf("%s:%d: %v\nlog:\n%s", path, st.line, err, text)
					}
				}
			})
		}
	}
	w.stop()
}

// A world is a system as INSTALL.md leaves it, and its running qmail.
type world struct{ send *exec.Cmd }

func newWorld() (*world, error) {
	source, err := testqmail.Source()
	if err != nil {
		return nil, err
	}
	setup := "mount -t tmpfs tmpfs /var/log\n" + source + "/config-fast " + hostName + "\n"
	for i, name := range accounts {
		setup += fmt.Sprintf(`echo %[1]s:x:%[2]d:%[2]d::/run/home/%[1]s:/bin/sh >>/etc/passwd
echo %[1]s:x:%[2]d: >>/etc/group
echo %[1]s:*:20000:0:99999:7::: >>/etc/shadow
mkdir /run/home/%[1]s; chown %[2]d:%[2]d /run/home/%[1]s
`, name, firstUID+i)
	}
	setup += `cd ` + conf.Home() + `
su -s /bin/sh alias -c 'cd; touch .qmail-postmaster .qmail-mailer-daemon .qmail-root; chmod 644 .qmail*'
cp boot/home rc
mkdir ` + pristine + `
mkdir ` + pristine + `/bin
cp -a bin/qmail-queue bin/qmail-remote ` + pristine + `/bin
cp -a control alias users /run/home ` + pristine + `
`
	if out, err := shell("", setup); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return &world{}, syslog()
}

// syslog plays the system's logger: what is said to /dev/log goes into log.
func syslog() error {
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		return err
	}
	os.Chmod("/dev/log", 0o666)
	go func() {
		b := make([]byte, 8192)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			// <priority>Mmm dd hh:mm:ss tag: text
			_, line, _ := strings.Cut(strings.TrimRight(string(b[:n]), "\n\x00"), ">")
			if len(line) < 16 {
				continue
			}
			f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err == nil {
				fmt.Fprintf(f, "%s host %s\n", line[:15], line[16:])
				f.Close()
			}
		}
	}()
	return nil
}

// reset makes everything as it was after the installation, and starts qmail.
func (w *world) reset() error {
	w.stop()
	out, err := shell("", `for p in $(pidof tcp-env); do kill $p; done
cd `+conf.Home()+`
for d in control alias users; do find $d -mindepth 1 -delete; cp -a `+pristine+`/$d .; done
find /run/home -mindepth 1 -delete; cp -a `+pristine+`/home /run
find queue/mess queue/info queue/local queue/remote queue/todo queue/intd queue/bounce -type f -delete
rm -f bin/qmail-queue bin/qmail-remote*; cp -a `+pristine+`/bin/* bin
rm -rf /run/newdisk local
cp boot/home rc
rm -f `+log)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return w.start()
}

func (w *world) start() error {
	text, _ := os.ReadFile(log)
	w.send = exec.Command(conf.Home() + "/rc")
	w.send.Env, w.send.Dir = []string{"PATH=/usr/bin:/bin"}, "/"
	if err := w.send.Start(); err != nil {
		return err
	}
	if !poll.Within(poll.Limit, func() bool {
		now, _ := os.ReadFile(log)
		return strings.Contains(string(now[min(len(text), len(now)):]), "status: local")
	}) {
		return fmt.Errorf("qmail does not start")
	}
	return nil
}

func (w *world) stop() {
	if w.send == nil {
		return
	}
	w.send.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { w.send.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(poll.Limit):
		w.send.Process.Kill()
		<-done
	}
	w.send = nil
	// The spawners end after qmail-send: the next must not meet them.
	poll.Within(poll.Limit, func() bool {
		links, _ := filepath.Glob("/proc/[0-9]*/exe")
		return !slices.ContainsFunc(links, func(l string) bool {
			to, _ := os.Readlink(l)
			return slices.Contains([]string{"qmail-lspawn", "qmail-rspawn", "qmail-clean"}, filepath.Base(to))
		})
	})
}

func (w *world) do(s step) error {
	switch s.kind {
	case "restart":
		w.stop()
		return w.start()
	case "check":
		var out []byte
		var err error
		if poll.Within(poll.Limit, func() bool {
			out, err = shell("", s.command)
			return err == nil
		}) {
			return nil
		}
		return fmt.Errorf("never true: %s: %w\n%s", s.command, err, out)
	}
	out, err := shell(s.user, s.command)
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", s.command, err, out)
	}
	return nil
}

// shell runs commands as a user, root where the name is empty.
func shell(user, commands string) ([]byte, error) {
	cmd := exec.Command("/bin/sh", "-e", "-c", commands)
	path := "PATH=" + conf.Home() + "/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	cmd.Dir, cmd.Env = "/", []string{path, "HOME=/root", "USER=root"}
	if user != "" {
		id, ok := uidOf(user)
		if !ok {
			return nil, fmt.Errorf("no user %s", user)
		}
		cmd.Dir = "/run/home/" + user
		cmd.Env = []string{path, "HOME=" + cmd.Dir, "USER=" + user}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	}
	return cmd.CombinedOutput()
}

func uidOf(user string) (uint32, bool) {
	for i, name := range accounts {
		if name == user {
			return uint32(firstUID + i), true
		}
	}
	for _, u := range testqmail.Users() {
		if u.Name == user {
			return uint32(u.UID), true
		}
	}
	return 0, false
}
