package doctor

import (
	"bytes"
	"os"
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/site/tlsroutes"
	"qmail/internal/sys"
	"qmail/internal/text/ascii"
)

// domainName reports whether s can be a domain in a list, perhaps with a dot in front, or an address in brackets.
func domainName(s string) bool {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return true
	}
	return tlsroutes.Hostname(strings.TrimPrefix(s, "."))
}

// covers reports whether a domain is in a list like rcpthosts.
func covers(list []string, domain string) bool {
	set := control.NewSet(list)
	for set != nil {
		if set.Has(domain) {
			return true
		}
		i := strings.IndexByte(domain[min(1, len(domain)):], '.')
		if i < 0 {
			return false
		}
		domain = domain[i+1:]
	}
	return false
}

func relayIsClosed(s *Site, say sayer) {
	_, ok, err := s.control().List("rcpthosts")
	if err == nil && !ok {
		say(Fault, "There is no control/rcpthosts: anybody may send to anybody through this host.",
			s.set("rcpthosts", s.host()))
	}
}

// local returns the domains whose mail is delivered here.
func (s *Site) local() (locals []string) {
	locals, ok, _ := s.control().List("locals")
	if me, _, _ := s.control().Line("me"); !ok && me != "" {
		locals = []string{me}
	}
	return locals
}

// virtual returns the lines of virtualdomains: what each is about, and what is prepended.
func (s *Site) virtual() (about, prepended []string) {
	lines, _, _ := s.control().List("virtualdomains")
	for _, l := range lines {
		a, p, _ := strings.Cut(l, ":")
		about, prepended = append(about, a), append(prepended, p)
	}
	return about, prepended
}

// domainsAgree holds locals, virtualdomains and rcpthosts against each other.
func domainsAgree(s *Site, say sayer) {
	locals := s.local()
	hosts, ok, _ := s.control().List("rcpthosts")
	more, _, _ := s.control().List("morercpthosts")
	hosts = append(hosts, more...)
	about, prepended := s.virtual()
	isLocal := control.NewSet(locals)
	for _, list := range []struct {
		file  string
		lines []string
	}{{"locals", locals}, {"rcpthosts", hosts}} {
		for _, l := range list.lines {
			if !domainName(l) || list.file == "locals" && strings.HasPrefix(l, ".") {
				say(Fault, "The line "+word(l)+" of control/"+list.file+" is no name of a domain.", s.edit(list.file))
			}
		}
	}
	if me, _, _ := s.control().Line("me"); me != "" && !isLocal.Has(ascii.LowerString(me)) && !isLocal.Has(me) {
		say(Warning, "The name in control/me, "+word(me)+", is not in control/locals: mail for it goes out to itself.",
			"echo "+word(me)+" >>"+s.Home+"/control/locals")
	}
	seen := map[string]bool{}
	for i, a := range about {
		domain := a[strings.LastIndexByte(a, '@')+1:]
		switch {
		case a != "" && !domainName(domain):
			say(Fault, "The line "+word(a)+" of control/virtualdomains is about no domain.", s.edit("virtualdomains"))
			continue
		case a == domain && isLocal.Has(ascii.LowerString(domain)):
			say(Warning, word(domain)+" is in control/locals and in control/virtualdomains: the former counts.",
				s.edit("locals"))
		case seen[ascii.LowerString(a)]:
			say(Warning, word(a)+" is twice in control/virtualdomains.", s.edit("virtualdomains"))
		}
		seen[ascii.LowerString(a)] = true
		if ok && domain != "" && prepended[i] != "" && !covers(hosts, ascii.LowerString(domain)) {
			say(Warning, "Mail for "+word(domain)+" of control/virtualdomains is refused from the network: it is not in "+
				"control/rcpthosts.", "echo "+word(domain)+" >>"+s.Home+"/control/rcpthosts")
		}
	}
	for _, l := range locals {
		if ok && domainName(l) && !covers(hosts, ascii.LowerString(l)) {
			say(Warning, "Mail for "+word(l)+" of control/locals is refused from the network: it is not in control/rcpthosts.",
				"echo "+word(l)+" >>"+s.Home+"/control/rcpthosts")
		}
	}
}

