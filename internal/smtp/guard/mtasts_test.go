package guard

import (
	"crypto/tls"
	"testing"
	"time"

	"qmail/internal/smtp/sts"
)

const enforce = "version: STSv1\nmode: enforce\nmx: mx.far.test\nmax_age: 86400\n"

// withSTS gives far.test a record, and a policy that a fetch brings; empty: it brings none.
func (x *rig) withSTS(policy string) (fetched *int) {
	fetched = new(int)
	f := fakeDNS{asked: new(int), txt: map[string][]string{"_mta-sts.far.test": {"v=STSv1; id=x1;"}}}
	x.Guard.DNS = func() Lookup { return f }
	x.Cache = sts.Cache(x.t.TempDir())
	x.FetchSTS = func(domain, id string) {
		*fetched++
		e, _ := x.Cache.Get(domain)
		if e.Tried = x.Guard.Now(); policy != "" {
			e = sts.Entry{ID: id, Text: []byte(policy), Fetched: x.Guard.Now()}
		}
		if err := x.Cache.Put(domain, e); err != nil {
			x.t.Error(err)
		}
	}
	return fetched
}

func TestAnMTASTSPolicyIsObeyed(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	good := a.issue(allDay, "mx.far.test")
	const noHost = "ZSorry, mx.far.test is none of the hosts that the MTA-STS policy of far.test allows. (#4.7.5)\n|"
	replace := func(from, to string) string {
		if i := len(enforce) - len("mx: mx.far.test\nmax_age: 86400\n"); from == "mx" {
			return enforce[:i] + to + "max_age: 86400\n"
		}
		return "version: STSv1\nmode: " + to + "\nmx: mx.far.test\nmax_age: 86400\n"
	}
	for _, c := range []struct {
		name, policy string
		cert         tls.Certificate
		routes, want string
	}{
		{"enforce", enforce, good, "", secretly("mta-sts")},
		{"a wildcard", replace("mx", "mx: *.far.test\n"), good, "", secretly("mta-sts")},
		{"another host", replace("mx", "mx: mx2.far.test\n"), good, "", noHost},
		{"another authority", enforce, other.issue(allDay, "mx.far.test"), "", failed("mta-sts", errAuthority.Error())},
		{"another name", enforce, a.issue(allDay, "far.test"), "", failed("mta-sts", errName.Error())},
		{"expired", enforce, a.issue(-time.Hour, "mx.far.test"), "", failed("mta-sts", errExpired.Error())},
		{"testing", replace("mode", "testing"), other.issue(allDay, "x"), "", secretly("may")},
		{"none", replace("mode", "none"), other.issue(allDay, "x"), "", secretly("may")},
		{"unreachable", "", other.issue(allDay, "x"), "", secretly("may")},
		{"an entry of its own", enforce, other.issue(allDay, "x"), "mx.far.test:encrypt\n", secretly("encrypt")},
		{"an entry for all", enforce, other.issue(allDay, "x"), ":encrypt\n", failed("mta-sts", errAuthority.Error())},
		{"none for all", enforce, good, ":none\n", openly("none")},
	} {
		h := (&host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{c.cert}}}).serve(t)
		x := newRig(t, h, a)
		x.withSTS(c.policy)
		x.control("tlsroutes", c.routes)
		if got := x.send("far.test"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	x := newRig(t, (&host{}).serve(t), a)
	x.withSTS(enforce)
	if got := x.send("far.test"); got != failed("mta-sts", "it does not offer STARTTLS") {
		t.Errorf("%q", got)
	}
}

func TestDANEGoesBeforeMTASTS(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	c := other.issue(allDay, "x")
	h := (&host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{c}}}).serve(t)
	x := newRig(t, h, a)
	x.withSTS(enforce)
	x.withDANE(record(3, 1, 1, c.Leaf))
	if got := x.send("far.test"); got != secretly("dane") {
		t.Errorf("%q", got)
	}
}

func TestAPolicyCountsUntilItRunsOutWhateverTheDNSSays(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	h := (&host{offers: starttls, config: &tls.Config{
		Certificates: []tls.Certificate{other.issue(9*allDay, "mx.far.test")}}}).serve(t)
	x := newRig(t, h, a)
	now := time.Now()
	x.Guard.Now = func() time.Time { return now }
	fetched := x.withSTS(enforce)
	refused := failed("mta-sts", errAuthority.Error())
	for i, c := range []struct {
		later   time.Duration
		gone    bool // the record
		want    string
		fetched int
	}{
		{0, false, refused, 1},
		{time.Second, false, refused, 1},
		{time.Hour, false, refused, 1},
		{time.Hour, true, refused, 1},
		{23 * time.Hour, true, secretly("may"), 1},
		{time.Hour, false, refused, 2},
	} {
		now = now.Add(c.later)
		dnsNow := fakeDNS{asked: new(int), txt: map[string][]string{"_mta-sts.far.test": {"v=STSv1; id=x1;"}}}
		if c.gone {
			dnsNow.txt = nil
		}
		x.Guard.DNS = func() Lookup { return dnsNow }
		if got := x.send("far.test"); got != c.want || *fetched != c.fetched {
			t.Errorf("%d: %q after %d fetches", i, got, *fetched)
		}
	}
}

func TestADomainWhosePolicyCannotBeHadIsAskedEveryFiveMinutes(t *testing.T) {
	a := newAuthority(t)
	x := newRig(t, usual(t, a, "mx.far.test"), a)
	now := time.Now()
	x.Guard.Now = func() time.Time { return now }
	fetched := x.withSTS("")
	for i, want := range []int{1, 1, 1, 1, 1, 2} {
		if got := x.send("far.test"); got != secretly("may") || *fetched != want {
			t.Errorf("%d: %q after %d fetches", i, got, *fetched)
		}
		now = now.Add(trust + time.Second)
	}
}

func TestTheRelaysOwnPolicyCounts(t *testing.T) {
	a := newAuthority(t)
	x := newRig(t, usual(t, a, "relay.test"), a)
	fetched := x.withSTS(enforce)
	x.control("smtproutes", ":relay.test\n")
	if got := x.send("far.test"); got != secretly("may") || *fetched != 0 {
		t.Errorf("%q after %d fetches", got, *fetched)
	}
}

func TestAPolicyCountsForTheDeliveryThatHasWaitedForIt(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	c := other.issue(9*allDay, "mx.far.test")
	h := (&host{offers: starttls, config: &tls.Config{Certificates: []tls.Certificate{c}}}).serve(t)
	x := newRig(t, h, a)
	now := time.Now()
	x.Guard.Now = func() time.Time { return now }
	x.withSTS(enforce)
	fetch := x.FetchSTS
	x.FetchSTS = func(domain, id string) {
		now = now.Add(3 * time.Second)
		fetch(domain, id)
	}
	if got := x.send("far.test"); got != failed("mta-sts", errAuthority.Error()) {
		t.Errorf("%q", got)
	}
}
