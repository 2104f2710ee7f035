//go:build linux

package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
)

// bootable are the packages of a Debian that boots.
const bootable = "init-system-helpers,systemd,systemd-sysv,systemd-container,dbus,procps,man-db"

// cached is the folder with a small Debian of that kind; bootstrap makes it, once.
func cached(t *testing.T, kind string) string {
	return "/var/tmp/qmail-" + kind + "-" + sh(t, `. /etc/os-release; printf %s "$VERSION_CODENAME"`)
}

// bootstrap fetches the Debian that this machine has, from where it has it, with packages in addition to the least.
func bootstrap(t *testing.T, dir, packages string) {
	t.Helper()
	testqmail.Need(t, "debootstrap")
	sh(t, `. /etc/os-release; exec 9>`+dir+`.lock; flock 9; test ! -d `+dir+` || exit 0; rm -rf `+dir+`.new
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' | sed -n "s/^$VERSION_CODENAME //p" | head -n 1)
debootstrap --variant=minbase --include=`+packages+` "$VERSION_CODENAME" `+dir+`.new $mirror
rm -rf `+dir+`.new/var/cache/apt/archives; mv `+dir+`.new `+dir)
}

// boot boots the system in a container of this world, whose network it shares.
func boot(t *testing.T, d *debian, lower string) {
	t.Helper()
	const host = "/run/debian/host"
	// Nspawn leaves locks beside the system that it boots, and groups of processes: each test has its own.
	group := "qmail-test-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	d.group = group
	sh(t, `mkdir `+host+` /run/debian/upper2 /run/debian/work2
mount -t overlay overlay -o lowerdir=`+lower+`,upperdir=/run/debian/upper2,workdir=/run/debian/work2 `+host+`
for fs in proc sys dev; do mount --rbind /$fs `+host+`/$fs; done
mount -t tmpfs tmpfs `+host+`/run; mount --rbind `+d.root+` `+host+`/mnt`)
	cmd := exec.Command("/bin/sh", "-c", `for all in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  test ! -f $all/cgroup.procs || { mkdir $all/`+group+` && echo $$ >$all/`+group+`/cgroup.procs; }
done
exec "$@"`, "sh", "chroot", host, "systemd-nspawn", "-q", "--register=no", "--keep-unit", "--console=pipe",
		"--hostname="+strings.TrimSuffix(testqmail.Host, ".test"), "-D", "/mnt", "-b")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := os.Create("/run/nspawn")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guest := ""
	t.Cleanup(func() {
		if pid, err := strconv.Atoi(guest); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		cmd.Process.Kill()
		cmd.Wait()
		poll.Within(10*time.Second, func() bool {
			return exec.Command("/bin/sh", "-c", `for group in /sys/fs/cgroup/`+group+` /sys/fs/cgroup/*/`+group+`; do
  test ! -d $group || find $group -depth -type d -exec rmdir {} + || exit 1
done`).Run() == nil
		})
	})
	pid := strconv.Itoa(cmd.Process.Pid)
	wait(t, "systemd", func() bool {
		b, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		guest, _, _ = strings.Cut(string(b), " ")
		if guest == "" {
			return false
		}
		d.in = []string{"nsenter", "-t", guest, "-a", "-r", "-w"}
		d.root = filepath.Join("/proc", guest, "root")
		state, _ := d.try("systemctl is-system-running || :")
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	}, "/run/nspawn")
}

