package dksign

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"qmail/internal/mailauth/dkim"
	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
)

// maxSelectors is how many signatures a message gets at most.
const maxSelectors = 4

// A rule says how mail of a domain is signed.
type rule struct {
	domain    string // d=
	selectors []string
	identity  string // i=; "~": the address in From
	lifetime  time.Duration
	header    dkim.Canon
	body      dkim.Canon
	only      dkim.Algorithm // empty: whatever the keys are
}

// rules are the lines of control/dkimdomains, by the domain of From:
// DOMAIN:SELECTOR[,SELECTOR...]|SDID|AUID|EXPIRE|C:Z:L, as s/qmail has them.
type rules struct{ lines control.Map }

func readRules(d control.Dir) (rules, error) {
	lines, _, err := d.List(control.Signing)
	if err != nil {
		return rules{}, err
	}
	return rules{control.NewMap(lines)}, nil
}

// find returns the rule for a domain of From: of its own name, or of the longest suffix that has one; ok is false where
// there is none. An error is a mistake in the file.
func (r rules) find(from string) (rule, bool, error) {
	line, ok := r.lines.GetHost(from)
	if !ok || line == "" { // an empty one exempts the name
		return rule{}, false, nil
	}
	x := rule{header: dkim.Relaxed, body: dkim.Relaxed}
	parts := append(strings.Split(line, "|"), "", "", "", "", "")[:5]
	for _, s := range strings.Split(parts[0], ",") {
		x.selectors = append(x.selectors, ascii.LowerString(strings.Trim(s, " ")))
	}
	if len(x.selectors) > maxSelectors {
		return x, false, r.mistake(from, "has too many selectors")
	}
	x.domain = ascii.LowerString(parts[1])
	if x.domain == "" {
		x.domain = r.matched(from)
	}
	for _, name := range append(x.selectors, x.domain) {
		if !dkim.IsHost(name) {
			return x, false, r.mistake(from, "has a selector or a domain that is no name")
		}
	}
	x.identity = parts[2]
	if parts[3] != "" {
		n, err := strconv.ParseInt(parts[3], 10, 32)
		if err != nil || n <= 0 {
			return x, false, r.mistake(from, "has no number of seconds where the end of a signature should be")
		}
		x.lifetime = time.Duration(n) * time.Second
	}
	if !x.form(parts[4]) {
		return x, false, r.mistake(from, "asks for a form of signature that there is not")
	}
	return x, true, nil
}

// matched is the name that a line without d= stands for: that of the line, or From's own where it is for all.
func (r rules) matched(from string) string {
	from = ascii.LowerString(from)
	for at := 0; ; {
		if _, ok := r.lines.Get(from[at:]); ok {
			return strings.TrimPrefix(from[at:], ".")
		}
		i := strings.IndexByte(from[min(at+1, len(from)):], '.')
		if i < 0 {
			return from
		}
		at += 1 + i
	}
}

// form reads C:Z:L, each as libdkim has it: r, s, t or u for the way of writing; 2 for RSA and 4 for Ed25519 alone;
// and an L, for a part of the body only, is refused: what others add would be signed with it.
func (x *rule) form(s string) bool {
	parts := append(strings.Split(s, ":"), "", "")
	switch parts[0] {
	case "", "r":
	case "s":
		x.header, x.body = dkim.Simple, dkim.Simple
	case "t":
		x.header, x.body = dkim.Relaxed, dkim.Simple
	case "u":
		x.header, x.body = dkim.Simple, dkim.Relaxed
	default:
		return false
	}
	switch parts[1] {
	case "":
	case "2":
		x.only = dkim.RSA
	case "4":
		x.only = dkim.Ed25519
	default:
		return false
	}
	return parts[2] == "" && len(parts) <= 5
}

func (r rules) mistake(from, what string) error {
	return fmt.Errorf("the line of control/%s for %s %s", control.Signing, ascii.OneLine(from), what)
}
