package guard

import (
	"errors"
	"os"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/site/tlsroutes"
	"qmail/internal/smtp/remote"
	"qmail/internal/smtp/sts"
	"qmail/internal/sys/priv"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

// fetchWithin is how long a delivery waits for a policy.
const fetchWithin = 40 * time.Second

// Fetch returns what has a policy fetched by a program, as the user that we are.
func Fetch(path string, env []string) func(domain, id string) {
	return func(domain, id string) {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return
		}
		defer null.Close()
		child, err := priv.Start(priv.Child{
			Path: path, Args: []string{path, domain, id}, Env: env, Files: []*os.File{null, null, null},
		})
		if err != nil {
			return
		}
		kill := time.AfterFunc(fetchWithin, func() { child.Kill() })
		child.Wait()
		kill.Stop()
	}
}

// mtasts obeys the policy of a domain, if it has one that forbids something.
func (g *Guard) mtasts(p *plan, h remote.Hop) error {
	domain := ascii.LowerString(h.Domain)
	if h.Relay {
		domain = p.host
	}
	if g.DNS == nil || g.FetchSTS == nil || !tlsroutes.Hostname(domain) {
		return nil
	}
	if _, literal := dns.Literal(domain); literal {
		return nil
	}
	policy, ok := g.stsPolicy(domain)
	if !ok || policy.Mode != sts.Enforce {
		return nil
	}
	if !policy.Allows(p.host) {
		return report.Defer("4.7.5", "Sorry, "+printable(h.Host)+" is none of the hosts that the MTA-STS policy of "+
			printable(domain)+" allows.")
	}
	p.entry = tlsroutes.Entry{Policy: tlsroutes.Verify}
	p.label = "mta-sts"
	return nil
}

// An stsDomain is what is known of the policy of a domain for a while.
type stsDomain struct {
	policy sts.Policy
	ok     bool
	until  time.Time
}

// stsPolicy returns the policy that counts for a domain: the one that its TXT record speaks of, else one that was
// fetched before and has not run out, whatever the DNS and the domain's host say by now (RFC 8461, section 5.1).
func (g *Guard) stsPolicy(domain string) (policy sts.Policy, ok bool) {
	now := g.Now()
	if k, known := g.policies[domain]; known && now.Before(k.until) && k.until.Sub(now) <= trust {
		return k.policy, k.ok
	}
	entry, _ := g.Cache.Get(domain)
	records, err := g.DNS().TXT("_mta-sts." + domain)
	if err != nil && !errors.Is(err, dns.ErrNotFound) {
		records = nil
	}
	if id, has := sts.ID(records); has && entry.Due(id, now) {
		g.FetchSTS(domain, id)
		entry, _ = g.Cache.Get(domain)
		now = g.Now() // a policy of the future would be none
	}
	policy, ok = entry.Valid(now)
	if g.policies == nil || len(g.policies) >= maxKnown {
		g.policies = make(map[string]stsDomain)
	}
	g.policies[domain] = stsDomain{policy, ok, now.Add(trust)}
	return policy, ok
}
