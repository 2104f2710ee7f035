package dmarc

import (
	"errors"
	"strings"
	"testing"

	"qmail/internal/net/dns"
)

// A zone has texts at names below _dmarc; "down" fails. A name exists that is there or has one below it.
type zone map[string]string

var errDown = errors.New("no answer")

func (z zone) TXT(name string) ([]string, error) {
	t, ok := z[strings.TrimPrefix(name, "_dmarc.")]
	switch {
	case !ok:
		return nil, dns.ErrNotFound
	case t == "down":
		return nil, errDown
	}
	return strings.Split(t, "\n"), nil
}

func (z zone) Exists(name string) (bool, error) {
	for n := range z {
		if n == name || strings.HasSuffix(n, "."+name) {
			return true, nil
		}
	}
	return false, nil
}

func TestPolicyIsFoundUpTheTree(t *testing.T) {
	const rec = "v=DMARC1; "
	for _, c := range []struct {
		what, from string
		zone       zone
		status     Status
		at         string
		policy     Policy
	}{
		{"no record", "a.example", zone{}, None, "", ""},
		{"its own", "a.example", zone{"a.example": rec + "p=reject"}, Fail, "a.example", Reject},
		{"that of the organization", "x.a.example", zone{"a.example": rec + "p=none; sp=reject", "x.a.example": "other"},
			Fail, "a.example", Reject},
		{"of one that does not exist", "x.a.example", zone{"a.example": rec + "p=none; sp=quarantine; np=reject"}, Fail,
			"a.example", Reject},
		{"of one that does", "x.a.example", zone{"x.a.example": "spf", "a.example": rec + "p=none;sp=quarantine;np=reject"},
			Fail, "a.example", Quarantine},
		{"that of the public suffix", "a.bank", zone{"bank": rec + "p=reject; psd=y; sp=quarantine", "a.bank": ""}, Fail,
			"bank", Quarantine},
		{"two at one name", "a.example", zone{"a.example": rec + "p=reject\n" + rec + "p=none"}, None, "", ""},
		{"another text beside it", "a.example", zone{"a.example": "spf\n" + rec + "p=reject"}, Fail, "a.example", Reject},
		{"a version in other letters", "a.example", zone{"a.example": "v=dmarc1; p=reject"}, None, "", ""},
		{"no policy", "a.example", zone{"a.example": rec + "sp=reject"}, None, "", ""},
		{"no policy, but reports", "a.example", zone{"a.example": rec + "rua=mailto:x@a.example"}, Fail, "a.example",
			Deliver},
		{"a policy that cannot be read", "a.example", zone{"a.example": rec + "p=rejct"}, None, "", ""},
		{"being tested", "a.example", zone{"a.example": rec + "p=reject; t=y"}, Fail, "a.example", Quarantine},
		{"its own, in capitals", "A.Example.", zone{"a.example": rec + "P=Reject"}, Fail, "a.example", Reject},
		{"no answer", "a.example", zone{"a.example": "down"}, TempError, "", ""},
		{"no answer further up", "x.a.example", zone{"a.example": "down"}, TempError, "", ""},
		{"psd=n ends the walk", "x.a.b.example", zone{"a.b.example": rec + "p=reject; psd=n", "b.example": rec + "p=none"},
			Fail, "a.b.example", Reject},
		{"the shortest that has one", "x.a.b.example", zone{"a.b.example": rec + "p=none", "b.example": rec + "p=reject"},
			Fail, "b.example", Reject},
	} {
		got := Check(c.zone, Mail{From: c.from})
		if got.Status != c.status || got.At != c.at && c.status == Fail || got.Policy != c.policy {
			t.Errorf("%s: %s, %q, %q", c.what, got.Status, got.At, got.Policy)
		}
	}
}

func TestWhatIsAlignedPasses(t *testing.T) {
	relaxed := zone{"a.example": "v=DMARC1; p=reject"}
	strict := zone{"a.example": "v=DMARC1; p=reject; aspf=s; adkim=s"}
	suffix := zone{"bank": "v=DMARC1; psd=y; p=none", "a.bank": "v=DMARC1; p=reject", "b.bank": "v=DMARC1; p=reject"}
	for _, c := range []struct {
		what string
		zone zone
		mail Mail
		want Status
	}{
		{"nothing", relaxed, Mail{From: "a.example"}, Fail},
		{"SPF of the same domain", relaxed, Mail{From: "a.example", SPF: "A.example"}, Pass},
		{"SPF of a subdomain", relaxed, Mail{From: "a.example", SPF: "bounce.a.example"}, Pass},
		{"SPF of a subdomain, strict", strict, Mail{From: "a.example", SPF: "bounce.a.example"}, Fail},
		{"SPF of the domain above", relaxed, Mail{From: "x.a.example", SPF: "a.example"}, Pass},
		{"a signature of another", relaxed, Mail{From: "a.example", DKIM: []string{"b.example"}}, Fail},
		{"a domain that only ends alike", relaxed, Mail{From: "a.example", DKIM: []string{"xa.example"}}, Fail},
		{"the second signature", relaxed, Mail{From: "a.example", DKIM: []string{"b.example", "x.a.example"}}, Pass},
		{"a signature, strict", strict, Mail{From: "a.example", DKIM: []string{"a.example"}}, Pass},
		{"a neighbour below a public suffix", suffix, Mail{From: "a.bank", DKIM: []string{"b.bank"}}, Fail},
		{"the public suffix itself", suffix, Mail{From: "a.bank", DKIM: []string{"bank"}}, Fail},
		{"below it", suffix, Mail{From: "a.bank", DKIM: []string{"x.a.bank"}}, Pass},
		{"what could not be checked now", relaxed, Mail{From: "a.example", Unsure: true}, TempError},
		{"the same beside one that passed", relaxed, Mail{From: "a.example", Unsure: true, SPF: "a.example"}, Pass},
	} {
		if got := Check(c.zone, c.mail); got.Status != c.want {
			t.Errorf("%s: %s", c.what, got.Status)
		}
	}
}

// A counter counts questions.
type counter struct {
	zone
	asked int
}

func (c *counter) TXT(name string) ([]string, error) { c.asked++; return c.zone.TXT(name) }

func TestQuestionsAreBounded(t *testing.T) {
	long := strings.Repeat("a.", 60)
	var signers []string
	for i := range 200 {
		signers = append(signers, strings.Repeat("b.", i%50)+string(rune('a'+i%26))+".example")
	}
	c := &counter{zone: zone{long + "example": "v=DMARC1; p=reject"}}
	Check(c, Mail{From: long + "example", SPF: "c." + long + "x.example", DKIM: signers})
	if most := (maxIdentifiers + 2) * maxWalk; c.asked > most {
		t.Errorf("%d questions, and %d are the most", c.asked, most)
	}
	if n := len(walk(long + "example")); n != maxWalk {
		t.Errorf("a walk asks %d questions", n)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; np=quarantine; rua=mailto:a@b.example!10m,mailto:c@d; t=y; psd=n; adkim=s")
	f.Add("v=DMARC1;;=;p")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := Parse(text)
		if !ok {
			return
		}
		for _, p := range []Policy{r.Policy, r.Subdomains, r.Missing} {
			if p != Deliver && p != Quarantine && p != Reject {
				t.Errorf("policy %q", p)
			}
		}
	})
}
