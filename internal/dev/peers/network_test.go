//go:build linux

package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// network lays a network with a DNS server that has the records, which are dnsmasq options.
func network(t *testing.T, records ...string) {
	t.Helper()
	if err := testqmail.Wire(); err != nil {
		t.Fatal(err)
	}
	serveNames(t, records...)
}

// serveNames starts the DNS server of a network; stop ends it.
func serveNames(t *testing.T, records ...string) (stop func()) {
	t.Helper()
	args := append(
		[]string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
			"--local=/test/", "--local=/arpa/", "--listen-address=" + testqmail.Gateway4, "--bind-interfaces",
			"--user=root", "--group="},
		records...)
	_, stop = here(t).daemon("root", args...)
	waitPort(t, testqmail.Gateway4+":53")
	return stop
}

// host returns the record of a host's addresses.
func host(name string, addrs ...string) string {
	return "--host-record=" + name + "," + strings.Join(addrs, ",")
}

// mx returns the record of a mail exchanger.
func mx(domain, host, preference string) string {
	return "--mx-host=" + domain + "," + host + "," + preference
}

// boot boots a machine: last is the last number of its addresses.
func boot(t *testing.T, name, last string) *qmail {
	t.Helper()
	m := &testqmail.Machine{Name: name, IP4: "10.9.0." + last, IP6: "fd09::" + last}
	if err := m.Boot(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Kill)
	return &qmail{Machine: m, t: t, name: name}
}

// unanswered makes packets of the machine to an address go nowhere.
func (q *qmail) unanswered(ip string) {
	q.t.Helper()
	q.sh("ip neigh replace " + ip + " lladdr 02:00:00:00:00:66 dev eth0 nud permanent")
}

// data returns the path of a file of testdata/peers.
func data(t *testing.T, name string) string {
	t.Helper()
	top, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(top, "testdata/peers", name)
}

// install copies a file of testdata/peers into the machine.
func (q *qmail) install(from, to string) {
	q.t.Helper()
	b, err := os.ReadFile(data(q.t, from))
	if err != nil {
		q.t.Fatal(err)
	}
	q.write(to, strings.ReplaceAll(string(b), "@QMAIL@", home("")))
}
