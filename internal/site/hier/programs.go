package hier

import (
	"io/fs"
	"path"
	"slices"

	"qmail/conf"
)

// Programs of bin, by who may do what with them. Those that only qmail's own programs start cannot be read; those
// that only root starts cannot be executed by others.
func binaries() (rootOnly, unreadable, public []string) {
	rootOnly = []string{
		"checkpassword", "config-mail", "config-tls", "qmail-dkimkey", "qmail-lspawn", "qmail-newauth", "qmail-newmrh",
		"qmail-newrcpt", "qmail-newsenders", "qmail-newu", "qmail-start", "queue-fix",
	}
	unreadable = []string{
		"qmail-authd", "qmail-clean", "qmail-dksign", "qmail-getpw", "qmail-local", "qmail-mtasts",
		"qmail-popup", "qmail-pw2u", "qmail-remote",
		"qmail-rspawn", "qmail-send", "qmail-tlsremote", "splogger",
	}
	public = []string{
		"bouncesaying", "condredirect", "except", "forward", "maildir2mbox", "maildirmake", "maildirwatch",
		"predate", "preline", "qbiff", "qmail-doctor", "srsfilter",
		"qmail-grey", "qmail-hold", "qmail-inject", "qmail-lmtp", "qmail-log", "qmail-milter",
		"qmail-pop3d", "qmail-qmqpc", "qmail-qmqpd",
		"qmail-qmtpd", "qmail-qread", "qmail-release", "qmail-report", "qmail-rm", "qmail-run",
		"qmail-showctl", "qmail-smtpd", "qmail-stats",
		"qmail-smtpsd", "qmail-submitd", "qmail-tcpok", "qmail-tcpto", "qmail-tlsfront", "qmail-verify", "qreceipt",
		"qsmhook", "sendmail", "tcp-env",
	}
	return rootOnly, unreadable, public
}

// Tools returns the programs that serve the setup from the source tree and are not installed.
func Tools() []string {
	return []string{"dnscname", "dnsfq", "dnsip", "dnsmxip", "dnsptr", "hostname", "install", "instcheck", "ipmeprint"}
}

// Scripts returns the shell programs of bin: scripts/NAME.sh in the source tree.
func Scripts() []string {
	return []string{"config-user", "datemail", "elq", "mailsubj", "pinq", "qail", "qmail-qstat", "qmail-upq"}
}

// Binaries returns the programs of bin that cmd has.
func Binaries() []string {
	a, b, c := binaries()
	return slices.Concat([]string{"qmail-queue", "qmail-key"}, a, b, c)
}

func (t *tree) programs(u conf.Users) {
	rootOnly, unreadable, public := binaries()
	for _, set := range []struct {
		names []string
		mode  fs.FileMode
	}{{rootOnly, 0o700}, {unreadable, 0o711}, {public, 0o755}} {
		for _, n := range set.names {
			t.file("bin/"+n, "build/bin/"+n, set.mode, false)
		}
	}
	for _, n := range Scripts() {
		t.file("bin/"+n, "scripts/"+n+".sh", 0o755, true)
	}
	// Everybody's way into the queue, and the servers' to a signature: the programs that change uid by their mode.
	for _, p := range [...]struct{ name, owner string }{{"qmail-queue", u.Queue}, {"qmail-key", u.Key}} {
		t.file("bin/"+p.name, "build/bin/"+p.name, 0o711|fs.ModeSetuid, false)
		t.entries[len(t.entries)-1].Owner = p.owner
	}
}

// boot adds what starts qmail with the machine: scripts, the units of systemd, and for each supervisor its services.
func (t *tree) boot() {
	for _, n := range [...]string{
		"home", "home+df", "proc", "proc+df", "binm1", "binm1+df", "binm2", "binm2+df", "binm3", "binm3+df", "run", "listen",
	} {
		t.file("boot/"+n, "boot/"+n, 0o755, true)
	}
	t.dir("boot/fail2ban", t.root, 0o755)
	t.file("boot/fail2ban/qmail-clients.conf", "boot/fail2ban/qmail-clients.conf", 0o644, true)
	t.dir("boot/prometheus", t.root, 0o755)
	t.file("boot/prometheus/qmail.rules.yml", "boot/prometheus/qmail.rules.yml", 0o644, false)
	t.dir("boot/grafana", t.root, 0o755)
	t.file("boot/grafana/qmail.json", "boot/grafana/qmail.json", 0o644, false)
	t.dir("boot/sysusers.d", t.root, 0o755)
	t.file("boot/sysusers.d/qmail.conf", "boot/sysusers.d/qmail.conf", 0o644, true)
	t.dir("boot/tmpfiles.d", t.root, 0o755)
	t.file("boot/tmpfiles.d/qmail.conf", "boot/tmpfiles.d/qmail.conf", 0o644, true)
	t.dir("boot/systemd", t.root, 0o755)
	for _, n := range [...]string{
		"qmail.service", "qmail-smtpd.socket", "qmail-smtpd.service", "qmail-smtpd-inetd.socket",
		"qmail-smtpd-inetd@.service", "qmail-authd.service", "qmail-submitd.socket", "qmail-submitd.service",
		"qmail-submitd-tls.socket", "qmail-submitd-tls.service", "qmail-pop3d.socket", "qmail-pop3d.service",
		"qmail-pop3d-tls.socket", "qmail-pop3d-tls.service", "qmail-stats.socket", "qmail-stats@.service",
		"qmail-newrcpt.service", "qmail-newrcpt.timer",
	} {
		t.file("boot/systemd/"+n, "boot/systemd/"+n, 0o644, true)
	}
	for _, supervisor := range [...]string{"daemontools", "runit", "s6"} {
		t.dir("boot/"+supervisor, t.root, 0o755)
		for _, service := range [...]string{
			"qmail-send", "qmail-smtpd", "qmail-smtpd-tcpserver", "qmail-authd", "qmail-submitd", "qmail-submitd-tls",
			"qmail-pop3d", "qmail-pop3d-tls",
		} {
			in := "boot/" + supervisor + "/" + service
			t.dir(in, t.root, 0o755)
			t.file(in+"/run", in+"/run", 0o755, true)
			t.dir(in+"/log", t.root, 0o755)
			t.file(in+"/log/run", in+"/log/run", 0o755, true)
		}
	}
}

// documents adds docs/man/NAME.N as man/manN/NAME.N and the other documents as doc/NAME.
func (t *tree) documents(source fs.FS) error {
	for _, section := range []string{"1", "5", "7", "8"} {
		t.dir("man/man"+section, t.root, 0o755)
		pages, err := fs.Glob(source, "docs/man/*."+section)
		if err != nil {
			return err
		}
		for _, p := range pages {
			t.file("man/man"+section+"/"+path.Base(p), p, 0o644, true)
		}
	}
	for _, pattern := range []string{"LICENSE", "NOTICES", "CHANGES.md", "INSTALL.md", "docs/*.md", "docs/*.svg"} {
		docs, err := fs.Glob(source, pattern)
		if err != nil {
			return err
		}
		for _, p := range docs {
			t.file("doc/"+path.Base(p), p, 0o644, false)
		}
	}
	return nil
}
