// Package policy holds the source to the rules that keep it readable: who may import whom, what each program is made of,
// and which doors there are to the dangerous parts. Each table is meant to be read, and changed on purpose.
package policy

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A row is a package's charter and what it may import of ours. Layers go downhill: words, machine, things, programs.
type row struct{ charter, may string }

func layers() map[string]row {
	return map[string]row{
		// Words: no system calls; bytes in, bytes out.
		"exit":      {"the exit codes by name; what a .qmail command's status means", ""},
		"report":    {"success, deferral, failure, with text and code; any error becomes one", ""},
		"ascii":     {"byte-wise case folding", ""},
		"netstring": {"encode, decode with limit", ""},
		"rfc822":    {"tokens, address lists, header fields, quoting, dates, the Received lines", "ascii"},
		"qlog":      {"the lines of qmail-log(5), and making text safe for them", "report"},
		"crlf":      {"CRLF dialogues: command lines, the data of a message, both ways", ""},
		"dotqmail":  {".qmail text to instructions; the order of names to try", "ascii"},
		"tcpenv":    {"tcp-environ(5), reading and writing", ""},
		"qmtp":      {"QMTP and QMQP framing, both ends", "netstring report"},

		// Machine: the only code that meets the kernel in unusual ways.
		"conf":     {"the choices made when the suite is built", ""},
		"sys":      {"system calls that the standard library lacks", ""},
		"sys/inet": {"those that know Internet addresses", "sys"},
		"proc":     {"the start and the end of a process", "exit sys"},
		"passwd":   {"/etc/passwd and /etc/group without cgo", "conf"},
		"sysuser":  {"users as the system's name service sees them", "exit passwd"},
		"priv":     {"the only place where uids change", "conf passwd sys"},
		"cdb":      {"constant databases", ""},
		"control":  {"the control folder, and the table of its files", "ascii conf"},

		// Things: formats on disk and on wires; each owns both ends.
		"queue":       {"names, records, scan, trigger; every transition between S1 and S5", "conf sys"},
		"envelope":    {"the qmail-queue interface: the envelope, the exit codes", "exit report"},
		"submit":      {"its client", "envelope worker worker/pool conf passwd priv report sys exit"},
		"worker":      {"jobs for a program that does more than one: the program's side", "sys exit conf proc"},
		"worker/pool": {"the parent's side", "worker priv sys conf"},
		"sendproto":   {"qmail-send's pipes", "report"},
		"sendctl":     {"how the queue tools ask qmail-send", "sys"},
		"users":       {"users/assign, users/cdb, the qmail-getpw answer", "ascii cdb conf passwd"},
		"rcpthosts":   {"rcpthosts and morercpthosts.cdb", "ascii cdb control"},
		"route":       {"recipient to channel", "ascii control queue"},
		"mbox":        {"deliver to an mbox, read it", "sys rfc822"},
		"maildir":     {"deliver to a Maildir, read it, make it", "sys"},
		"tcpto":       {"the lock/tcpto table", "sys"},
		"command":     {"the commands that users name for the small delivery programs", "exit sys"},
		"bounce":      {"the text of a bounce", "rfc822"},
		"dns":         {"MX, A, PTR lookups", "report ascii sys/inet"},
		"dns/tool":    {"what the programs share that ask the DNS one question", "dns exit"},
		"ident":       {"RFC 1413", "sys/inet ascii"},
		"peer":        {"who is at the other end of a connection", "ascii control dns ident sys/inet tcpenv"},
		"listener":    {"accept connections, with limits, and have each served", "priv sys sys/inet worker worker/pool"},
		"ipme":        {"is this address mine", "sys"},
		"hier":        {"the installed tree as data", "conf"},

		// Programs: the long ones, named without "qmail-".
		"send":      {"the daemon", "queue route sendproto sendctl submit bounce control qlog report sys conf ascii exit"},
		"spawn":     {"the engine that both spawners share", "sendproto worker worker/pool priv report sys conf exit"},
		"lspawn":    {"whom to become, what its exit meant", "spawn users priv passwd exit report conf"},
		"rspawn":    {"qmail-remote's report read", "spawn sendproto passwd tcpto exit report ascii"},
		"local":     {"one local delivery", "priv dotqmail mbox maildir submit rfc822 exit report conf sys"},
		"remote":    {"one remote delivery", "dns ipme tcpto crlf rfc822 control ascii report sys exit"},
		"inject":    {"header rewriting, envelope, injection", "rfc822 control submit exit report"},
		"smtpd":     {"the SMTP server", "control rcpthosts tcpenv submit rfc822 report sys ascii crlf ipme exit"},
		"qmtpd":     {"the QMTP and QMQP servers", "control rcpthosts tcpenv submit rfc822 report sys qmtp exit"},
		"pop3":      {"the POP3 sessions", "crlf maildir sys ascii exit"},
		"queuetool": {"what the tools share that ask qmail-send to do something", "ascii conf control exit queue route sendctl"},
		"queuefix":  {"a queue judged and repaired", "conf hier queue sys"},
		"history":   {"what happened to the mail of a log", "qlog ascii report"},

		// Tests.
		"testqmail": {"a whole system of their own, for tests", "*"},
		"cases":     {"the recorded cases, run", "*"},
		"scenario":  {"testdata/*.txtar, run", "*"},
		"policy":    {"these tests", "*"},
		"bench":     {"what it costs, beside other systems", "*"},
		"crashtest": {"the power cut", "*"},
		"faults":    {"disks that fill up, processes that die, clocks that jump", "*"},
		"cutdisk":   {"a disk that forgets what was not flushed", "*"},
		"doctest":   {"the documents, held to the code", "*"},
		"peers":     {"real peers, met", "*"},
		"services":  {"units, run scripts and the Debian package, tried", "*"},
		"demo":      {"INSTALL, played", "*"},
		"pictures":  {"docs/PIC.*.svg drawn from their pages", "*"},
		"testkill":  {"a program killed before a chosen system call", "*"},
	}
}

// list runs go list and returns its lines.
func list(t *testing.T, env []string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("go list: %s", e.Stderr)
		}
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// ours shortens the path of a package of this module, or returns "".
func ours(path string) string {
	if path == "qmail/conf" {
		return "conf"
	}
	if p, ok := strings.CutPrefix(path, "qmail/internal/"); ok {
		return p
	}
	return ""
}

func TestAPackageImportsOnlyWhatTheTableSays(t *testing.T) {
	table := layers()
	used := map[string]bool{}
	for _, l := range list(t, nil, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./conf", "./internal/...") {
		f := strings.Fields(l)
		name := ours(f[0])
		r, ok := table[name]
		if !ok {
			t.Errorf("%s is not in the table: give it a charter and a place", name)
			continue
		}
		used[name] = true
		if r.may == "*" {
			continue
		}
		may := strings.Fields(r.may)
		for _, p := range f[1:] {
			if o := ours(p); o != "" && !slices.Contains(may, o) {
				t.Errorf("%s (%s) imports %s (%s)", name, r.charter, o, table[o].charter)
			}
		}
	}
	for name := range table {
		if !used[name] {
			t.Errorf("the table has %s, which does not exist", name)
		}
	}
}

func TestTheTableHasNoCycle(t *testing.T) {
	table := layers()
	var walk func(name string, path []string)
	walk = func(name string, path []string) {
		if slices.Contains(path, name) {
			t.Fatalf("%s -> %s", strings.Join(path, " -> "), name)
		}
		if may := table[name].may; may != "*" {
			for _, next := range strings.Fields(may) {
				walk(next, append(path, name))
			}
		}
	}
	for name := range table {
		walk(name, nil)
	}
}