// forwardedReturns sees that bounces of forwarded mail find their way back.
func forwardedReturns(s *Site, say sayer) {
	domain, ok, _ := s.control().Line("srs_domain")
	domain = ascii.LowerString(domain)
	if !ok || !domainName(domain) {
		return
	}
	hosts, closed, _ := s.control().List("rcpthosts")
	more, _, _ := s.control().List("morercpthosts")
	if closed && !covers(append(hosts, more...), domain) {
		say(Warning, "Bounces of forwarded mail are refused: "+word(domain)+" of control/srs_domain is not in "+
			"control/rcpthosts.", "echo "+word(domain)+" >>"+s.Home+"/control/rcpthosts")
	}
	about, _ := s.virtual()
	if !covers(about, domain) {
		say(Warning, "Nobody leads bounces of forwarded mail back: "+word(domain)+" of control/srs_domain is not in "+
			"control/virtualdomains.", "echo "+word(domain)+":alias-srs >>"+s.Home+"/control/virtualdomains")
	}
}

// virtualsLead sees that there is somebody for each virtual domain.
func virtualsLead(s *Site, say sayer) {
	lines, _, _ := s.control().List("virtualdomains")
	for _, l := range lines {
		about, to, ok := strings.Cut(l, ":")
		if !ok {
			say(Fault, "The line "+word(l)+" of control/virtualdomains has no colon: it does nothing.",
				s.edit("virtualdomains"))
			continue
		}
		if to == "" || exists(s.path("users/cdb")) {
			continue // goes out, or the database says whose it is
		}
		name, _, _ := strings.Cut(ascii.LowerString(to), "-")
		if s.user(name) || s.user(ascii.LowerString(to)) || s.alias(ascii.LowerString(to)) {
			continue
		}
		file := s.Home + "/alias/.qmail-" + word(strings.ReplaceAll(ascii.LowerString(to), ".", ":")) + "-default"
		say(Warning, "Mail for "+word(about)+" goes to "+word(to)+", and there is no such user and no such alias.",
			"echo '&you@"+s.host()+"' >"+file)
	}
}

// user reports whether an account of this machine has that name.
func (s *Site) user(name string) bool {
	if s.names == nil {
		b, _ := os.ReadFile(s.Root + "/etc/passwd")
		s.names = []string{""}
		for _, l := range strings.Split(string(b), "\n") {
			n, _, _ := strings.Cut(l, ":")
			s.names = append(s.names, n)
		}
	}
	for _, n := range s.names {
		if n == name && n != "" {
			return true
		}
	}
	return false
}

// alias reports whether user alias has instructions for what begins with that name.
func (s *Site) alias(name string) bool {
	name = strings.ReplaceAll(name, ".", ":")
	entries, _ := os.ReadDir(s.path("alias"))
	for _, e := range entries {
		if e.Name() == ".qmail-"+name || strings.HasPrefix(e.Name(), ".qmail-"+name+"-") || e.Name() == ".qmail-default" {
			return true
		}
	}
	return false
}

// maxOwned bounds a file that is read in another user's folder.
const maxOwned = 1 << 20

// owned reads a file in a folder of another user's, who may have put a link, a FIFO or a device there: it follows none
// and waits for none.
func (s *Site) owned(folder, name string) ([]byte, error) {
	d, err := sys.OpenFolder(s.path(folder))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadFile(name, maxOwned)
}

func aliasesAre(s *Site, say sayer) {
	for _, name := range []string{"postmaster", "mailer-daemon", "root"} {
		path := s.path("alias", ".qmail-"+name)
		command := "echo '&you@" + s.host() + "' >" + s.shown(path)
		b, err := s.owned("alias", ".qmail-"+name)
		switch {
		case os.IsNotExist(err) && !exists(s.path("alias/.qmail-default")):
			say(Warning, "Nobody gets the mail for "+name+": "+s.shown(path)+" does not exist.", command)
		case err == nil && len(bytes.Trim(b, " \t\n")) == 0:
			say(Warning, "The mail for "+name+" goes to the mailbox of user alias, which hardly anybody reads: "+
				s.shown(path)+" is empty.", command)
		}
	}
	files, _ := os.ReadDir(s.path("alias"))
	for _, e := range files {
		if !strings.HasPrefix(e.Name(), ".qmail") {
			continue
		}
		fi, err := os.Stat(s.path("alias", e.Name()))
		if err != nil {
			continue
		}
		shown := s.Home + "/alias/" + word(e.Name())
		switch mode := fi.Mode(); {
		case mode.IsDir():
			say(Fault, shown+" is a folder.", "rmdir "+shown)
		case mode.Perm()&0o022 != 0:
			say(Fault, "Mail for "+shown+" waits, since others may write there.", "chmod go-w "+shown)
		case mode.Perm()&0o100 != 0:
			say(Warning, shown+" is executable: only lines that forward count there.", "chmod -x "+shown)
		case mode.Perm()&0o004 == 0 && mode.Perm()&0o400 == 0:
			say(Fault, shown+" cannot be read.", "chmod 644 "+shown)
		}
	}
}
