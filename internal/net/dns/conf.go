package dns

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	maxServers = 3
	maxSearch  = 6
	// maxConf bounds the bytes read of resolv.conf.
	maxConf = 64 << 10

	defaultTimeout  = 5 * time.Second
	defaultAttempts = 2
)

// A config is what resolv.conf(5) says.
type config struct {
	servers  []netip.AddrPort
	search   []string
	ndots    int
	timeout  time.Duration // for one question to one server
	attempts int           // rounds through the servers
	tcp      bool          // "use-vc": never UDP
	trusted  bool          // "trust-ad", and the servers are on this machine: what they say of DNSSEC counts
}

// readConf reads a resolv.conf. A file that is absent, or names no server, means the server on this machine.
func readConf(path string) config {
	f, err := os.Open(path)
	if err != nil {
		return parseConf(nil)
	}
	defer f.Close()
	b := make([]byte, maxConf)
	n := 0
	for n < len(b) {
		k, err := f.Read(b[n:])
		n += k
		if err != nil {
			break
		}
	}
	return parseConf(b[:n])
}

func parseConf(b []byte) config {
	c := config{ndots: 1, timeout: defaultTimeout, attempts: defaultAttempts}
	for line := range strings.Lines(string(b)) {
		words := fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if ip, err := netip.ParseAddr(words[1]); err == nil && len(c.servers) < maxServers {
				c.servers = append(c.servers, netip.AddrPortFrom(ip, 53))
			}
		case "domain":
			c.search = words[1:2]
		case "search":
			c.search = words[1:min(len(words), 1+maxSearch)]
		case "options":
			for _, o := range words[1:] {
				c.option(o)
			}
		}
	}
	if len(c.servers) == 0 {
		c.servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}
	}
	for _, s := range c.servers {
		c.trusted = c.trusted && s.Addr().IsLoopback()
	}
	return c
}

func (c *config) option(o string) {
	name, value, _ := strings.Cut(o, ":")
	n, err := strconv.Atoi(value)
	switch {
	case name == "use-vc":
		c.tcp = true
	case name == "trust-ad":
		c.trusted = true
	case err != nil:
	case name == "ndots":
		c.ndots = min(max(n, 0), 15)
	case name == "timeout":
		c.timeout = time.Duration(min(max(n, 1), 30)) * time.Second
	case name == "attempts":
		c.attempts = min(max(n, 1), 5)
	}
}

// candidates returns the full names that a host name may stand for, in the order to try them.
func (c *config) candidates(host string) []string {
	if host == "" {
		return nil
	}
	if host[len(host)-1] == '.' {
		return []string{undot(host)}
	}
	dots := strings.Count(host, ".")
	var list []string
	if dots >= c.ndots {
		list = append(list, host)
	}
	for _, d := range c.search {
		if d = undot(d); d != "." {
			list = append(list, host+"."+d)
		}
	}
	if dots < c.ndots {
		list = append(list, host)
	}
	return list
}

// fields splits a line at blanks.
func fields(s string) []string {
	var words []string
	start := -1
	for i := 0; i <= len(s); i++ {
		blank := i == len(s) || s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n'
		switch {
		case blank && start >= 0:
			words = append(words, s[start:i])
			start = -1
		case !blank && start < 0:
			start = i
		}
	}
	return words
}
