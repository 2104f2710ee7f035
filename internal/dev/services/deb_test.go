//go:build linux

package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// A debian is a Debian system of its own, below a folder.
type debian struct {
	t     *testing.T
	root  string
	group string   // of its processes, where a machine has such
	in    []string // the command that runs a command in it
}

// try runs shell commands in the system.
func (d *debian) try(commands string) (string, error) {
	cmd := exec.Command(d.in[0], append(d.in[1:], "/bin/sh", "-e", "-c", commands)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try for commands that must succeed.
func (d *debian) run(commands string) string {
	d.t.Helper()
	out, err := d.try(commands)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return out
}

// send gives sendmail a message for me.
func (d *debian) send(subject string) {
	d.t.Helper()
	d.run(`printf 'To: me\nSubject: ` + subject +
		`\n\ntext\n' | setpriv --reuid me --regid me --clear-groups /usr/sbin/sendmail -t`)
}

// arrived waits for it.
func (d *debian) arrived(subject string) {
	d.t.Helper()
	wait(d.t, "the message "+subject, func() bool {
		b, _ := os.ReadFile(d.root + "/home/me/Mailbox")
		return strings.Contains(string(b), "Subject: "+subject+"\n")
	})
}

func (d *debian) exists(path string) bool {
	_, err := os.Lstat(d.root + path)
	return err == nil
}

// installs installs the package, and sees that the tree is as it should be.
func (d *debian) installs(deb string) {
	d.t.Helper()
	if out, err := d.try("dpkg -i " + deb); err != nil && strings.Contains(out, "conflicts with mail-transport-agent") {
		// Apt, unlike dpkg, removes the mail system that is there.
		d.run("apt-get install -y --no-install-recommends " + deb)
	} else if err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	if out := d.run("/mnt/build/bin/instcheck /mnt"); out != "" {
		d.t.Errorf("after the installation:\n%s", out)
	}
}

// buildPackage makes a package and returns its path below the source tree.
func buildPackage(t *testing.T, source, version string) string {
	t.Helper()
	cmd := exec.Command("/bin/sh", source+"/scripts/deb.sh")
	cmd.Env = append(os.Environ(), "VERSION="+version, "COMPRESS=none", "OUT=/run/deb")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found, _ := filepath.Glob("/run/deb/qmail_" + version + "_*.deb")
	if len(found) != 1 {
		t.Fatalf("packages: %q", found)
	}
	return found[0]
}

// newDebian lays an overlay over lower, which has Debian on it, with nothing of qmail.
func newDebian(t *testing.T, lower, source string) *debian {
	t.Helper()
	const root = "/run/debian/root"
	sh(t, `mkdir -p /run/debian/upper /run/debian/work `+root+` /run/deb
mount -t overlay overlay -o lowerdir=`+lower+`,upperdir=/run/debian/upper,workdir=/run/debian/work `+root+`
mount -t tmpfs tmpfs `+root+`/run
mount -t tmpfs tmpfs `+root+`/home
mount --bind `+source+` `+root+`/mnt
rm -rf `+root+conf.Home()+` `+root+`/etc/qmail
for user in alias qmaild qmaill qmailp qmailq qmailr qmails me; do chroot `+root+` userdel $user || :; done 2>/dev/null
for group in qmail nofiles me; do chroot `+root+` groupdel $group || :; done 2>/dev/null
chroot `+root+` useradd -m -U me`)
	return &debian{t: t, root: root, in: []string{"chroot", root}}
}

// daemons starts qmail where no systemd does.
func (d *debian) daemons() (ended <-chan struct{}) {
	d.t.Helper()
	log, err := os.Create("/run/log")
	if err != nil {
		d.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("chroot", d.root, conf.Home()+"/rc")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	wait(d.t, "qmail to start", func() bool {
		b, _ := os.ReadFile("/run/log")
		return strings.Contains(string(b), "status: local")
	}, "/run/log")
	return done
}

// attacked has the package's script meet what users of qmail's have put into their folders.
func (d *debian) attacked() {
	d.t.Helper()
	as := func(user, group, commands string) {
		d.run("setpriv --reuid=" + user + " --regid=" + group + " --clear-groups /bin/sh -ec 'cd " + conf.Home() +
			"; " + commands + "'")
	}
	d.run("mkdir -m 700 /root/folder; (umask 077; echo mine >/root/file)")
	state := "stat -c '%n %a %u %g %s' /root/folder /root/file; ls -A /root/folder; cat /root/file"
	before := d.run(state)
	as("qmailq", "qmail", "rmdir queue/mess/5; ln -s /root/folder queue/mess/5")
	as("qmailq", "qmail", "rm queue/lock/tcpto queue/pid -rf; ln -s /root/file queue/lock/tcpto; "+
		"ln -s /root/new queue/pid")
	as("qmails", "qmail", "rmdir queue/info/7; ln -s /root/folder queue/info/7")
	as("alias", "nofiles", "rm .qmail-root alias/.qmail-root -f; ln -s /root/file alias/.qmail-root; "+
		"rm alias/.qmail-postmaster -f; ln -s /root/new alias/.qmail-postmaster")
	d.run("rm /etc/qmail/control/me")
	const script = "/var/lib/dpkg/info/qmail.postinst configure"
	out, err := d.try(script)
	if err == nil {
		d.t.Errorf("with links in the queue the script is content: %s", out)
	}
	for _, path := range []string{"queue/mess/5", "queue/lock/tcpto", "queue/pid", "queue/info/7"} {
		if !strings.Contains(out, conf.Home()+"/"+path+": is a symbolic link") {
			d.t.Errorf("the script says nothing of %s: %s", path, out)
		}
	}
	d.run(conf.Home() + "/bin/queue-fix -f && " + script + " && rm -r " + conf.Home() + "/queue/lost+queue")
	if after := d.run(state); after != before || d.exists("/root/new") {
		d.t.Errorf("before:\n%safter:\n%s", before, after)
	}
	d.run("rm -r /root/folder /root/file")
}

func ends(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(poll.Limit):
		t.Fatal("qmail-send still runs")
	}
}

// The system is this machine itself, with an overlay that takes all changes.
func TestThePackageIsInstalledUpgradedRemovedAndPurged(t *testing.T) {
	testqmail.Need(t, "dpkg-deb", "dpkg", "setpriv")
	if !testqmail.Inside(t) {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	first, second := buildPackage(t, source, "1.03+1"), buildPackage(t, source, "1.03+2")
	d := newDebian(t, "/", source)
	sh(t, "mount -t proc proc "+d.root+"/proc; mount --rbind /dev "+d.root+"/dev; cp /run/deb/*.deb "+d.root+"/run")
	// The index of this machine's manual pages is not what is tested, and takes seconds each time.
	sh(t, ": >"+d.root+"/var/lib/dpkg/triggers/File")
	sh(t, "echo 127.0.0.1 "+testqmail.Host+" localhost >"+d.root+"/etc/hosts")
	first, second = "/run/"+filepath.Base(first), "/run/"+filepath.Base(second)
	life(d, first, second)
}

// life is what may happen to the package on a machine whose daemons the test starts.
func life(d *debian, first, second string) {
	t := d.t
	d.run("printf 'root:\\n\\tme\\n' >/etc/aliases")
	d.installs(first)
	if root := d.run("cat " + conf.Home() + "/alias/.qmail-root"); root != "&me\n" {
		t.Errorf("root's mail goes to %q", root)
	}
	d.addons()
	if me := d.run("cat /etc/qmail/control/me"); me != testqmail.Host+"\n" {
		t.Errorf("control/me: %q", me)
	}
	ended := d.daemons()
	d.send("first")
	d.arrived("first")
	d.addonsWork()
	d.run("qmail-showctl >/dev/null; command -v qmail-qread qmail-start tcp-env queue-fix preline")
	for _, path := range []string{"/usr/lib/sendmail", "/usr/bin/newaliases", "/usr/share/man/man8/qmail-send.8.gz",
		"/usr/share/man/man5/dot-qmail.5qmail.gz"} {
		d.run("test -s " + path)
	}
	copyright := d.run("cat /usr/share/doc/qmail/copyright")
	before, apache, _ := strings.Cut(d.run("cat /mnt/NOTICES"), "                                 Apache License\n")
	_, after, _ := strings.Cut(apache, "   limitations under the License.\n")
	for _, paper := range []string{d.run("cat /mnt/LICENSE"), before, "/usr/share/common-licenses/Apache-2.0", after} {
		if paper == "" || !strings.Contains(copyright, paper) {
			t.Errorf("the copyright of the package lacks %s", paper)
		}
	}
	changes := d.run("zcat /usr/share/doc/qmail/changelog.gz")
	if !strings.HasPrefix(changes, "qmail (1.03+1) ") || !strings.Contains(changes, "\n  * ") {
		t.Errorf("the changelog of the package:\n%s", changes)
	}

	// An upgrade: what the administrator wrote stays, no sendmail fails meanwhile.
	d.run("echo '# mine' >>/etc/qmail/rc; echo other.test >>/etc/qmail/control/locals; cp -a /etc/qmail /run/before")
	sent := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				sent <- n
				return
			default:
			}
			if out, err := d.try("echo text | /usr/sbin/sendmail me"); err != nil {
				t.Errorf("during the upgrade: %v %s", err, out)
			}
		}
	}()
	d.installs(second)
	close(stop)
	if n := <-sent; n < 3 {
		t.Errorf("only %d messages were sent during the upgrade", n)
	}
	d.run("diff -r /etc/qmail /run/before")
	d.send("upgraded")
	d.arrived("upgraded")

	// Removed: the daemons end, the queue and the configuration stay.
	wait(t, "an empty queue", func() bool { return d.run(conf.Home()+"/bin/qmail-qread") == "" }, "/run/log")
	d.run("rm -f /home/me/Mailbox; cp -a " + conf.Home() + "/bin/qmail-inject /run/inject")
	pid := strings.TrimSpace(d.run("pidof qmail-send"))
	d.run("kill -STOP " + pid)
	d.send("kept")
	d.run("dpkg -r --force-depends qmail; kill -CONT " + pid)
	ends(t, ended)
	if d.exists("/usr/sbin/sendmail") || d.exists(conf.Home()+"/bin") {
		t.Error("after the removal there are still programs")
	}
	d.run("diff -r /etc/qmail /run/before")

	// Purged while a message is in the queue: that stays, and is delivered when the package comes back.
	if !d.exists("/home/me/Mailbox") {
		out := d.run("dpkg -P --force-depends qmail")
		if !strings.Contains(out, "there are messages in "+conf.Home()+"/queue") {
			t.Errorf("the purge said: %s", out)
		}
		if d.exists("/etc/qmail") {
			t.Error("after the purge there is still a configuration")
		}
	}
	d.installs(second)
	ended = d.daemons()
	d.run("kill -ALRM $(pidof qmail-send)") // its first try may have met a program that was gone
	d.arrived("kept")
	d.run("kill $(pidof qmail-send)")
	ends(t, ended)
	d.attacked()
	d.aliases()
	d.run("dpkg -P --force-depends qmail")
	for _, path := range []string{"/etc/qmail", "/usr/share/qmail", "/usr/sbin/qmail-qread",
		"/var/lib/qmail/control", "/var/lib/qmail/bin/qmail-queue"} {
		if d.exists(path) {
			t.Errorf("after the purge there is %s:\n%s", path, d.run("find "+path))
		}
	}
	if out := d.run("dpkg-statoverride --list '*qmail*' || :"); out != "" {
		t.Errorf("dpkg still overrides: %s", out)
	}
}
