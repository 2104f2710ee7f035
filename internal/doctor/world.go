package doctor

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/tls/chain"
)

// soon is how long before its end a certificate should have been renewed.
const soon = 14 * 24 * time.Hour

func certificatesAre(s *Site, say sayer) {
	dir := s.control()
	list := chain.All(dir)
	for _, name := range []string{chain.File, chain.ClientFile} {
		if exists(s.path("control", name)) {
			c := chain.Read(s.path("control", name))
			c.Name = name
			list = append(list, c)
		}
	}
	covered := false
	for _, c := range list {
		path := s.Home + "/control/" + c.Name
		server := c.Name != chain.File && c.Name != chain.ClientFile
		if server {
			path = s.Home + "/control/" + chain.Folder + "/" + c.Name
		}
		command := "openssl x509 -noout -subject -dates -in " + path
		switch left := c.Ends.Sub(s.Now); {
		case c.Err != nil:
			say(Fault, "The certificate "+path+" cannot be used: "+c.Err.Error()+".", command)
		case left <= 0:
			say(Fault, "The certificate "+path+" ended on "+c.Ends.UTC().Format("2006-01-02")+".", command)
		case left < soon:
			say(Warning, "The certificate "+path+" ends on "+c.Ends.UTC().Format("2006-01-02")+".", command)
		}
		covered = covered || slices.ContainsFunc(c.Names, func(n string) bool { return matches(n, s.host()) })
		if server && exists(s.path("keys/tls")) && !exists(s.path("keys/tls", c.Name+".pem")) && os.Getuid() == 0 {
			say(Fault, "There is no key for the certificate "+path+".", "config-tls "+c.Name+" CERTIFICATE KEY")
		}
	}
	if len(list) > 0 && !covered {
		say(Warning, "No certificate is for "+word(s.host())+", the name of this host: who verifies it hangs up.",
			"config-tls "+word(s.host())+" CERTIFICATE KEY")
	}
}

// matches reports whether a name of a certificate is that of a host.
func matches(name, host string) bool {
	if suffix, ok := strings.CutPrefix(name, "*."); ok {
		_, rest, _ := strings.Cut(host, ".")
		return ascii.Equal(suffix, rest)
	}
	return ascii.Equal(name, host)
}

// temporary reports whether a lookup has told nothing.
func temporary(err error) bool { return err != nil && !errors.Is(err, dns.ErrNotFound) }

// public reports whether others can reach an address.
func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !ip.IsLoopback()
}

// namesLeadHere asks for the address of this host, the name of that, and who takes the mail of our domains.
func namesLeadHere(s *Site, say sayer) {
	me := s.host()
	if s.DNS == nil || me == "host.example.org" && !exists(s.path("control/me")) {
		return
	}
	addrs, err := s.DNS.Addrs(me)
	switch {
	case temporary(err):
		say(Warning, "The DNS does not say now which address "+word(me)+" has.", "dig "+word(me))
		return
	case err != nil || len(addrs) == 0:
		say(Fault, "The DNS has no address for "+word(me)+", by which this host greets others: many refuse its mail.",
			"# publish: "+word(me)+". A ADDRESS")
	}
	for _, ip := range addrs {
		if !public(ip) {
			say(Warning, "The address of "+word(me)+" in the DNS, "+ip.String()+", is none that others can reach.",
				"# publish: "+word(me)+". A ADDRESS")
			continue
		}
		names, err := s.DNS.PTR(ip)
		switch {
		case temporary(err):
		case len(names) == 0:
			say(Fault, "The address "+ip.String()+" has no name in the DNS: large providers refuse its mail.",
				"# have your provider publish: "+ip.String()+" PTR "+word(me)+".")
		case !slices.ContainsFunc(names, func(n string) bool { return ascii.Equal(n, me) }):
			say(Warning, "The address "+ip.String()+" is called "+word(names[0])+" in the DNS, and not "+word(me)+".",
				"# have your provider publish: "+ip.String()+" PTR "+word(me)+".")
		}
	}
	for _, domain := range s.domains() {
		list, err := s.DNS.MX(domain)
		switch {
		case temporary(err):
		case len(list) == 0 && !ascii.Equal(domain, me):
			say(Warning, "The DNS does not say which host takes the mail for "+word(domain)+".",
				"# publish: "+word(domain)+". MX 10 "+word(me)+".")
		case len(list) > 0 && !slices.ContainsFunc(list, func(m dns.MX) bool { return s.leadsHere(m.Host, me, addrs) }):
			say(Warning, "Mail for "+word(domain)+" goes to "+word(list[0].Host)+", and not here.",
				"# publish: "+word(domain)+". MX 10 "+word(me)+".")
		}
	}
}

