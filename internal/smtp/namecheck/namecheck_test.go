package namecheck

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
)

// names is a DNS: addresses by name, "MX " or "PTR " before a name for the others; "?" is trouble.
type names struct {
	zone  map[string]string
	mu    sync.Mutex
	asked int
}

func (n *names) get(key string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	switch v, ok := n.zone[key]; {
	case !ok:
		return nil, dns.ErrNotFound
	case v == "?":
		return nil, errors.New("trouble")
	default:
		return strings.Fields(v), nil
	}
}

func (n *names) A(host string) (list []netip.Addr, err error) {
	words, err := n.get(host)
	for _, w := range words {
		list = append(list, netip.MustParseAddr(w))
	}
	return list, err
}

func (n *names) Addrs(host string) ([]netip.Addr, error) { return n.A(host) }

func (n *names) MX(domain string) (list []dns.MX, err error) {
	words, err := n.get("MX " + domain)
	for _, w := range words {
		list = append(list, dns.MX{Host: w})
	}
	return list, err
}

func (n *names) PTR(ip netip.Addr) ([]string, error) { return n.get("PTR " + ip.String()) }

// open opens a door with control files, given by name and text, and a DNS.
func open(t *testing.T, n *names, env []string, files ...string) *Door {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(control.Dir(dir), env, os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if d != nil {
		d.open = func(int, time.Time) resolver { return n }
	}
	return d
}

func ask(d *Door, ip, helo, sender string) string {
	return d.Admit(smtpd.AtRcpt, &smtpd.Visit{IP: ip, Helo: helo, Sender: sender, Recipient: "x@m.test"})
}

func TestListsRefuseByTheirWeights(t *testing.T) {
	n := &names{zone: map[string]string{
		"1.2.0.192.bl.test":   "127.0.0.2",
		"2.2.0.192.bl.test":   "127.255.255.254",
		"3.2.0.192.bl.test":   "192.0.2.99",
		"4.2.0.192.bl.test":   "127.0.0.1",
		"5.2.0.192.bl.test":   "127.0.0.2",
		"5.2.0.192.wl.test":   "127.0.5.3",
		"6.2.0.192.half.test": "127.0.0.2 127.0.0.3",
		"7.2.0.192.bl.test":   "?",
		"8.2.0.192.half.test": "127.0.0.9",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test": "127.0.0.2",
		"bad.test.rh.test":  "127.0.0.2",
		"1.0.0.127.bl.test": "127.0.0.2",
	}}
	for _, c := range []struct{ ip, helo, sender, want string }{
		{"192.0.2.1", "x", "a@b.test", "553 go to https://x.test/192.0.2.1 (#5.7.1)"},
		{"2001:db8::1", "x", "a@b.test", "553 go to https://x.test/2001:db8::1 (#5.7.1)"},
		{"192.0.2.2", "x", "a@b.test", ""},
		{"192.0.2.3", "x", "a@b.test", ""},
		{"192.0.2.4", "x", "a@b.test", ""},
		{"192.0.2.5", "x", "a@b.test", ""},
		{"192.0.2.6", "x", "a@b.test", ""},
		{"192.0.2.7", "x", "a@b.test", ""},
		{"192.0.2.8", "x", "a@b.test", ""},
		{"192.0.2.9", "x", "a@Bad.test", "553 sorry, bad.test is listed by rh.test (#5.7.1)"},
		{"192.0.2.9", "bad.test", "", "553 sorry, bad.test is listed by rh.test (#5.7.1)"},
		{"127.0.0.1", "x", "a@b.test", ""},
		{"", "x", "a b@c d.test\x00", ""},
	} {
		d := open(t, n, nil, "dnsbllist",
			"bl.test::2:go to https://x.test/%IP%\nwl.test:127.0.*.2-3:-2\nhalf.test:127.0.0.2-3:1\n",
			"rhsbllist", "rh.test::2\n", "dnsblthreshold", "2\n")
		if got := ask(d, c.ip, c.helo, c.sender); got != c.want {
			t.Errorf("%s %s %s: %q, want %q", c.ip, c.helo, c.sender, got, c.want)
		}
	}
}

func TestRelayClientsAndUsersAreNotAskedFor(t *testing.T) {
	n := &names{zone: map[string]string{"1.2.0.192.bl.test": "127.0.0.2"}}
	d := open(t, n, []string{"RBLSMTPD=no"}, "dnsbllist", "bl.test\n")
	v := smtpd.Visit{IP: "192.0.2.1", Relays: true} // as who has logged in does
	if got := d.Admit(smtpd.AtRcpt, &v); got != "" {
		t.Errorf("%+v: %s", v, got)
	}
	if n.asked > 0 {
		t.Errorf("%d questions", n.asked)
	}
}

func TestRBLSMTPDIsWhatEverybodyIsToldOrThatNobodyIsChecked(t *testing.T) {
	n := &names{zone: map[string]string{"1.2.0.192.bl.test": "127.0.0.2"}}
	for env, want := range map[string]string{
		"RBLSMTPD=-go\raway": "553 go?away (#5.7.1)", "RBLSMTPD=later": "451 later (#4.7.1)",
		"X=": "553 sorry, 192.0.2.1 is listed by bl.test (#5.7.1)",
	} {
		if got := ask(open(t, n, []string{env}, "dnsbllist", "bl.test\n"), "192.0.2.1", "x", "a@b.test"); got != want {
			t.Errorf("%s: %q", env, got)
		}
	}
	if d := open(t, n, []string{"RBLSMTPD="}, "dnsbllist", "bl.test\n"); d != nil {
		t.Error("an empty RBLSMTPD makes a door")
	}
}

func TestSendersOfNowhereAreRefusedAndTroubleDefers(t *testing.T) {
	n := &names{zone: map[string]string{"MX a.test": "mx.a.test", "b.test": "192.0.2.1", "MX c.test": ".",
		"MX d.test": "?",
		"e.test":    "?"}}
	d := open(t, n, nil, "mfdnscheck", "1\n")
	for sender, want := range map[string]string{"x@a.test": "", "x@b.test": "", "x@c.test": "550 5.7.27",
		"x@d.test": "451 4.4.3",
		"x@e.test": "451 4.4.3", "x@f.test": "550 5.1.8", "": "", "x@[192.0.2.1]": "", "x@\xff.test": "", "x": ""} {
		got := ask(d, "192.0.2.1", "x", sender)
		code, class, _ := strings.Cut(want, " ")
		if want == "" && got != "" || !strings.HasPrefix(got, code) || !strings.Contains(got, class) {
			t.Errorf("%q: %q, want %s", sender, got, want)
		}
	}
	if d := open(t, n, []string{"MFDNSCHECK=0"}, "mfdnscheck", "1\n"); d != nil {
		t.Error("MFDNSCHECK=0 does not turn it off")
	}
}

func TestAnAddressHasANameThatLeadsBack(t *testing.T) {
	n := &names{zone: map[string]string{"PTR 192.0.2.1": "a.test b.test", "b.test": "192.0.2.1",
		"PTR 192.0.2.2": "b.test",
		"PTR 192.0.2.3": "?", "PTR 192.0.2.4": "t.test", "t.test": "?"}}
	for ip, want := range map[string][2]string{"192.0.2.1": {"", ""}, "192.0.2.2": {"", "550"},
		"192.0.2.3": {"451", "451"},
		"192.0.2.4": {"", "451"}, "192.0.2.5": {"550", "550"}, "10.0.0.1": {"", ""}} {
		for i, w := range want {
			got := ask(open(t, n, nil, "ptrcheck", strconv.Itoa(i+1)), ip, "x", "a@b.test")
			if w == "" && got != "" || !strings.HasPrefix(got, w) {
				t.Errorf("%s at %d: %q, want %q", ip, i+1, got, w)
			}
		}
	}
}

func TestOneClientHasTheDNSAskedBoundedly(t *testing.T) {
	n := &names{zone: map[string]string{}}
	d := open(t, n, nil, "dnsbllist", strings.Repeat("bl.test\n", 1000), "rhsbllist", "rh.test\n")
	refused := 0
	for i := range 10 * maxSenders {
		if ask(d, "192.0.2.1", "x", "a@"+strconv.Itoa(i%(5*maxSenders))+".test") != "" {
			refused++
		}
	}
	if n.asked > maxLists+maxSenders || refused != 8*maxSenders {
		t.Errorf("%d questions, %d refused", n.asked, refused)
	}
}

func TestWithoutFilesThereIsNoDoorAndNonsenseIsAnError(t *testing.T) {
	if d := open(t, nil, nil); d != nil {
		t.Error("a door without a file")
	}
	for _, text := range []string{"x", "bl.test:127", "bl.test:127.0.0.256", "bl.test:127.0.0.3-2",
		"bl.test::x", "bl.test::1001"} {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "dnsbllist"), []byte(text), 0o644)
		if _, err := Open(control.Dir(dir), nil, os.DevNull); err == nil {
			t.Errorf("%q is a list", text)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add("bl.test:127.0.0.2-11,127.0.*.3:-5:see %IP%", uint32(0x7f000002))
	f.Fuzz(func(t *testing.T, s string, answer uint32) {
		l, ok := parseList(s)
		if !ok {
			return
		}
		a := netip.AddrFrom4([4]byte{byte(answer >> 24), byte(answer >> 16), byte(answer >> 8), byte(answer)})
		if l.means(a) && (answer>>24 != 127 || answer>>8 == 0x7fffff) {
			t.Errorf("%q: %v is a listing", s, a)
		}
		if r := l.reply("192.0.2.1"); len(r) > 450 || strings.ContainsAny(r, "\r\n\x00") {
			t.Errorf("%q", r)
		}
	})
}
