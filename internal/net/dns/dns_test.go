package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"qmail/internal/text/ascii"
)

var world = zone{
	mx("far.test", 20, "b.far.test"), mx("far.test", 10, "A.far.test"),
	mx("null.test", 0, "."),
	a("a.far.test", "10.0.0.1"), a("a.far.test", "10.0.0.2"), aaaa("a.far.test", "2001:db8::1"),
	aaaa("b.far.test", "2001:db8::2"),
	cname("www.far.test", "a.far.test"), cname("alias.test", "www.far.test"),
	cname("dangling.test", "nothing.test"),
	cname("loop.test", "pool.test"), cname("pool.test", "loop.test"),
	ptr("1.0.0.10.in-addr.arpa", "a.far.test"),
	ptr("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "a.far.test"),
	ptr("9.0.0.10.in-addr.arpa", "evil \x1b[2J.test"),
}

func addrs(s ...string) (list []netip.Addr) {
	for _, x := range s {
		list = append(list, netip.MustParseAddr(x))
	}
	return list
}

func TestMXAreReturnedAsTheyCame(t *testing.T) {
	r := resolver(world.serve(t, 4096))
	got, err := r.MX("FAR.test")
	if err != nil || !slices.Equal(got, []MX{{Pref: 20, Host: "b.far.test"}, {Pref: 10, Host: "A.far.test"}}) {
		t.Error(got, err)
	}
	got, err = r.MX("null.test")
	if err != nil || !slices.Equal(got, []MX{{Host: "."}}) {
		t.Error(got, err)
	}
}

func TestAddressesOfBothFamiliesAreFound(t *testing.T) {
	r := resolver(world.serve(t, 4096))
	for host, want := range map[string][]netip.Addr{
		"a.far.test":  addrs("10.0.0.1", "10.0.0.2", "2001:db8::1"),
		"a.far.test.": addrs("10.0.0.1", "10.0.0.2", "2001:db8::1"),
		"b.far.test":  addrs("2001:db8::2"),
		"alias.test":  addrs("10.0.0.1", "10.0.0.2", "2001:db8::1"),
	} {
		got, err := r.Addrs(host)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
}

func TestNameThatCannotExistOrDoesNotIsNotFound(t *testing.T) {
	s := world.serve(t, 4096)
	r := resolver(s)
	for _, host := range []string{"nothing.test", "far.test", "dangling.test"} {
		if got, err := r.Addrs(host); err != ErrNotFound {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
	n := len(s.asked())
	for _, host := range []string{"", ".", "a..test", ".a", strings.Repeat("x", 64) + ".test",
		strings.Repeat("x.", 130) + "test"} {
		if got, err := r.Addrs(host); err != ErrNotFound {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
	if len(s.asked()) != n {
		t.Error("the server was asked for a name that cannot exist")
	}
}

func TestLoopOfCNAMEsIsATemporaryFailure(t *testing.T) {
	for _, follow := range []bool{true, false} {
		s := serve(t, func(x query) [][]byte { return [][]byte{pack(world.answer(x, follow))} })
		if got, err := resolver(s).MX("loop.test"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%v, %v", got, err)
		}
		if n := len(s.asked()); n > maxHops+2 {
			t.Errorf("%d questions", n)
		}
	}
}

func TestCNAMEThatTheServerDidNotFollowIsFollowed(t *testing.T) {
	r := resolver(serve(t, func(x query) [][]byte { return [][]byte{pack(world.answer(x, false))} }))
	got, err := r.Addrs("alias.test")
	if err != nil || len(got) != 3 {
		t.Error(got, err)
	}
	if end, err := r.Canonical("alias.test"); end != "a.far.test" || err != nil {
		t.Error(end, err)
	}
}

func TestNamesOfAnAddress(t *testing.T) {
	r := resolver(world.serve(t, 4096))
	for _, ip := range addrs("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1") {
		got, err := r.PTR(ip)
		if err != nil || !slices.Equal(got, []string{"a.far.test"}) {
			t.Errorf("%v: %v, %v", ip, got, err)
		}
	}
	if got, err := r.PTR(netip.MustParseAddr("10.0.0.9")); err != ErrNotFound {
		t.Errorf("a name with control bytes came through: %q, %v", got, err)
	}
}

func TestAnswerThatDoesNotFitIsAskedForOverTCP(t *testing.T) {
	var z zone
	for i := range 120 {
		z = append(z, mx("many.test", uint16(i), fmt.Sprintf("host%d.a-rather-long-name.test", i)))
	}
	s := z.serve(t, 1232)
	got, err := resolver(s).MX("many.test")
	if err != nil || len(got) != 120 {
		t.Error(len(got), err)
	}
	asked := s.asked()
	if len(asked) != 2 || asked[0].tcp || !asked[0].edns || !asked[1].tcp {
		t.Errorf("%+v", asked)
	}
}

func TestAnswerOver512BytesNeedsNoTCP(t *testing.T) {
	var z zone
	for i := range 30 {
		z = append(z, mx("many.test", uint16(i), fmt.Sprintf("h%d.test", i)))
	}
	s := z.serve(t, 1232)
	got, err := resolver(s).MX("many.test")
	if err != nil || len(got) != 30 || len(s.asked()) != 1 {
		t.Error(len(got), err, len(s.asked()))
	}
}

func TestRecordsOfOneLookupAreBounded(t *testing.T) {
	var z zone
	for i := range 2000 {
		z = append(z, a("many.test", fmt.Sprintf("10.0.%d.%d", i/256, i%256)))
	}
	got, err := resolver(z.serve(t, 1232)).Addrs("many.test")
	if err != nil || len(got) != maxRecords {
		t.Error(len(got), err)
	}
}

func TestServerThatKnowsNoEDNSIsAskedWithoutIt(t *testing.T) {
	for _, code := range []dnsmessage.RCode{dnsmessage.RCodeFormatError, dnsmessage.RCodeNotImplemented} {
		for _, bare := range []bool{false, true} {
			s := serve(t, func(x query) [][]byte {
				m := world.answer(x, true)
				if x.edns {
					m.RCode, m.Answers = code, nil
					if bare {
						m.Questions = nil
					}
				}
				return [][]byte{pack(m)}
			})
			if got, err := resolver(s).Addrs("a.far.test"); err != nil || len(got) != 3 {
				t.Errorf("%v: %v, %v", code, got, err)
			}
		}
	}
}

func TestQuestionsAreHeardWhereEDNSIsDropped(t *testing.T) {
	s := serve(t, func(x query) [][]byte {
		if x.edns {
			return nil
		}
		return [][]byte{pack(world.answer(x, true))}
	})
	if got, err := resolver(s).MX("far.test"); err != nil || len(got) != 2 {
		t.Error(got, err)
	}
}

func TestNextServerIsAskedWhenOneFails(t *testing.T) {
	silent := serve(t, func(query) [][]byte { return nil })
	failing := serve(t, func(x query) [][]byte {
		m := world.answer(x, true)
		m.RCode, m.Answers = dnsmessage.RCodeServerFailure, nil
		return [][]byte{pack(m)}
	})
	lame := serve(t, func(x query) [][]byte {
		m := world.answer(x, true)
		m.RecursionAvailable, m.RCode, m.Answers = false, 0, nil
		return [][]byte{pack(m)}
	})
	gone := &server{addr: netip.MustParseAddrPort("127.0.0.1:1")}
	good := world.serve(t, 4096)
	for i, bad := range []*server{silent, failing, lame, gone} {
		if got, err := resolver(bad, good).MX("far.test"); err != nil || len(got) != 2 {
			t.Errorf("%d: %v, %v", i, got, err)
		}
		if got, err := resolver(bad).MX("far.test"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%d alone: %v, %v", i, got, err)
		}
	}
}

func TestTemporaryFailureOfOneFamilyCountsOnlyWithoutTheOther(t *testing.T) {
	no6 := serve(t, func(x query) [][]byte {
		m := world.answer(x, true)
		if x.q.Type == dnsmessage.TypeAAAA {
			m.RCode, m.Answers = dnsmessage.RCodeServerFailure, nil
		}
		return [][]byte{pack(m)}
	})
	if got, err := resolver(no6).Addrs("a.far.test"); err != nil || len(got) != 2 {
		t.Error(got, err)
	}
	if got, err := resolver(no6).Addrs("nothing.test"); err == nil || errors.Is(err, ErrNotFound) {
		t.Error(got, err)
	}
}

func TestForgedAnswersAreIgnored(t *testing.T) {
	forge := zone{a("a.far.test", "6.6.6.6")}
	r := resolver(serve(t, func(x query) [][]byte {
		wrongID, wrongName, wrongType, notAnswer := x, x, x, forge.answer(x, true)
		wrongID.id++
		wrongName.q.Name = name("b.far.test")
		wrongType.q.Type = dnsmessage.TypeMX
		notAnswer.Response = false
		return [][]byte{
			nil, {1}, []byte(strings.Repeat("\xff", 500)),
			pack(forge.answer(wrongID, true)), pack(forge.answer(wrongName, true)), pack(forge.answer(wrongType, true)),
			pack(notAnswer),
			pack(world.answer(x, true)),
		}
	}))
	got, err := r.Addrs("a.far.test")
	if err != nil || !slices.Equal(got, addrs("10.0.0.1", "10.0.0.2", "2001:db8::1")) {
		t.Error(got, err)
	}
}

func TestRecordsThatWereNotAskedForAreIgnored(t *testing.T) {
	r := resolver(serve(t, func(x query) [][]byte {
		m := world.answer(x, true)
		m.Answers = append([]dnsmessage.Resource{a("other.test", "6.6.6.6"), cname("x.test", "y.test")}, m.Answers...)
		m.Additionals = append(m.Additionals, a("a.far.test", "6.6.6.7"))
		return [][]byte{pack(m)}
	}))
	got, err := r.Addrs("a.far.test")
	if err != nil || slices.Contains(got, netip.MustParseAddr("6.6.6.6")) || len(got) != 3 {
		t.Error(got, err)
	}
}

func TestNoNumberOfWrongPacketsEndsALookup(t *testing.T) {
	forge := zone{a("a.far.test", "6.6.6.6")}
	for name, wrong := range map[string]func(query) []byte{
		"rubbish": func(query) []byte { return []byte{0} },
		"number":  func(x query) []byte { x.id++; return pack(forge.answer(x, true)) },
		"name": func(x query) []byte {
			x.q.Name = dnsmessage.MustNewName("b.far.test.")
			return pack(forge.answer(x, true))
		},
		"letters": func(x query) []byte {
			x.q.Name = dnsmessage.MustNewName("a.far.TEST.")
			return pack(forge.answer(x, true))
		},
	} {
		s := serve(t, func(x query) [][]byte {
			if string(x.q.Name.Data[:x.q.Name.Length]) == "a.far.TEST." {
				return [][]byte{pack(world.answer(x, true))} // the lot fell so
			}
			return append(slices.Repeat([][]byte{wrong(x)}, 150), pack(world.answer(x, true)))
		})
		r := resolver(s)
		r.conf.timeout = 10 * time.Second
		if got, err := r.Addrs("a.far.test"); err != nil || len(got) != 3 || slices.Contains(got, addrs("6.6.6.6")[0]) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAnswerThatDrownsInWrongPacketsIsFetchedByTCP(t *testing.T) {
	s := serve(t, func(x query) [][]byte {
		if x.tcp {
			return [][]byte{pack(world.answer(x, true))}
		}
		return slices.Repeat([][]byte{{0}}, 2*manyStrays)
	})
	r := resolver(s)
	if got, err := r.MX("far.test"); err != nil || len(got) != 2 {
		t.Error(got, err)
	}
}

func TestFloodOfWrongPacketsEndsWithTheTimeout(t *testing.T) {
	s := serve(t, func(x query) [][]byte {
		if x.tcp {
			return nil
		}
		return slices.Repeat([][]byte{{0}}, 2*manyStrays)
	})
	r := resolver(s)
	r.conf.attempts = 1
	start := time.Now()
	if _, err := r.MX("far.test"); err == nil || errors.Is(err, ErrNotFound) || time.Since(start) > 10*time.Second {
		t.Error(err, time.Since(start))
	}
}

// fold answers in small letters, whatever those of the question.
func fold(x query) dnsmessage.Message {
	x.q.Name = name(ascii.LowerString(undot(x.q.Name.String())))
	return world.answer(x, true)
}

func TestServerThatChangesLettersIsAskedByTCPOrWithoutLots(t *testing.T) {
	for _, tcp := range []bool{true, false} {
		s := serve(t, func(x query) [][]byte {
			if x.tcp && !tcp {
				return nil
			}
			return [][]byte{pack(fold(x))}
		})
		for range 3 {
			if got, err := resolver(s).MX("far.test"); err != nil || len(got) != 2 {
				t.Errorf("TCP %v: %v, %v", tcp, got, err)
			}
		}
	}
}

func TestLettersOfAQuestionAreDrawnByLotAndNotSeenInTheAnswer(t *testing.T) {
	s := world.serve(t, 4096)
	r := resolver(s)
	for range 20 {
		for _, host := range []string{"far.test", "null.test"} {
			list, err := r.MX(host)
			for _, x := range list {
				if got := x.Host; got != "b.far.test" && got != "A.far.test" && got != "." {
					t.Errorf("%q, %v", got, err)
				}
			}
		}
		if end, err := r.Canonical("A.far.test"); end != "A.far.test" || err != nil {
			t.Error(end, err)
		}
	}
	seen := map[string]bool{}
	for _, x := range s.asked() {
		seen[x.q.Name.String()] = true
	}
	if len(seen) < 30 {
		t.Errorf("%d spellings in %d questions", len(seen), len(s.asked()))
	}
}

func FuzzLetters(f *testing.F) {
	f.Add("far.test", "mail.far.test", uint(9))
	f.Fuzz(func(t *testing.T, asked, record string, at uint) {
		q, ok := wireName(asked)
		n, ok2 := wireName(record)
		if !ok || !ok2 {
			return
		}
		sent := mixed(q)
		if !same(sent, q) {
			t.Fatalf("%q became %q", asked, sent.String())
		}
		// A record that ends in a pointer at the question ends as the question did.
		host := n.String()[:at%uint(n.Length)]
		if full, err := dnsmessage.NewName(host + sent.String()); err == nil {
			unmix(&full, sent, q)
			if got := full.String(); got[len(host):] != q.String() || !ascii.Equal(got[:len(host)], host) {
				t.Fatalf("%q for %q", got, host+q.String())
			}
		}
		unmix(&n, sent, q)
		if !ascii.Equal(undot(n.String()), undot(record)) {
			t.Fatalf("%q became %q", record, n.String())
		}
	})
}

func TestEachQuestionHasItsOwnNumberAndPort(t *testing.T) {
	s := world.serve(t, 4096)
	r := resolver(s)
	seen := map[uint16]bool{}
	for range 50 {
		r.MX("far.test")
	}
	for _, x := range s.asked() {
		seen[x.id] = true
	}
	if len(seen) < 45 {
		t.Errorf("%d different numbers in 50 questions", len(seen))
	}
}

func TestSearchCompletesAHostName(t *testing.T) {
	r := resolver(world.serve(t, 4096))
	r.conf.search = []string{"no.test", "far.test"}
	for host, want := range map[string]string{"www": "a.far.test", "a.far.test": "a.far.test",
		"alias.test.": "a.far.test"} {
		if got, err := r.Search(host); got != want || err != nil {
			t.Errorf("%s: %s, %v", host, got, err)
		}
	}
	if got, err := r.Search("nothing"); err != ErrNotFound {
		t.Error(got, err)
	}
}

func TestLiterals(t *testing.T) {
	for s, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", "[1.2.3.4]": "1.2.3.4", "[2001:db8::1]": "2001:db8::1", "[IPv6:2001:db8::1]": "2001:db8::1",
		"[ipv6:::ffff:1.2.3.4]": "1.2.3.4",
		"2001:db8::1":           "", "": "", "[]": "", "[1.2.3.4": "", "1.2.3": "", "1.2.3.400": "",
		"[fe80::1%eth0]": "", "host": "",
	} {
		ip, ok := Literal(s)
		if ok != (want != "") || ok && ip.String() != want {
			t.Errorf("%q: %v, %v", s, ip, ok)
		}
	}
}

func TestResolvConf(t *testing.T) {
	c := parseConf([]byte("# x\n; y\nnameserver 10.0.0.1\nnameserver  2001:db8::1 # z\nnameserver bogus\n" +
		"nameserver fe80::1%lo\nnameserver 10.0.0.9\n" +
		"domain d.test\nsearch a.test\tb.test.\noptions ndots:2 timeout:9999 attempts:0 use-vc unknown\nnameserver"))
	var servers []string
	for _, s := range c.servers {
		servers = append(servers, s.String())
	}
	if !slices.Equal(servers, []string{"10.0.0.1:53", "[2001:db8::1]:53", "[fe80::1%lo]:53"}) {
		t.Error(servers)
	}
	if !slices.Equal(c.search, []string{"a.test", "b.test."}) || c.ndots != 2 || c.timeout != 30*time.Second ||
		c.attempts != 1 || !c.tcp {
		t.Errorf("%+v", c)
	}
	if got := c.candidates("x.y"); !slices.Equal(got, []string{"x.y.a.test", "x.y.b.test", "x.y"}) {
		t.Error(got)
	}
	c = parseConf(nil)
	if len(c.servers) != 1 || c.servers[0].String() != "127.0.0.1:53" || c.timeout != defaultTimeout {
		t.Errorf("%+v", c)
	}
}

func FuzzConf(f *testing.F) {
	f.Add([]byte("nameserver 1.2.3.4\noptions timeout:0\nsearch a b"), "host")
	f.Fuzz(func(t *testing.T, b []byte, host string) {
		c := parseConf(b)
		if len(c.servers) == 0 || len(c.servers) > maxServers || len(c.search) > maxSearch || c.timeout <= 0 ||
			c.attempts <= 0 || c.attempts > 5 {
			t.Errorf("%+v", c)
		}
		c.candidates(host)
	})
}

func FuzzAnswer(f *testing.F) {
	q := dnsmessage.Question{Name: name("alias.test"), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	f.Add(pack(world.answer(query{id: 7, q: q}, true)), uint16(dnsmessage.TypeA))
	for _, x := range []dnsmessage.Type{dnsmessage.TypeMX, dnsmessage.TypePTR, dnsmessage.TypeAAAA} {
		q := dnsmessage.Question{Name: name("far.test"), Type: x, Class: dnsmessage.ClassINET}
		f.Add(pack(world.answer(query{id: 7, q: q}, true)), uint16(x))
	}
	f.Add([]byte("\x00\x07\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00\x05alias\x04test\x00\x00\x01\x00\x01"+
		"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x0c"), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, x uint16) {
		q.Type = dnsmessage.Type(x)
		got, h, ok, err := parseAnswer(b, 7, q)
		if !ok && (got != nil || err != nil) || err != nil && got != nil {
			t.Fatalf("%v %v %v", got, ok, err)
		}
		if ok && h.ID != 7 {
			t.Fatal("a foreign answer was taken")
		}
		if got == nil {
			return
		}
		if len(got.records) > maxRecords {
			t.Fatal("unbounded")
		}
		hops, taken := 0, 0
		end, found, err := got.walk(q.Name, q.Type, &hops, func(dnsmessage.ResourceBody) { taken++ })
		if found != (taken > 0) || hops > maxHops+1 || end.Length == 0 {
			t.Fatal(end, found, taken, hops, err)
		}
	})
}
