package doctor

import (
	"os"
	"strconv"
	"strings"
	"time"

	"qmail/internal/sys"
)

// sendmailIsOurs looks at the two names under which programs look for sendmail.
func sendmailIsOurs(s *Site, say sayer) {
	ours, err := os.Stat(s.path("bin/sendmail"))
	if err != nil {
		return
	}
	found := false
	for _, path := range []string{"/usr/sbin/sendmail", "/usr/lib/sendmail"} {
		fi, err := os.Stat(s.Root + path)
		if err != nil {
			continue
		}
		found = true
		if !os.SameFile(fi, ours) {
			say(Warning, path+" is that of another mailer: what uses it bypasses this qmail.",
				"mv "+path+" "+path+".was && ln -s "+s.Home+"/bin/sendmail "+path)
		}
	}
	if !found {
		say(Warning, "There is no /usr/sbin/sendmail: programs that look there cannot send mail.",
			"ln -s "+s.Home+"/bin/sendmail /usr/sbin/sendmail")
	}
}

// startIsSet looks at the script that starts qmail, and where its log goes.
func startIsSet(s *Site, say sayer) {
	path := s.path("rc")
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		say(Warning, "There is no "+s.shown(path)+", which says how qmail starts.",
			"cp "+s.Home+"/boot/run "+s.shown(path)+" && chmod 755 "+s.shown(path))
		return
	case fi.Mode().Perm()&0o100 == 0:
		say(Fault, s.shown(path)+" cannot be executed.", "chmod 755 "+s.shown(path))
	case fi.Mode().Perm()&0o022 != 0:
		say(Fault, "Others than its owner may write to "+s.shown(path)+", which root runs.", "chmod go-w "+s.shown(path))
	}
	b, _ := os.ReadFile(path)
	text := ""
	for _, l := range strings.Split(string(b), "\n") {
		if !strings.HasPrefix(strings.TrimLeft(l, " \t"), "#") {
			text += l + "\n"
		}
	}
	if !strings.Contains(text, "qmail-start") {
		say(Warning, s.shown(path)+" does not run qmail-start.", "cp "+s.Home+"/boot/run "+s.shown(path))
	}
	if strings.Contains(text, "softlimit -m") || strings.Contains(text, "ulimit -v") {
		say(Warning, s.shown(path)+" limits address space, and a Go program needs a gigabyte of that to start.",
			"${EDITOR:-vi} "+s.shown(path))
	}
	if strings.Contains(text, "splogger") && !exists(s.Root+"/dev/log") {
		say(Warning, "The log goes to syslog, and none is running: all lines are lost.", "apt-get install rsyslog")
	}
}

func sendRuns(s *Site, say sayer) {
	running, err := s.Running(s.path("queue"))
	if err == nil && !running {
		say(Warning, "qmail-send is not running: mail is accepted, and waits.", s.Home+"/rc &")
	}
}

func portAnswers(s *Site, say sayer) {
	line, err := s.Greeting()
	switch {
	case err != nil:
		say(Warning, "Nothing answers on port 25 of this machine: no mail comes in.", "ss -ltn sport = :25")
	case !strings.HasPrefix(line, "220"):
		say(Warning, "Port 25 answers "+word(line)+" and takes no mail.", "qmail-log -n 5")
	case !strings.Contains(line, s.greeting()):
		say(Fault, "Another mail server has port 25: it says "+word(line)+".", "ss -ltnp sport = :25")
	}
}

// greeting is what our server calls itself.
func (s *Site) greeting() string {
	if text, ok, err := s.control().Line("smtpgreeting"); ok && err == nil && text != "" {
		return text
	}
	return s.host()
}

// spaceIsLeft uses the bounds at which qmail-queue takes nothing more: a sixty-fourth.
func spaceIsLeft(s *Site, say sayer) {
	queue := s.path("queue")
	sp, err := s.Space(queue)
	if err != nil {
		return
	}
	for _, c := range []struct {
		what        string
		free, total uint64
		command     string
	}{{"bytes", sp.Free, sp.Bytes, "df "}, {"inodes", sp.FreeInodes, sp.Inodes, "df -i "}} {
		percent := func() string { return strconv.FormatUint(c.free*100/c.total, 10) }
		switch {
		case c.total == 0:
		case c.free < c.total/64:
			say(Fault, "The filesystem of the queue has no "+c.what+" left: no mail is taken.", c.command+s.shown(queue))
		case c.free < c.total/20:
			say(Warning, "The filesystem of the queue has "+percent()+" per cent of its "+c.what+" left.",
				c.command+s.shown(queue))
		}
	}
}

// clockIs compares the clock with what was written here before.
func clockIs(s *Site, say sayer) {
	for _, name := range []string{"bin", "queue/mess", "queue/todo", "control", "queue/lock/tcpto"} {
		fi, err := os.Stat(s.path(name))
		if err == nil && fi.ModTime().After(s.Now.Add(time.Hour)) {
			say(Fault, "The clock is behind: "+s.Home+"/"+name+" is of "+fi.ModTime().UTC().Format("2006-01-02 15:04")+
				", which is to come.", "timedatectl")
			return
		}
	}
}

func resolverIs(s *Site, say sayer) {
	b, err := os.ReadFile(s.Root + "/etc/resolv.conf")
	if err != nil {
		say(Warning, "/etc/resolv.conf cannot be read ("+sys.Reason(err)+"): only a name server of this machine is asked.",
			"ls -lL /etc/resolv.conf")
		return
	}
	servers := 0
	for _, l := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(l, "nameserver"); ok && strings.Trim(rest, " \t") != "" {
			servers++
		}
	}
	if servers == 0 {
		say(Warning, "/etc/resolv.conf names no name server.", "${EDITOR:-vi} /etc/resolv.conf")
	}
	if servers > 0 && s.DNS != nil {
		if _, err := s.DNS.MX("."); temporary(err) {
			say(Fault, "The name server does not answer: mail to other hosts waits.", "cat /etc/resolv.conf")
		}
	}
}
