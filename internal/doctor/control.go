package doctor

import (
	"bytes"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/site/smtproutes"
	"qmail/internal/site/tlsroutes"
	"qmail/internal/sys"
	"qmail/internal/text/ascii"
)

func meIs(s *Site, say sayer) {
	me, ok, err := s.control().Line("me")
	command := s.set("me", "host.example.org")
	switch {
	case err != nil: // controlsAreRead says so
	case !ok:
		say(Fault, "There is no control/me: this host has no name, and no mail moves.", command)
	case me == "":
		say(Fault, "control/me has nothing in its first line: this host has no name.", command)
	case !tlsroutes.Hostname(me):
		say(Fault, "The name in control/me, "+word(me)+", cannot be that of a host.", command)
	case strings.IndexByte(me, '.') < 0 || ascii.Equal(me, "localhost.localdomain"):
		say(Warning, "The name in control/me, "+word(me)+", means nothing to other hosts.", command)
	}
}

// controlsAreRead looks at what keeps a control file from being read as it is meant.
func controlsAreRead(s *Site, say sayer) {
	for _, f := range control.Files() {
		path := s.path("control", f.Name)
		fi, err := os.Stat(path)
		if os.IsNotExist(err) && !exists(path) {
			continue
		}
		shown := s.shown(path)
		switch folder := f.Kind == control.Folder || f.Name == "tlscerts"; {
		case err != nil:
			say(Fault, shown+" cannot be read: "+sys.Reason(err)+".", "ls -lL "+shown)
			continue
		case folder != fi.IsDir() && folder:
			say(Fault, shown+" should be a folder.", "rm "+shown+" && mkdir "+shown)
			continue
		case folder != fi.IsDir():
			say(Fault, shown+" is a folder, and should be a file.", "rmdir "+shown)
			continue
		case folder:
			continue
		case fi.Mode().Perm()&0o004 == 0 && !secret(f.Name) && f.Kind < control.Certificates:
			say(Fault, "The programs that read "+shown+" may not: its mode is "+
				strconv.FormatUint(uint64(fi.Mode().Perm()), 8)+".", "chmod 644 "+shown)
		}
		if fi.Mode().Perm()&0o022 != 0 {
			say(Fault, "Others than its owner may write to "+shown+".", "chmod go-w "+shown)
		}
		if f.Kind >= control.Database {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if _, cr := control.Ends(b); cr {
			say(Warning, "Lines of "+shown+" end in CR, as from another system: other programs may not like that.",
				"sed -i 's/\\r$//' "+shown)
		}
		if strings.HasPrefix(string(b), "\xef\xbb\xbf") {
			say(Fault, shown+" begins with a byte order mark, which becomes part of its first line.",
				"sed -i '1s/^\\xef\\xbb\\xbf//' "+shown)
		}
		if first, _, _ := bytes.Cut(b, []byte{'\n'}); f.Kind != control.Entries && len(b) > len(first) &&
			f.Name != "me" && len(control.Trim(first)) == 0 && len(control.Trim(b)) > 0 {
			say(Warning, "The first line of "+shown+" is empty, and only that counts.", s.edit(f.Name))
		}
	}
}

// numbersAre looks at the numbers, which are read as far as they are digits.
func numbersAre(s *Site, say sayer) {
	for _, f := range control.Files() {
		line, ok, err := s.control().Line(f.Name)
		if f.Kind != control.Number || !ok || err != nil || line == "" {
			continue
		}
		digits := 0
		for digits < len(line) && line[digits] >= '0' && line[digits] <= '9' {
			digits++
		}
		n, valid := control.ParseInt(line)
		shown := s.Home + "/control/" + f.Name
		low, high := bounds(f.Name)
		switch {
		case digits == 0 || !valid:
			say(Fault, shown+" has no number, but "+word(line)+": the default, "+f.Default+", counts.", s.set(f.Name, f.Default))
		case digits < len(line):
			say(Fault, shown+" says "+word(line)+", and "+line[:digits]+" is what is read.", s.set(f.Name, f.Default))
		case n < low:
			say(Warning, shown+" says "+line+", less than makes sense ("+strconv.Itoa(low)+").", s.set(f.Name, f.Default))
		case high > 0 && n > high:
			say(Warning, shown+" says "+line+", and more than "+strconv.Itoa(high)+" is not used.",
				s.set(f.Name, strconv.Itoa(high)))
		}
	}
}

// bounds returns the least and the greatest number that makes sense in a file; 0: there is no greatest.
func bounds(name string) (low, high int) {
	switch name {
	case "concurrencylocal", "concurrencyremote":
		return 1, conf.Spawn()
	case "queuelifetime":
		return 3600, 0
	case "timeoutconnect", "timeoutremote", "timeoutsmtpd":
		return 5, 86400
	case "timeoutdelivery", "timeoutlocal":
		return 0, 86400 * 7
	case "remotecombine":
		return 1, 0
	}
	return 0, 0
}

// namesAreKnown names the files that no program reads.
func namesAreKnown(s *Site, say sayer) {
	entries, err := os.ReadDir(s.path("control"))
	if err != nil {
		return
	}
	known := map[string]bool{}
	for _, f := range control.Files() {
		known[f.Name] = true
	}
	for _, e := range entries {
		name := e.Name()
		if known[name] || strings.HasPrefix(name, ".") {
			continue
		}
		text := "No program reads control/" + word(name)
		best, far := "", 3
		for k := range known {
			if d := distance(name, k); d < far || d == far && best != "" && k < best {
				best, far = k, d
			}
		}
		if best != "" && !known[name] {
			text += "; " + best + " is one that is read"
		}
		say(Warning, text+".", "ls -l "+s.Home+"/control/"+word(name))
	}
}

// distance is in how many letters two names differ.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := left
			if a[i] != b[j] {
				d++
			}
			left, row[j+1] = row[j+1], min(d, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// secret reports whether a file has passwords, and need not be read by all.
func secret(name string) bool { return name == "authsenders" || name == "smtproutes" }

func secretsAreKept(s *Site, say sayer) {
	for _, name := range []string{"smtproutes", "authsenders"} {
		lines, ok, err := s.control().List(name)
		fi, statErr := os.Stat(s.path("control", name))
		if !ok || err != nil || statErr != nil || fi.Mode().Perm()&0o004 == 0 {
			continue
		}
		for _, l := range lines {
			if _, masked := smtproutes.Masked(l); masked {
				shown := s.Home + "/control/" + name
				say(Fault, shown+" has a password, and everybody may read it.",
					"chgrp "+conf.GroupNames().Qmail+" "+shown+" && chmod 640 "+shown)
				break
			}
		}
	}
	if fi, err := os.Stat(s.path("control/srs_secrets")); err == nil && fi.Mode().Perm()&0o007 != 0 {
		shown := s.Home + "/control/srs_secrets"
		say(Fault, "Everybody may read "+shown+", and it is not used.", "chmod 440 "+shown)
	}
	if fi, err := os.Stat(s.path("control/servercert.pem")); err == nil && fi.Mode().Perm()&0o004 != 0 {
		b, _ := os.ReadFile(s.path("control/servercert.pem"))
		if strings.Contains(string(b), "PRIVATE KEY") {
			shown := s.Home + "/control/servercert.pem"
			say(Fault, shown+" has a private key, and everybody may read it.", "chmod 640 "+shown)
		}
	}
}

func routesAre(s *Site, say sayer) {
	lines, _, _ := s.control().List("smtproutes")
	for _, l := range lines {
		domain, route, ok := strings.Cut(l, ":")
		_, rest, _ := strings.Cut(route, "]")
		if !strings.HasPrefix(route, "[") {
			rest = route
		}
		_, port, hasPort := strings.Cut(rest, ":")
		port, _, _ = strings.Cut(port, " ")
		port, _, _ = strings.Cut(port, "|")
		n, err := strconv.Atoi(port)
		text, _ := smtproutes.Masked(l)
		switch {
		case !ok:
			say(Fault, "The line "+word(text)+" of control/smtproutes has no colon.", s.edit("smtproutes"))
		case hasPort && port != "" && (err != nil || n < 1 || n > 65535):
			say(Fault, "The port in the line "+word(text)+" of control/smtproutes is none.", s.edit("smtproutes"))
		case domain != "" && !domainName(domain):
			say(Fault, "The line "+word(text)+" of control/smtproutes begins with no name of a domain.", s.edit("smtproutes"))
		}
	}
}

func policiesAre(s *Site, say sayer) {
	lines, _, _ := s.control().List("tlsroutes")
	for _, l := range lines {
		if e := tlsroutes.Parse(l); e.Bad != nil {
			say(Fault, "The line "+word(l)+" of control/tlsroutes is none: "+e.Bad.Error()+".", s.edit("tlsroutes"))
		}
	}
}

// listed is what qmail-newrcpt makes, as control/recipients names it.
const listed = "users/recipients.cdb"

// databasesAreNew compares each database with the text that it is made of.
func databasesAreNew(s *Site, say sayer) {
	for _, d := range []struct{ text, database, program string }{
		{"control/morercpthosts", "control/morercpthosts.cdb", "qmail-newmrh"},
		{"users/assign", "users/cdb", "qmail-newu"},
		{"users/senders", "users/senders.cdb", "qmail-newsenders"},
	} {
		text, err := os.Stat(s.path(d.text))
		if err != nil {
			continue
		}
		made, err := os.Stat(s.path(d.database))
		command := s.Home + "/bin/" + d.program
		switch {
		case err != nil && os.IsNotExist(err):
			say(Fault, s.Home+"/"+d.text+" is there, but "+d.database+", which is what counts, is not.", command)
		case err == nil && made.ModTime().Before(text.ModTime()):
			say(Warning, s.Home+"/"+d.text+" is newer than "+d.database+", which is what counts.", command)
		}
	}
	if _, err := os.Stat(s.path("control/recipients")); err == nil {
		lines, _, _ := s.control().List("recipients")
		if _, err := os.Stat(s.path("users/recipients.cdb")); os.IsNotExist(err) && slices.Contains(lines, listed) {
			say(Fault, "control/recipients names "+listed+", which is not there: no recipient is accepted.",
				s.Home+"/bin/qmail-newrcpt")
		}
	}
	if fi, err := os.Stat(s.path("users/assign")); err == nil && fi.Mode()&fs.ModeType == 0 {
		b, _ := os.ReadFile(s.path("users/assign"))
		if t := strings.TrimRight(string(b), "\n"); t != "." && !strings.HasSuffix(t, "\n.") {
			say(Fault, s.Home+"/users/assign does not end in a line with a dot.", "echo . >>"+s.Home+"/users/assign")
		}
	}
}
