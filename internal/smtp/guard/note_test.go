package guard

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func TestEachConnectionIsNotedForAReport(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	for _, c := range []struct {
		name, policy, routes string
		offers               string
		cert                 tls.Certificate
		want                 string
	}{
		{"no policy", "", "", starttls, other.issue(allDay, "x"), "no-policy-found far.test mx.far.test 10.0.0.1 "},
		{"no TLS", "", "", "", other.issue(allDay, "x"),
			"no-policy-found far.test mx.far.test 10.0.0.1 starttls-not-supported"},
		{"MTA-STS", enforce, "", starttls, a.issue(allDay, "mx.far.test"), "sts far.test mx.far.test 10.0.0.1 "},
		{"expired", enforce, "", starttls, a.issue(-time.Hour, "mx.far.test"),
			"sts far.test mx.far.test 10.0.0.1 certificate-expired"},
		{"another name", enforce, "", starttls, a.issue(allDay, "far.test"),
			"sts far.test mx.far.test 10.0.0.1 certificate-host-mismatch"},
		{"nobody we trust", enforce, "", starttls, other.issue(allDay, "mx.far.test"),
			"sts far.test mx.far.test 10.0.0.1 certificate-not-trusted"},
		{"another host", strings.Replace(enforce, "mx.far", "mx2.far", 1), "", starttls, a.issue(allDay, "mx.far.test"),
			"sts far.test mx.far.test  validation-failure"},
		{"a route of ours", enforce, "mx.far.test:encrypt\n", starttls, other.issue(allDay, "x"), ""},
	} {
		h := (&host{offers: c.offers, config: &tls.Config{Certificates: []tls.Certificate{c.cert}}}).serve(t)
		x := newRig(t, h, a)
		x.withSTS(c.policy)
		x.control("tlsroutes", c.routes)
		var noted []string
		x.Note = func(words ...string) error {
			noted = append(noted, strings.Join(words[:5], " "))
			return nil
		}
		x.send("far.test")
		if got := strings.Join(noted, "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
