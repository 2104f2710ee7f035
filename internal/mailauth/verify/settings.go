// Package verify looks at a message before it is queued: SPF, DKIM, DMARC, what of it goes on top of the message, and
// whether it is refused.
package verify

import (
	"errors"
	"net/netip"
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/text/environ"
)

// A Mode is what becomes of mail whose author's domain asks for another treatment than delivery.
type Mode string

const (
	Tell   Mode = "tell"   // the results go on top, and nothing else is done
	Mark   Mode = "mark"   // what would be quarantined or rejected gets a mark for filters
	Refuse Mode = "refuse" // what would be rejected is refused
)

// maxBehavior is the highest number in control/spfbehavior.
const maxBehavior = 6

// Settings are what the control files say.
type Settings struct {
	ID         string // the name in Authentication-Results
	DMARC      Mode
	Behavior   int // 0 to 6
	Forwarders Forwarders
	Reports    bool // what domains want to know about their mail is noted
}

// Read reads them. SPFBEHAVIOR in the environment stands in the place of control/spfbehavior.
func Read(dir control.Dir, env []string) (s Settings, err error) {
	if s.ID, _, err = dir.Text("me"); err != nil {
		return s, err
	}
	mode, _, err := dir.Text("dmarc")
	if err != nil {
		return s, err
	}
	switch s.DMARC = Mode(ascii.LowerString(mode)); s.DMARC {
	case Tell, Mark, Refuse:
	default:
		return s, errors.New("control/dmarc has " + mode + ", which is not tell, mark or refuse")
	}
	if s.Behavior, err = dir.Int("spfbehavior"); err != nil {
		return s, err
	}
	if v, set := environ.Get(env, "SPFBEHAVIOR"); set {
		if n, ok := control.ParseInt(v); ok {
			s.Behavior = n
		}
	}
	contact, _, err := dir.Text("dmarcreports")
	if err != nil {
		return s, err
	}
	s.Reports = contact != ""
	s.Behavior = min(s.Behavior, maxBehavior)
	lines, _, err := dir.List("trustedforwarders")
	if err != nil {
		return s, err
	}
	s.Forwarders = newForwarders(lines)
	return s, nil
}

// Forwarders are who may pass on mail of others that has lost its proofs on the way.
type Forwarders struct {
	networks []netip.Prefix
	domains  []string
}

// newForwarders reads lines with an address, a network or a domain.
func newForwarders(lines []string) (f Forwarders) {
	for _, l := range lines {
		if p, err := netip.ParsePrefix(l); err == nil {
			f.networks = append(f.networks, p.Masked())
		} else if a, err := netip.ParseAddr(l); err == nil {
			f.networks = append(f.networks, netip.PrefixFrom(a, a.BitLen()))
		} else {
			f.domains = append(f.domains, ascii.LowerString(strings.TrimPrefix(l, ".")))
		}
	}
	return f
}

func (f Forwarders) hasAddress(ip netip.Addr) bool {
	for _, n := range f.networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// hasDomain reports whether a domain, in lower case, is one of theirs or below one.
func (f Forwarders) hasDomain(domain string) bool {
	for _, d := range f.domains {
		if domain == d || strings.HasSuffix(domain, "."+d) {
			return true
		}
	}
	return false
}
