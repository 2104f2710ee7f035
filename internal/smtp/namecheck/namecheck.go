// Package namecheck is the door of an SMTP session at which the DNS is asked about the client: lists of addresses and
// of domains, the name of its address, the domain of its sender. See qmail-smtpd(8).
package namecheck

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/text/ascii"
	"qmail/internal/text/environ"
)

const (
	// maxSenders is how many domains of senders one session may have looked up.
	maxSenders = 50
	// maxNames is how many names of one address are looked up.
	maxNames = 8
	// maxQuestions bounds what one look at a name or an address asks besides the lists.
	maxQuestions = 24
	// maxTime bounds the seconds that a look may take, whatever control/dnsbltimeout says.
	maxTime = 60
)

// A Door is that of one session. Relay clients and users who have logged in pass it unasked.
type Door struct {
	addresses, domains []list
	threshold          int
	time               time.Duration // of each look
	fixed              string        // what everybody is told; empty: nothing
	sender             bool          // its domain has to exist
	name               int           // 1: the address has one; 2: which leads back to it
	open               func(questions int, end time.Time) resolver

	client  *verdict // on the address, once it is known
	unnamed string   // what is said of its name
	named   bool     // unnamed is known
	judged  map[string]verdict
}

// A resolver is a dns.Resolver within its bounds.
type resolver interface {
	A(host string) ([]netip.Addr, error)
	Addrs(host string) ([]netip.Addr, error)
	MX(domain string) ([]dns.MX, error)
	PTR(ip netip.Addr) ([]string, error)
}

// A verdict is what was found out. A reply refuses by itself.
type verdict struct {
	score  int
	weight int // of the heaviest list
	reply  string
	refuse string
}

// Open returns the door of a session; nil where nothing asks for one.
func Open(dir control.Dir, env []string, conf string) (*Door, error) {
	d := &Door{open: func(questions int, end time.Time) resolver { return dns.Open(conf).Within(questions, end) }}
	rbl, set := environ.Get(env, "RBLSMTPD")
	if strings.HasPrefix(rbl, "-") {
		d.fixed = "553 " + line(rbl[1:]) + " (#5.7.1)"
	} else if rbl != "" {
		d.fixed = "451 " + line(rbl) + " (#4.7.1)"
	}
	var err error
	if !set {
		if d.addresses, err = lists(dir, "dnsbllist"); err != nil {
			return nil, err
		}
		if d.domains, err = lists(dir, "rhsbllist"); err != nil {
			return nil, err
		}
	}
	n, err := dir.Int("mfdnscheck")
	if err != nil {
		return nil, err
	}
	d.sender = n > 0
	if v, set := environ.Get(env, "MFDNSCHECK"); set {
		d.sender = v != "0"
	}
	if d.name, err = dir.Int("ptrcheck"); err != nil {
		return nil, err
	}
	if d.fixed == "" && d.addresses == nil && d.domains == nil && !d.sender && d.name == 0 {
		return nil, nil
	}
	seconds, err := dir.Int("dnsbltimeout")
	if err != nil {
		return nil, err
	}
	d.time = time.Duration(min(max(seconds, 1), maxTime)) * time.Second
	n, err = dir.Int("dnsblthreshold")
	d.threshold = max(n, 1)
	return d, err
}