// The system is a small Debian in which systemd is the first process.
func TestThePackageRunsUnderSystemdOnDebian(t *testing.T) {
	lower := cached(t, "debian")
	if _, err := os.Stat(lower); err != nil {
		if os.Getenv("QMAIL_TEST_DEBIAN") == "" && os.Getenv("CI") == "" {
			t.Skip("make deb-test runs this: it fetches a Debian system, once")
		}
		bootstrap(t, lower, bootable)
	}
	if !testqmail.Inside(t) {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	first, second := buildPackage(t, source, "1.03+1"), buildPackage(t, source, "1.03+2")
	d := newDebian(t, lower, source)
	sh(t, "mkdir "+d.root+"/opt/deb; cp /run/deb/*.deb "+d.root+"/opt/deb")
	sh(
		t,
		"echo 127.0.0.1 "+testqmail.Host+" localhost >"+d.root+"/etc/hosts; echo "+testqmail.Host+" >"+d.root+"/etc/hostname",
	)
	boot(t, d, lower)
	first, second = "/opt/deb/"+filepath.Base(first), "/opt/deb/"+filepath.Base(second)

	d.installs(first)
	d.active("qmail.service", "qmail-smtpd.socket")
	d.newaliases(t)
	d.run(
		`printf '|grep -e ^Cap -e ^NoNew /proc/self/status >status; echo 0 >/proc/self/oom_score_adj; ` +
			`cat /proc/self/oom_score_adj >score\n./Mailbox\n' >/home/me/.qmail; chown me /home/me/.qmail`,
	)
	d.send("local")
	d.arrived("local")
	status := d.run("cat /home/me/status")
	bounds, score := "CapBnd:\t00000000010000ff\n", "500\n"
	if !may(t, capSysResource) {
		bounds, score = "CapBnd:\t00000000000000ff\n", "0\n"
	}
	for _, want := range []string{"CapEff:\t0000000000000000\n", bounds, "NoNewPrivs:\t0\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("a user's program lacks %q: %s", want, status)
		}
	}
	if got := d.run("cat /home/me/score"); got != score {
		t.Errorf("a user's program that would not be ended first has %s, not %s", got, score)
	}
	hog(t, d)
	smtp(t, "127.0.0.1:25", "smtp")
	d.arrived("smtp")
	out := d.run("grep CapBnd /proc/$(systemctl show -P MainPID qmail-smtpd)/status")
	if out != "CapBnd:\t0000000000000000\n" {
		t.Errorf("the SMTP server: %s", out)
	}
	checkJournal(t, d)
	flood(t, d)

	// Each connection on its own, as under inetd.
	d.run("systemctl stop qmail-smtpd.socket qmail-smtpd.service; systemctl start qmail-smtpd-inetd.socket")
	smtp(t, "127.0.0.1:25", "inetd")
	d.arrived("inetd")
	d.run("systemctl stop qmail-smtpd-inetd.socket; systemctl start qmail-smtpd.socket")

	// A restart waits for a helper that is slow to leave.
	d.run("helper=$(pidof qmail-clean); kill -STOP $helper; { sleep 1; kill -CONT $helper; } >/dev/null 2>&1 & " +
		"systemctl restart qmail.service; journalctl --sync")
	d.active("qmail.service")
	left := d.run("journalctl -u qmail.service -o cat | grep -i -e left-over -e 'remains running' || :")
	if left != "" {
		t.Errorf("after a restart there are processes of before: %s", left)
	}

	// New programs run after an upgrade, and an administrator's unit files stay.
	before := d.run("systemctl show -P MainPID qmail.service")
	d.installs(second)
	wait(t, "a restart", func() bool { return d.run("systemctl show -P MainPID qmail.service") != before })
	d.active("qmail.service", "qmail-smtpd.socket")
	smtp(t, "[::1]:25", "upgraded")
	d.arrived("upgraded")
	d.run("man -w dot-qmail tcp-env qmail-send")

	d.run("systemctl reload qmail; dpkg -r qmail; test ! -e /usr/sbin/sendmail; if pgrep qmail; then exit 1; fi; " +
		"systemctl reset-failed")
	d.run("test -d " + conf.Home() + "/queue/mess; test -s /etc/qmail/control/me")
	d.run("dpkg -i " + second + "; systemctl is-active qmail.service qmail-smtpd.socket; dpkg -P qmail; test ! -e " +
		conf.Home())
	out = d.run("systemctl list-units --failed --plain --no-legend | grep qmail || :; systemctl list-unit-files " +
		"--no-legend | grep qmail || :")
	if out != "" {
		t.Errorf("systemd still knows: %s", out)
	}
}

// capSysResource is the number of CAP_SYS_RESOURCE, which not every container has.
const capSysResource = 24

