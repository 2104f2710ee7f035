package tool

import (
	"errors"
	"strings"
	"testing"

	"qmail/internal/net/dns"
	"qmail/internal/text/exit"
)

func TestExitCodeSaysWhetherToAskAgain(t *testing.T) {
	for _, c := range []struct {
		args      []string
		err       error
		code      exit.Code
		out, errs string
	}{
		{[]string{"dnsip", "x"}, nil, exit.OK, "x\n", ""},
		{[]string{"dnsip", "x"}, dns.ErrNotFound, exit.Perm, "", "hard error\n"},
		{[]string{"dnsip", "x"}, errors.New("?"), exit.Temp, "", "soft error\n"},
		{[]string{"dnsip"}, nil, exit.Perm, "", "usage: dnsip name\n"},
	} {
		var out, errs strings.Builder
		code := Run(c.args, &out, &errs, func(_ *dns.Resolver, arg string) (string, error) { return arg + "\n", c.err })
		if code != c.code || out.String() != c.out || errs.String() != c.errs {
			t.Errorf("%v %v: %d %q %q", c.args, c.err, code, out.String(), errs.String())
		}
	}
}
