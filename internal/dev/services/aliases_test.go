//go:build linux

package services

import (
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

// addons sees that Debian's dot-forward and fastforward find qmail where they look for it. The daemons are to run
// afterwards.
func (d *debian) addons() {
	d.t.Helper()
	// The log goes to descriptor 1: there is no syslog.
	d.run("sed 's/ splogger qmail$//' " + conf.Home() + "/boot/home+df >/etc/qmail/rc; " +
		"useradd -m forwarder; echo me@" + testqmail.Host + " >/home/forwarder/.forward; " +
		"useradd -m instructed; echo me@" + testqmail.Host + " >/home/instructed/.forward; " +
		"echo '|dot-forward .forward' >/home/instructed/.qmail; chown instructed /home/instructed/.qmail; " +
		"chown forwarder /home/forwarder/.forward; chown instructed /home/instructed/.forward")
	d.run("printf 'root: me\nstaff: me\n' >/etc/aliases; newaliases; " +
		"setpriv --reuid=alias --regid=nofiles --clear-groups sh -c " +
		"'echo \"|fastforward -d /etc/aliases.cdb\" >" + conf.Home() + "/alias/.qmail-default'")
}

// addonsWork has mail go through them.
func (d *debian) addonsWork() {
	d.t.Helper()
	for _, to := range []string{"forwarder", "instructed", "staff"} {
		d.run("printf 'To: " + to + "\nSubject: by-" + to + "\n\n' | /usr/sbin/sendmail -t")
		d.arrived("by-" + to)
	}
	// An alias that leads nowhere comes back, and is not tried for a week.
	d.run("printf 'To: no-such-alias\nSubject: nowhere\n\n' | /usr/sbin/sendmail -t -f me")
	wait(d.t, "a bounce", func() bool {
		return strings.Contains(d.run("cat /home/me/Mailbox"), "no-such-alias@"+testqmail.Host+">:\n")
	}, "/run/log")
}

// aliases has the package's script meet what another mail system may have left in /etc/aliases.
func (d *debian) aliases() {
	const file = "/alias/.qmail-root"
	script := func() string {
		d.t.Helper()
		return d.run("/var/lib/dpkg/info/qmail.postinst configure")
	}
	for _, c := range []struct{ text, want, says string }{
		{"root: me\n", "&me\n", ".qmail-root: &me"},
		{"# root: x\nstaff: joe\nRoot :me ,\n\n#\n\t me@a.example,b+c@d.example\nmore: you\n",
			"&me\n&me@a.example\n&b+c@d.example\n", "&b+c@d.example"},
		{"staff: me\n", "", "is not read by qmail"},
		{"root: root\n", "", "no plain list"},
		{"root: root@" + testqmail.Host + "\n", "", "no plain list"},
		{"root: me\nme: away@a.example\n", "", "no plain list"},
		{"root: nobody-of-that-name\n", "", "no plain list"},
		{"root: me\nroot: me\n", "", "no plain list"},
		{"root: |program\n", "", "no plain list"},
		{"root: me, /dev/null\n", "", "no plain list"},
		{"root: :include:/etc/shadow\n", "", "no plain list"},
		{"root: \\me\n", "", "no plain list"},
		{"root: me;id\n", "", "no plain list"},
		{"root: $(id)@a.example\n", "", "no plain list"},
		{"root: me\r\n", "", "no plain list"},
	} {
		d.run("cat >/etc/aliases <<'E'\n" + c.text + "E\nrm -f " + conf.Home() + file)
		out := script()
		if !strings.Contains(out, c.says) || !strings.Contains(out, "/etc/aliases is not read by qmail itself") {
			d.t.Errorf("/etc/aliases %q: the script says %q", c.text, out)
		}
		got := ""
		there := d.exists(conf.Home() + file)
		if there {
			got = d.run("cat " + conf.Home() + file)
		}
		if there != (c.want != "") || got != c.want {
			d.t.Errorf("/etc/aliases %q: root's mail goes to %q", c.text, got)
		}
	}

	// What is there stays, and no link is followed.
	d.run("echo 'root: me' >/etc/aliases; (umask 077; echo mine >/root/file)")
	for _, there := range []string{"echo '&you' >%", "ln -s /root/file %", "ln -s /root/new %", ": >%"} {
		d.run("rm -f " + conf.Home() + file)
		d.run("setpriv --reuid=alias --regid=nofiles --clear-groups sh -c \"" +
			strings.ReplaceAll(there, "%", conf.Home()+file) + "\"")
		state := "stat -c '%N %s' " + conf.Home() + file + " /root/file; cat /root/file"
		before := d.run(state)
		script()
		if after := d.run(state); after != before || d.exists("/root/new") {
			d.t.Errorf("%s: before %q, after %q", there, before, after)
		}
	}
	d.run("rm -f /root/file /etc/aliases " + conf.Home() + file)
	if out := d.run("/var/lib/dpkg/info/qmail.postinst configure"); strings.Contains(out, "/etc/aliases") {
		d.t.Errorf("without aliases the script says %q", out)
	}
}

// newaliases sees what it says where there is no fastforward.
func (d *debian) newaliases(t *testing.T) {
	t.Helper()
	out, err := d.try("newaliases")
	if err == nil || !strings.Contains(out, "fastforward, which is not installed") {
		t.Errorf("newaliases without fastforward: %v, %q", err, out)
	}
}