// line returns a text as one line of SMTP can have it.
func line(s string) string {
	const most = 400
	b := []byte(s[:min(len(s), most)])
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

func lists(dir control.Dir, name string) ([]list, error) {
	lines, _, err := dir.List(name)
	if err != nil {
		return nil, err
	}
	var all []list
	for i, l := range lines[:min(len(lines), maxLists)] {
		one, ok := parseList(l)
		if !ok {
			return nil, errors.New("control/" + name + ": entry " + strconv.Itoa(i+1) + " makes no sense")
		}
		all = append(all, one)
	}
	return all, nil
}

// Admit implements smtpd.Door. What the DNS is asked for is asked at the first recipient that is ours, once for the
// client and once for each sender.
func (d *Door) Admit(stage smtpd.Stage, v *smtpd.Visit) string {
	if stage != smtpd.AtRcpt || v.Relays {
		return ""
	}
	if d.fixed != "" {
		return d.fixed
	}
	ip, public := v.Public()
	if d.name > 0 && public {
		if !d.named {
			d.unnamed, d.named = d.nameless(ip), true
		}
		if d.unnamed != "" {
			return d.unnamed
		}
	}
	of, ok := d.ofSender(v)
	if !ok {
		return "451 too many senders in one session (#4.7.1)"
	}
	if of.refuse != "" {
		return of.refuse
	}
	if d.client == nil {
		d.client = new(verdict)
		if public {
			d.client.ask(d.addresses, d.within(len(d.addresses)), dns.Reversed(ip), ip.String())
		}
	}
	if d.client.score+of.score < d.threshold {
		return ""
	}
	if d.client.weight >= of.weight {
		return d.client.reply
	}
	return of.reply
}

// within returns a resolver for one look.
func (d *Door) within(more int) resolver {
	return d.open(maxQuestions+2*more, time.Now().Add(d.time))
}

// ofSender judges the domains that the client names: that of its sender, and its HELO.
func (d *Door) ofSender(v *smtpd.Visit) (verdict, bool) {
	domain := ascii.LowerString(v.Sender[strings.LastIndexByte(v.Sender, '@')+1:])
	helo := ascii.LowerString(v.Helo)
	if !strings.Contains(v.Sender, "@") || !dns.Askable(domain) {
		domain = ""
	}
	if !dns.Askable(helo) || helo == domain || isAddress(helo) {
		helo = ""
	}
	key := domain + "\n" + helo
	if of, ok := d.judged[key]; ok {
		return of, true
	}
	if len(d.judged) >= maxSenders {
		return verdict{}, !d.sender && len(d.domains) == 0
	}
	var of verdict
	if d.sender && domain != "" {
		of.refuse = d.homeless(domain)
	}
	if of.refuse == "" {
		for _, name := range [...]string{domain, helo} {
			if name != "" && len(d.domains) > 0 {
				of.ask(d.domains, d.within(len(d.domains)), name+".", name)
			}
		}
	}
	if d.judged == nil {
		d.judged = make(map[string]verdict)
	}
	d.judged[key] = of
	return of, true
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// ask adds what lists say, all of them at once. One that does not answer in time says nothing.
func (v *verdict) ask(lists []list, r resolver, labels, who string) {
	type answer struct {
		of     *list
		listed bool
	}
	answers := make(chan answer, len(lists))
	for i := range lists {
		go func(l *list) {
			got, _ := r.A(labels + l.zone)
			listed := false
			for _, a := range got {
				listed = listed || l.means(a)
			}
			answers <- answer{l, listed}
		}(&lists[i])
	}
	for range lists {
		a := <-answers
		if !a.listed {
			continue
		}
		v.score += a.of.weight
		if a.of.weight > v.weight {
			v.weight, v.reply = a.of.weight, a.of.reply(who)
		}
	}
}

// homeless returns what is said to a sender whose domain cannot get mail.
func (d *Door) homeless(domain string) string {
	r := d.within(0)
	mx, err := r.MX(domain)
	if err == nil && len(mx) == 1 && mx[0].Host == "." {
		return "550 sorry, your envelope sender's domain takes no mail (#5.7.27)"
	}
	if errors.Is(err, dns.ErrNotFound) {
		_, err = r.Addrs(domain)
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, dns.ErrNotFound):
		return "550 sorry, your envelope sender's domain is not in the DNS (#5.1.8)"
	}
	return "451 the DNS does not tell of your envelope sender's domain now (#4.4.3)"
}

// nameless returns what is said to a client whose address has no name that counts.
func (d *Door) nameless(ip netip.Addr) string {
	const trouble = "451 the DNS does not tell the name of your address now (#4.7.25)"
	r := d.within(maxNames)
	names, err := r.PTR(ip)
	switch {
	case errors.Is(err, dns.ErrNotFound):
		return "550 sorry, your address has no name in the DNS (#5.7.25)"
	case err != nil:
		return trouble
	case d.name == 1:
		return ""
	}
	soft := false
	for _, n := range names[:min(len(names), maxNames)] {
		addrs, err := r.Addrs(n)
		for _, a := range addrs {
			if a == ip.Unmap() {
				return ""
			}
		}
		soft = soft || err != nil && !errors.Is(err, dns.ErrNotFound)
	}
	if soft {
		return trouble
	}
	return "550 sorry, the name of your address does not lead back to it (#5.7.25)"
}