// may reports whether this machine can give a service a right.
func may(t *testing.T, capability uint) bool {
	bounds, err := strconv.ParseUint(sh(t, "sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status | tr -d '\\n'"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return bounds>>capability&1 != 0
}

// hog has a user's program take all memory that the service may have. It is that delivery's trouble alone.
func hog(t *testing.T, d *debian) {
	t.Helper()
	if policy := d.run("systemctl show -P OOMPolicy qmail.service"); policy != "continue\n" {
		t.Errorf("when one process is killed for memory, qmail.service shall %s", policy)
	}
	before := d.run("systemctl show -P MainPID qmail.service")
	lift := bound(t, d, 300<<20)
	d.run(`printf '|perl -e "\$a = q(x) x 999999999; sleep 999"\n' >/home/me/.qmail-hog; chown me /home/me/.qmail-hog; ` +
		"echo To: me-hog | " + conf.Home() + "/bin/qmail-inject")
	wait(t, "the hog's end", func() bool {
		return strings.Contains(d.run("journalctl -t qmail -o cat"), "deferral: ")
	})
	lift()
	if after := d.run("systemctl show -P MainPID qmail.service"); after != before {
		t.Errorf("qmail was process %s and is %s", before, after)
	}
	d.run("rm /home/me/.qmail-hog; " + conf.Home() + "/bin/qmail-rm -r 'me-hog@*'")
}

// bound gives the processes of qmail.service so many bytes of memory, until lift is called. Where this machine has
// groups of the first version, the systemd in the container has no say in memory, and it is done from outside.
func bound(t *testing.T, d *debian, bytes int) (lift func()) {
	t.Helper()
	const all = "/sys/fs/cgroup/memory"
	if _, err := os.Stat(all); err != nil {
		d.run("systemctl set-property --runtime qmail.service MemoryMax=" + strconv.Itoa(bytes) + " MemorySwapMax=0")
		return func() {
			d.run("systemctl set-property --runtime qmail.service MemoryMax=infinity MemorySwapMax=infinity")
		}
	}
	group := filepath.Join(all, d.group)
	limit := func(n int) {
		if err := os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), []byte(strconv.Itoa(n)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	limit(bytes)
	moved := 0
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if !strings.Contains(string(b), "/qmail.service\n") {
			continue
		}
		pid := filepath.Base(filepath.Dir(f))
		if os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(pid), 0o644) == nil {
			moved++
		}
	}
	if moved < 5 {
		t.Fatalf("only %d processes of qmail.service are bound", moved)
	}
	return func() { limit(-1) }
}

func (d *debian) active(units ...string) {
	d.t.Helper()
	for _, u := range units {
		wait(d.t, u, func() bool { _, err := d.try("systemctl is-active " + u); return err == nil })
	}
}

// flood has a program log more lines than journald takes by default, with the limits of qmail.service.
func flood(t *testing.T, d *debian) {
	t.Helper()
	limits := ""
	for l := range strings.Lines(units(t)["qmail.service"]) {
		if strings.HasPrefix(l, "LogRateLimit") {
			limits += " -p " + strings.TrimSpace(l)
		}
	}
	const lines = "30000"
	d.run("systemd-run -q --wait -p SyslogIdentifier=flood" + limits + " seq " + lines + "; journalctl --sync")
	if n := d.run("journalctl -t flood -o cat | grep -c ."); n != lines+"\n" {
		t.Errorf("of %s lines the journal has %s", lines, n)
	}
}

// checkJournal sees that the log is in the journal as qmail-send wrote it, and that qmail-log reads what journald
// exports.
func checkJournal(t *testing.T, d *debian) {
	t.Helper()
	cat := d.run("journalctl -t qmail -o cat")
	for _, want := range []string{"status: local 0/10 remote 0/20\n", "\nnew msg ",
		" to local me@" + testqmail.Host + "\n", ": success: did_1+0+1/\n", "\nend msg "} {
		if !strings.Contains(cat, want) {
			t.Errorf("the journal lacks %q:\n%s", want, cat)
		}
	}
	if mail := d.run("journalctl -t qmail SYSLOG_FACILITY=2 -o cat"); !strings.HasPrefix(mail, cat) {
		t.Errorf("not all of the journal is of the facility mail:\n%s", mail)
	}
	out := d.run("journalctl -t qmail -o export | " + conf.Home() + "/bin/qmail-log")
	if !strings.Contains(out, "Messages                                3\n") {
		t.Errorf("qmail-log: %s", out)
	}
}
