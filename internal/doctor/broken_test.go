package doctor

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/sys"
)

// A breakage is something that is done to a set-up, and what the finding has to say.
type breakage struct {
	do   func(w *world)
	want string
}

func says(file, text, want string) breakage {
	return breakage{func(w *world) { w.set(file, text) }, want}
}

func space(s sys.Space, want string) breakage {
	return breakage{func(w *world) { w.Space = func(string) (sys.Space, error) { return s, nil } }, want}
}

func greets(line string, err error, want string) breakage {
	return breakage{func(w *world) { w.Greeting = func() (string, error) { return line, err } }, want}
}

func broken() map[string]breakage {
	return map[string]breakage{
		"no user": {func(w *world) { w.file("/etc/passwd", "root:x:0:0::/:/\n") },
			"The user qmailq does not exist."},
		"no group": {func(w *world) { w.file("/etc/group", "qmail:x:7790:\n") }, "The group nofiles does not exist."},
		"two users of one number": {func(w *world) {
			b, _ := os.ReadFile(w.Root + "/etc/passwd")
			w.file("/etc/passwd", strings.Replace(string(b), "qmails:x:7796", "qmails:x:7795", 1))
		}, "are both number 7795"},
		"no folder alias": {func(w *world) { w.gone("alias") }, "The folder /var/qmail/alias cannot be used"},
		"bin is open":     {func(w *world) { w.mode("bin", 0o777) }, "may write in /var/qmail/bin"},
		"users is a file": {func(w *world) { w.gone("users"); w.file("/var/qmail/users", "") },
			"/var/qmail/users is no folder"},
		"no qmail-smtpd": {func(w *world) { w.gone("bin/qmail-smtpd") }, "The program qmail-smtpd is missing"},
		"no bit x": {func(w *world) { w.mode("bin/qmail-local", 0o644) },
			"qmail-local cannot be executed"},
		"an open program": {func(w *world) { w.mode("bin/qmail-lspawn", 0o777) },
			"write to the program qmail-lspawn"},
		"no set-uid": {func(w *world) { w.mode("bin/qmail-queue", 0o711) },
			"qmail-queue is not set-uid qmailq"},
		"a folder of mess":    {func(w *world) { w.gone("queue/mess/7") }, "queue/mess/7: file does not exist"},
		"a mode of the queue": {func(w *world) { w.mode("queue/todo", 0o777) }, "queue/todo: has mode 777"},
		"an owner of the queue": {func(w *world) { os.Chown(w.path("queue/info"), 7790, 7790) },
			"belongs to user number 7790 and not to qmails"},
		"a trigger that is a file": {func(w *world) {
			w.gone("queue/lock/trigger")
			w.file("/var/qmail/queue/lock/trigger", "")
		},
			"lock/trigger is no FIFO"},
		"another split": {func(w *world) { w.must(os.Mkdir(w.path("queue/mess/23"), 0o750)) },
			"another conf-split than 23"},
		"a filter that is not there": says("filters", "no-such-filter all\n",
			"control/filters names no-such-filter, and there is no such program"),
		"a milter that is not there": {func(w *world) {
			w.file("/var/qmail/bin/qmail-milter", "")
			w.mode("bin/qmail-milter", 0o755)
			w.set("filters", "qmail-milter\n")
			w.set("milters", "inet:127.0.0.1:1\nunix:/run/x.sock accept\n")
		}, "There is no socket /run/x.sock"},
		"a filter that asks nobody": {func(w *world) {
			w.file("/var/qmail/bin/qmail-milter", "")
			w.mode("bin/qmail-milter", 0o755)
			w.set("filters", "qmail-milter\n")
		}, "control/milters nobody whom it could ask"},
		"no me": {func(w *world) { w.gone("control/me") }, "There is no control/me"},
		"recipients that nobody has listed": says("recipients", "users/recipients.cdb\n",
			"control/recipients names users/recipients.cdb, which is not there"),
		"an empty me":      says("me", "\n", "control/me has nothing in its first line"),
		"no name in me":    says("me", "mail_1.example.org\n", "cannot be that of a host"),
		"me without a dot": says("me", "mail\n", "means nothing to other hosts"),
		"me is not local":  says("locals", "example.org\n", "is not in control/locals"),
		"a file of root's": {func(w *world) { w.mode("control/locals", 0o600) }, "may not: its mode is 600"},
		"an open control file": {func(w *world) { w.mode("control/locals", 0o666) },
			"may write to /var/qmail/control/locals"},
		"a dangling link": {func(w *world) { w.must(os.Symlink("/nowhere", w.path("control/smtproutes"))) },
			"control/smtproutes cannot be read"},
		"CR":                says("defaulthost", host+"\r\n", "end in CR"),
		"a byte order mark": says("defaulthost", "\xef\xbb\xbf"+host+"\n", "byte order mark"),
		"an empty first line": says("defaulthost", "\n"+host+"\n",
			"The first line of /var/qmail/control/defaulthost is empty"),
		"a folder": {func(w *world) { w.must(os.Mkdir(w.path("control/databytes"), 0o755)) },
			"is a folder, and should be a file"},
		"a file for a folder":  says("tlshosts", "x\n", "should be a folder"),
		"1d":                   says("queuelifetime", "1d\n", "says 1d, and 1 is what is read"),
		"no number":            says("databytes", "many\n", "has no number, but many"),
		"too small a number":   says("timeoutremote", "1\n", "less than makes sense"),
		"too great a number":   says("concurrencylocal", "5000\n", "more than"),
		"no remote deliveries": says("concurrencyremote", "0\n", "less than makes sense"),
		"a misspelt name":      says("rcpthost", host+"\n", "control/rcpthost; rcpthosts is one that is read"),
		"a name of a patch":    says("chkuserlist", "1\n", "No program reads control/chkuserlist"),
		"an open relay":        {func(w *world) { w.gone("control/rcpthosts") }, "anybody may send to anybody"},
		"a local domain":       says("rcpthosts", host+"\n", "Mail for example.org of control/locals is refused"),
		"a virtual domain": says("virtualdomains", "v.example:joe\n",
			"Mail for v.example of control/virtualdomains is refused"),
		"local and virtual":       says("virtualdomains", "example.org:joe\n", "the former counts"),
		"no way back for bounces": says("srs_domain", "srs.example.org\n", "srs.example.org of control/srs_domain is not"),
		"twice virtual": says("virtualdomains", "v.example:joe\nV.example:root\n",
			"is twice in control/virtualdomains"),
		"an address in locals":  says("locals", "joe@example.org\n", "is no name of a domain"),
		"no colon":              says("virtualdomains", "v.example joe\n", "has no colon: it does nothing"),
		"nobody behind":         says("virtualdomains", "v.example:jon\n", "there is no such user and no such alias"),
		"a route without colon": says("smtproutes", "a.example relay.example\n", "has no colon"),
		"a port":                says("smtproutes", "a.example:relay.example:smtp\n", "The port in the line"),
		"a policy":              says("tlsroutes", "a.example:sometimes\n", "control/tlsroutes is none"),
		"a password for all": says("smtproutes", "a.example:relay.example:587 joe secret\n",
			"has a password, and everybody may read it"),
		"morercpthosts alone": says("morercpthosts", "v.example\n",
			"morercpthosts.cdb, which is what counts, is not"),
		"an old database": {func(w *world) {
			w.file("/var/qmail/users/cdb", "")
			w.must(os.Chtimes(w.path("users/cdb"), time.Unix(1, 0), time.Unix(1, 0)))
			w.file("/var/qmail/users/assign", ".\n")
		}, "assign is newer than users/cdb"},
		"no dot": {func(w *world) { w.file("/var/qmail/users/assign", "=a:b:1:1:/:::\n") },
			"does not end in a line with a dot"},
		"no postmaster": {func(w *world) { w.gone("alias/.qmail-postmaster") },
			"Nobody gets the mail for postmaster"},
		"nobody is root": {func(w *world) { w.file("/var/qmail/alias/.qmail-root", "") }, "hardly anybody reads"},
		"an open alias": {func(w *world) { w.mode("alias/.qmail-root", 0o666) },
			"waits, since others may write there"},
		"alias with x": {func(w *world) { w.mode("alias/.qmail-root", 0o755) }, "only lines that forward count"},
		"another sendmail": {func(w *world) {
			w.must(os.Remove(w.Root + "/usr/sbin/sendmail"))
			w.file("/usr/sbin/sendmail", "")
		}, "is that of another mailer"},
		"no sendmail": {func(w *world) { w.must(os.Remove(w.Root + "/usr/sbin/sendmail")) },
			"There is no /usr/sbin/sendmail"},
		"no rc":        {func(w *world) { w.gone("rc") }, "There is no /var/qmail/rc"},
		"rc without x": {func(w *world) { w.mode("rc", 0o644) }, "rc cannot be executed"},
		"rc with softlimit": {func(w *world) { w.file("/var/qmail/rc", "softlimit -m 1 qmail-start\n") },
			"limits address space"},
		"no syslog": {func(w *world) { w.must(os.Remove(w.Root + "/dev/log")) },
			"none is running: all lines are lost"},
		"not running": {func(w *world) { w.Running = func(string) (bool, error) { return false, nil } },
			"qmail-send is not running"},
		"no server":       greets("", errors.New("refused"), "Nothing answers on port 25"),
		"another server":  greets("220 mail.example.net ESMTP Postfix\r\n", nil, "Another mail server has port 25"),
		"a server is ill": greets("421 unable to read controls\r\n", nil, "takes no mail"),
		"no bytes":        space(sys.Space{Bytes: 6400, Free: 99, Inodes: 9, FreeInodes: 9}, "has no bytes left"),
		"few inodes": space(sys.Space{Bytes: 9, Free: 9, Inodes: 6400, FreeInodes: 200},
			"3 per cent of its inodes"),
		"the clock": {func(w *world) { w.Now = w.Now.Add(-24 * time.Hour) }, "The clock is behind"},
		"no resolv.conf": {func(w *world) { w.must(os.Remove(w.Root + "/etc/resolv.conf")) },
			"/etc/resolv.conf cannot be read"},
		"no name server": {func(w *world) { w.file("/etc/resolv.conf", "search x\n") }, "names no name server"},
		"DNS is down":    {func(w *world) { w.down = true }, "The name server does not answer"},
		"no certificate in it": {func(w *world) { w.file("/var/qmail/control/tlscerts/"+host, "x\n") },
			"cannot be used: there is no certificate in it"},
		"no address": {func(w *world) { delete(w.addrs, host) }, "The DNS has no address for mail.example.org"},
		"a private address": {func(w *world) { w.addrs[host] = []netip.Addr{netip.MustParseAddr("10.0.0.1")} },
			"is none that others can reach"},
		"no PTR": {func(w *world) { clear(w.ptr) }, "has no name in the DNS"},
		"another PTR": {func(w *world) { w.ptr["198.51.100.7"] = []string{"static.isp.example"} },
			"is called static.isp.example"},
		"no MX": {func(w *world) { clear(w.mx) }, "which host takes the mail for example.org"},
		"another MX": {func(w *world) { w.mx["example.org"] = []dns.MX{{Pref: 1, Host: "mx.example.net"}} },
			"Mail for example.org goes to mx.example.net"},
		"no SPF": {func(w *world) { delete(w.txt, "example.org") }, "(SPF)"},
		"two SPF": {func(w *world) { w.txt["example.org"] = []string{"v=spf1 a", "v=spf1 b"} },
			"several SPF records"},
		"no DMARC":    {func(w *world) { delete(w.txt, "_dmarc.example.org") }, "(DMARC)"},
		"no DKIM":     {func(w *world) { w.gone("control/dkimdomains") }, "is not signed (DKIM)"},
		"no DKIM key": {func(w *world) { delete(w.txt, "one._domainkey.example.org") }, "does not have the key"},
		"MTA-STS without a host": {func(w *world) { w.txt["_mta-sts.example.org"] = []string{"v=STSv1; id=1"} },
			"mta-sts.example.org has no address"},
		"TLSA without TLS": {func(w *world) { w.tlsa[host] = []dns.TLSA{{}} }, "which has no certificate"},
	}
}