func (s *Site) leadsHere(host, me string, addrs []netip.Addr) bool {
	if ascii.Equal(host, me) {
		return true
	}
	list, _ := s.DNS.Addrs(host)
	return slices.ContainsFunc(list, func(ip netip.Addr) bool { return slices.Contains(addrs, ip) })
}

// maxDomains bounds how many domains the DNS is asked about.
const maxDomains = 20

// domains returns those whose mail we take, this host's name aside where it has others.
func (s *Site) domains() []string {
	list := slices.Clone(s.local())
	about, _ := s.virtual()
	for _, a := range about {
		if a != "" && a[0] != '.' && strings.IndexByte(a, '@') < 0 {
			list = append(list, a)
		}
	}
	list = slices.DeleteFunc(list, func(d string) bool {
		return !domainName(d) || strings.IndexByte(d, '.') < 0 || d[0] == '['
	})
	for i := range list {
		list[i] = ascii.LowerString(list[i])
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), maxDomains)]
}

// sendersAreNamed asks for what lets others trust mail from our domains.
func sendersAreNamed(s *Site, say sayer) {
	if s.DNS == nil || !exists(s.path("control/me")) {
		return
	}
	lines, _, _ := s.control().List(control.Signing)
	for _, domain := range s.domains() {
		spf, err := s.texts(domain, "v=spf1")
		switch {
		case temporary(err):
			continue
		case len(spf) == 0:
			say(Warning, "Nothing in the DNS says which hosts send mail from "+word(domain)+" (SPF).",
				"# publish: "+word(domain)+". TXT \"v=spf1 "+s.senders(domain)+" -all\"")
		case len(spf) > 1:
			say(Fault, "The DNS has "+word(domain)+" with several SPF records, so none counts.", "dig txt "+word(domain))
		}
		if !s.hasPolicy(domain) {
			say(Warning, "Nothing in the DNS says what others do with forged mail from "+word(domain)+" (DMARC).",
				"# publish: _dmarc."+word(domain)+". TXT \"v=DMARC1; p=none; rua=mailto:postmaster@"+word(domain)+"\"")
		}
		if len(lines) == 0 {
			say(Warning, "Mail from "+word(domain)+" is not signed (DKIM).", "qmail-dkimkey "+word(domain)+" SELECTOR")
		}
		s.inbound(domain, say)
	}
	for _, l := range lines {
		domain, rest, _ := strings.Cut(l, ":")
		selectors, _, _ := strings.Cut(rest, "|")
		for _, sel := range strings.Split(selectors, ",") {
			if sel == "" || !domainName(domain) {
				continue
			}
			name := sel + "._domainkey." + domain
			if keys, err := s.texts(name, ""); !temporary(err) && len(keys) == 0 {
				say(Fault, "The DNS does not have the key by which mail from "+word(domain)+" is signed: "+word(name)+".",
					"qmail-dkimkey "+word(domain)+" "+word(sel))
			}
		}
	}
}

// senders returns what of an SPF record names the hosts that send for a domain: its MX hosts, and this one.
func (s *Site) senders(domain string) string {
	list, _ := s.DNS.MX(domain)
	if slices.ContainsFunc(list, func(m dns.MX) bool { return ascii.Equal(m.Host, s.host()) }) {
		return "mx"
	}
	return "mx a:" + word(s.host())
}

// hasPolicy reports whether the DNS has a DMARC record for a domain, or for one above it (RFC 9989), or does not say.
func (s *Site) hasPolicy(domain string) bool {
	for strings.IndexByte(domain, '.') >= 0 {
		if list, err := s.texts("_dmarc."+domain, "v=DMARC1"); temporary(err) || len(list) > 0 {
			return true
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return false
}

// inbound looks at what makes others send by TLS: both are of use only as a whole.
func (s *Site) inbound(domain string, say sayer) {
	sts, err := s.texts("_mta-sts."+domain, "v=STSv1")
	if err == nil && len(sts) > 0 {
		if list, err := s.DNS.Addrs("mta-sts." + domain); !temporary(err) && len(list) == 0 {
			say(Fault, "The DNS announces a policy for TLS to "+word(domain)+", and mta-sts."+word(domain)+" has no address.",
				"dig mta-sts."+word(domain))
		}
	}
	if list, err := s.DNS.TLSA(s.host(), 25); err == nil && len(list) > 0 && len(chain.All(s.control())) == 0 &&
		!exists(s.path("control", chain.File)) {
		say(Fault, "The DNS has a TLSA record for "+word(s.host())+", which has no certificate: many send nothing.",
			"dig tlsa _25._tcp."+word(s.host()))
	}
}

// texts returns the TXT records of a name that begin so.
func (s *Site) texts(name, prefix string) ([]string, error) {
	list, err := s.DNS.TXT(name)
	return slices.DeleteFunc(list, func(t string) bool { return !strings.HasPrefix(t, prefix) }), err
}
