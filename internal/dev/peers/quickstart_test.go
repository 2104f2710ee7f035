//go:build linux

package peers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// A frame is a framed list of commands of docs/QUICKSTART.md.
type frame struct{ user, commands string }

// quickstart returns the frames of the page, by what each one runs.
func quickstart(t *testing.T, source string) map[string]frame {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(source, "docs/QUICKSTART.md"))
	if err != nil {
		t.Fatal(err)
	}
	frames := map[string]frame{}
	block := regexp.MustCompile("(?ms)^```sh quickstart(?: as ([a-z]+))?\n(.*?)^```$")
	all := block.FindAllStringSubmatch(string(text), -1)
	for _, m := range all {
		for _, word := range []string{"make setup", "./config ", "config-mail ", "listen 25", "sendmail", "qmail-doctor"} {
			if strings.Contains(m[2], word) {
				frames[word] = frame{m[1], m[2]}
			}
		}
	}
	if len(frames) != 6 || len(all) != 6 {
		t.Fatalf("the page has %d frames, of %d kinds", len(all), len(frames))
	}
	return frames
}

// bare takes all of qmail from a machine, and its accounts; a user is called ann there.
func (q *qmail) bare() {
	q.t.Helper()
	q.sh(`find ` + home("") + ` -mindepth 1 -delete
for file in passwd group shadow; do
  sed -i '/^\(alias\|qmail.\?\|nofiles\):/d' /etc/$file
  rm -f /etc/$file- /etc/gshadow
done
echo ann:x:7900:7900::/run/home/ann:/bin/sh >>/etc/passwd; echo ann:x:7900: >>/etc/group
echo 'ann:*:20000:0:99999:7:::' >>/etc/shadow
mkdir /run/home/ann; chown ann:ann /run/home/ann; ! getent passwd qmailq; ! getent group qmail`)
}

// rspamd starts it on a machine that has Postfix, which then asks it.
func (q *qmail) rspamd() {
	q.t.Helper()
	q.install("rspamd.conf", "/run/rspamd.conf")
	q.sh("install -d -o _rspamd -g _rspamd /run/rspamd; printf 'org\nnet\n' >/run/rspamd/suffixes; " +
		"mount -t tmpfs -o mode=1777 tmpfs /var/lib/rspamd")
	q.daemon("root", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", "/run/rspamd.conf")
	q.sh("postconf -e mydestination=example.net myhostname=mx.example.net myorigin=example.net " +
		"smtpd_milters=inet:127.0.0.1:11332 milter_default_action=tempfail; postfix reload")
	q.wait("rspamd to listen", func() bool {
		_, err := q.run("root", "", "/bin/sh", "-c", "ss -ltn | grep -q :11332")
		return err == nil
	})
}

// TestTheQuickstartEndsWithMailThatAnotherHostTakesAsAligned does what the page says, on
// a machine that has nothing of qmail.
func TestTheQuickstartEndsWithMailThatAnotherHostTakesAsAligned(t *testing.T) {
	if !inside(t, "postfix", "rspamd", "dnsmasq", "ip", "make", "perl", "setpriv", "ss", "systemd-sysusers") {
		return
	}
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	frames := quickstart(t, source)
	if err := testqmail.Wire(); err != nil {
		t.Fatal(err)
	}
	one, far := boot(t, "mail.example.org", "11"), boot(t, "mx.example.net", "12")
	others := []string{"--local=/example.org/", "--local=/example.net/", host("mx.example.net", "10.9.0.12"),
		mx("example.net", "mx.example.net", "10"), "--txt-record=example.net,v=spf1 mx -all"}
	empty := serveNames(t, others...)
	far.postfix()
	far.rspamd()
	one.bare()

	do := func(name string) string {
		t.Helper()
		f := frames[name]
		if f.user == "" {
			return one.sh("cd " + source + "\n" + f.commands)
		}
		return one.sh("cat >/run/commands <<'END'\n" + f.commands + "END\nsu - " + f.user + " -c 'sh -e /run/commands'")
	}
	do("make setup")
	said := do("./config ")
	empty()
	serveNames(t, append(others, published(t, said, "10.9.0.11")...)...)
	if out := do("config-mail "); !strings.Contains(out, "leaves signed from now on") {
		t.Errorf("config-mail: %s", out)
	}
	started := frames["listen 25"]
	one.daemon("root", "/bin/sh", "-c", started.commands+"wait")
	waitPort(t, "10.9.0.11:25")
	do("sendmail")

	results := func(message string) string {
		_, after, _ := strings.Cut(message, "Authentication-Results:")
		return regexp.MustCompile(`^.*(\n[ \t].*)*`).FindString(after)
	}
	m := far.waitMessages("me", 1)[0]
	for _, pass := range []string{"spf=pass", "dkim=pass", "dmarc=pass"} {
		if !strings.Contains(results(m), pass) {
			t.Errorf("rspamd does not say %s: %s", pass, m)
		}
	}
	if from := header(m, "From"); len(from) != 1 || !strings.Contains(from[0], "ann@example.org") {
		t.Errorf("the message is from %q", from)
	}

	far.feed("me", "To: ann@example.org\nSubject: answer\n\nhello\n", "/usr/sbin/sendmail", "-f", "me@example.net", "-t")
	if m := one.waitMessages("ann", 1)[0]; !strings.Contains(results(m), "spf=pass") {
		t.Errorf("qmail-verify says of the answer: %s", m)
	}
	// This machine has another mailer's sendmail and no syslog; of the domain it must have nothing to say.
	out, err := one.run("root", "", "/bin/sh", "-ec", frames["qmail-doctor"].commands)
	if err != nil && err.Error() != "exit status 1" || strings.Contains(out, " example.org") {
		t.Errorf("qmail-doctor: %v: %s", err, out)
	}
}

// published returns the records that config has printed, as options of dnsmasq.
func published(t *testing.T, said, address string) (options []string) {
	t.Helper()
	for l := range strings.Lines(said) {
		name, record, ok := strings.Cut(strings.TrimSpace(l), ". IN ")
		if !ok {
			continue
		}
		kind, value, _ := strings.Cut(record, " ")
		switch kind {
		case "A":
			options = append(options, host(name, address))
		case "MX":
			preference, exchanger, _ := strings.Cut(strings.TrimSuffix(value, "."), " ")
			options = append(options, mx(name, exchanger, preference))
		case "TXT":
			value = strings.ReplaceAll(strings.Trim(value, `( ")`), `" "`, ",")
			options = append(options, "--txt-record="+name+","+value)
		default:
			t.Errorf("what record is %q?", l)
		}
	}
	if len(options) < 6 {
		t.Fatalf("config prints %d records: %s", len(options), said)
	}
	return options
}
