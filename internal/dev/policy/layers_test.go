// Package policy holds the source to the rules that keep it readable: who may import whom, what each program is
// made of, and which doors there are to the dangerous parts. Each table is meant to be read, and changed on
// purpose.
package policy

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A floor is a folder of internal: its charter, and the lower floors that its packages import.
type floor struct{ name, charter, imports string }

// floors is the house, from the ground up. A package imports from its own folder and from those its row names, which
// are all lower. docs/HACKING.md has the same table.
func floors() []floor {
	return []floor{
		{"conf", "the choices made when the suite is built", ""},
		{"text", "bytes in, bytes out: formats, addresses, reports, exit codes", ""},
		{"sys", "the only code that meets the kernel in unusual ways: processes, uids, accounts", "conf text"},
		{"site", "what an administrator writes: control files, users, the installed tree", "conf text sys"},
		{"queue", "how a message lives on disk, and how a queue is repaired", "conf text sys site"},
		{"worker", "jobs for a program that does more than one", "conf text sys"},
		{"submit", "mail into the queue: qmail-queue's interface, its client, headers rewritten",
			"conf text sys site worker"},
		{"net", "connections: listening, who the client is, the DNS, our own addresses", "text sys site worker"},
		{"tls", "keys that another program has, and what is proved by them", "conf text sys site"},
		{"mailauth", "what proves who sent a message: SPF, DKIM, DMARC", "text site submit net"},
		{"auth", "who may log in", "text sys"},
		{"local", "one local delivery: mailboxes and programs", "conf text sys submit"},
		{"smtp", "the SMTP server, the SMTP client, hosts that are down", "text sys site worker submit net tls auth"},
		{"qmtp", "the QMTP and QMQP servers and their frames", "text sys site submit tls"},
		{"pop3", "the POP3 sessions", "text sys local"},
		{"send", "the daemon, its pipes, and the tools that ask it", "conf text sys site queue submit"},
		{"spawn", "the spawners: deliveries started, their results told", "text sys site worker send tls"},
		{"history", "what happened to the mail of a log", "text"},
		{"doctor", "what is wrong with an installed qmail", "conf text sys site net tls"},
		{"dev", "rigs that only tests use", "*"},
	}
}

// floorOf returns the folder of a package of this module, or "" for another's: "qmail/internal/text/cdb" is in "text".
func floorOf(path string) string {
	if path == "qmail/conf" {
		return "conf"
	}
	below, _ := strings.CutPrefix(path, "qmail/internal/")
	if below == path {
		return ""
	}
	name, _, _ := strings.Cut(below, "/")
	return name
}

// list runs go list and returns its lines.
func list(t *testing.T, env []string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../../.."
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

func TestAPackageImportsOnlyFromItsFloorAndThoseItsRowNames(t *testing.T) {
	may := map[string][]string{}
	used := map[string]bool{} // "smtp net": a permission that some package needs
	for _, f := range floors() {
		may[f.name] = strings.Fields(f.imports)
	}
	for _, l := range list(t, nil, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./conf", "./internal/...") {
		f := strings.Fields(l)
		from := floorOf(f[0])
		allowed, ok := may[from]
		if !ok {
			t.Errorf("%s is on no floor: give its folder a row with a charter", f[0])
		}
		used[from] = true
		for _, p := range f[1:] {
			to := floorOf(p)
			if to == "" || to == from || from == "dev" {
				continue
			}
			used[from+" "+to] = true
			if !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, and the row of %s does not name %s", f[0], p, from, to)
			}
		}
	}
	for _, f := range floors() {
		if !used[f.name] {
			t.Errorf("the table has %s, which does not exist", f.name)
		}
		for _, to := range may[f.name] {
			if to != "*" && !used[f.name+" "+to] {
				t.Errorf("%s may import %s, and nothing there does", f.name, to)
			}
		}
	}
}

func TestNoFloorRestsOnAHigherOne(t *testing.T) {
	var below []string
	for _, f := range floors() {
		for _, to := range strings.Fields(f.imports) {
			if to != "*" && !slices.Contains(below, to) {
				t.Errorf("%s rests on %s, which is not below it", f.name, to)
			}
		}
		below = append(below, f.name)
	}
}

func TestOnlyTestsImportTheRigsOfTests(t *testing.T) {
	for _, l := range list(t, nil, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		f := strings.Fields(l)
		for _, p := range f[1:] {
			if floorOf(p) == "dev" && floorOf(f[0]) != "dev" {
				t.Errorf("%s imports %s", f[0], p)
			}
		}
	}
}

// floorTable is the table as docs/HACKING.md shows it.
func floorTable() string {
	var b strings.Builder
	b.WriteString("| folder | what lives there | imports from |\n| --- | --- | --- |\n")
	for _, f := range floors() {
		imports := strings.ReplaceAll(f.imports, "*", "anything")
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.name, f.charter, imports)
	}
	return b.String()
}

func TestHackingShowsTheHouse(t *testing.T) {
	t.Log("\n" + floorTable())
	if !strings.Contains(document(t, "docs/HACKING.md"), floorTable()) {
		t.Error("docs/HACKING.md does not have this table (go test ./internal/dev/policy -run House -v prints it)")
	}
}
