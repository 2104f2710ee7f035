//go:build linux

package peers

import (
	"fmt"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// proven boots a machine whose mail is signed, and that refuses what DMARC says is forged. It returns the records that
// the DNS has of it, and its key for verify.py.
func proven(t *testing.T, name, last string) (q *qmail, records []string, key string) {
	t.Helper()
	q = boot(t, name, last)
	q.configure()
	record, texts := q.key(name, "r1")
	q.control("dkimdomains", name+":r1\n", "filters", "qmail-verify\n", "dmarc", "refuse\n", "rcpthosts", name+"\n")
	return q, []string{
		host(name, q.IP4), mx(name, name, "10"), "--txt-record=" + name + ",v=spf1 ip4:" + q.IP4 + " -all",
		"--txt-record=_dmarc." + name + ",v=DMARC1; p=reject",
		"--txt-record=" + record + "," + strings.Join(texts, ","),
	}, record + "=" + strings.Join(texts, "") + "\n"
}

// mlmmj makes a list of one subscriber, who is at another host.
func (q *qmail) mlmmj(bin, name, subscriber string, settings map[string]string) {
	q.t.Helper()
	dir := home("alias/" + name)
	q.sh("mkdir " + dir + "; cd " + dir + "; mkdir incoming queue queue/discarded archive text subconf unsubconf bounce " +
		"control moderation subscribers.d digesters.d requeue nomailsubs.d; touch index; chown -R alias:qmail .")
	for file, text := range map[string]string{
		"listaddress": name + "@" + q.name, "owner": "postmaster@" + q.name, "delimiter": "-", "smtpport": "2526",
	} {
		q.write(dir+"/control/"+file, text+"\n")
	}
	for file, text := range settings {
		q.write(dir+"/control/"+file, text+"\n")
	}
	q.must("alias", bin+"/mlmmj-sub", "-L", dir, "-a", subscriber)
	for _, address := range []string{name, name + "-default"} {
		q.write(home("alias/.qmail-"+address), "|"+bin+"/mlmmj-receive -F -L "+dir+"\n")
	}
}

func TestWhatAListOrAForwarderPassesOnIsAlignedForDMARC(t *testing.T) {
	if !inside(t, "dnsmasq", "inetd", "ip", "tcpserver", "/usr/bin/python3", "/usr/bin/perl") {
		return
	}
	bin := needUnpacked(t, "mlmmj") + "/usr/bin"
	if err := testqmail.Wire(); err != nil {
		t.Fatal(err)
	}
	one, names, key := proven(t, "one.test", "11")
	far, more, other := proven(t, "far.test", "12")
	serveNames(t, append(names, more...)...)
	one.write("/run/records", key+other)
	one.install("verify.py", "/run/verify.py")
	one.install("verify.pl", "/run/verify.pl")
	one.maildir("me")
	far.mlmmj(bin, "plain", "me@one.test", nil)
	far.mlmmj(bin, "changes", "me@one.test", map[string]string{
		"prefix": "[changes]", "footer": "-- \nsaid on a list", "delheaders": "From:\nReply-To:",
		"customheaders": "From: changes@far.test\nReply-To: me@one.test",
	})
	far.write(testqmail.HomeOf("me")+"/.qmail", "&me@one.test\n")
	uid, gid, _ := testqmail.Account("qmaild")
	far.daemon("root", "env", "RELAYCLIENT=", "tcpserver", "-RH", "-l0", "-u", fmt.Sprint(uid), "-g", fmt.Sprint(gid),
		"127.0.0.1", "2526", home("bin/qmail-smtpd"))
	for _, q := range []*qmail{one, far} {
		q.inetd()
		q.start()
	}
	for _, c := range []struct{ to, from, domain, good string }{
		{"plain@far.test", "me@one.test", "one.test", "1 1\n"},
		{"me@far.test", "me@one.test", "one.test", "1 1\n"},
		{"changes@far.test", "changes@far.test", "far.test", "1 2\n"},
	} {
		one.sh("rm -f " + testqmail.HomeOf("me") + "/Maildir/new/*")
		one.inject("From: me@one.test\nTo: "+c.to+"\nSubject: news\n\nhello\n", c.to)
		m := one.waitMessages("me", 1)[0]
		_, results, _ := strings.Cut(m, "\nAuthentication-Results: one.test;")
		results, _, _ = strings.Cut(results, "\nReceived:")
		if from := header(m, "From"); len(from) != 1 || from[0] != c.from ||
			!strings.Contains(results, "dmarc=pass header.from="+c.domain) ||
			!strings.Contains(results, "dkim=pass header.d="+c.domain) {
			t.Errorf("%s: %.3000s", c.to, m)
		}
		if python, perl := one.good(m); !strings.HasSuffix(python, c.good) || !strings.HasSuffix(perl, c.good) {
			t.Errorf("%s: dkimpy says %s, Mail::DKIM %s", c.to, python, perl)
		}
	}
	one.stop()
	far.stop()
}
