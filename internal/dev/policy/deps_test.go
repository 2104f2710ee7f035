package policy

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qmail/internal/site/hier"
)

var update = flag.Bool("update", false, "rewrite testdata/deps")

// heavy are packages that cost each start of a program dearly, and the programs that may have them.
func heavy() map[string]string {
	network := "qmail-smtpd qmail-smtpsd qmail-submitd qmail-remote qmail-tlsremote qmail-mtasts qmail-qmqpc " +
		"qmail-tlsfront tcp-env dnsfq dnsip dnsptr dnscname dnsmxip"
	// crypto/x509 imports net
	certificates := " qmail-doctor qmail-key qmail-showctl instcheck config-tls qmail-dkimkey qmail-dksign qmail-verify"
	return map[string]string{
		"net":           network + certificates + " qmail-report",
		"crypto/tls":    "config-tls qmail-dksign qmail-mtasts qmail-smtpsd qmail-submitd qmail-tlsfront qmail-tlsremote",
		"encoding/json": "qmail-doctor qmail-log qmail-milter qmail-qread qmail-report",
		"html/template": "qmail-log",
		"log":           "qmail-mtasts qmail-report", // by net/http, net/mail
		"net/http":      "qmail-mtasts",
		"log/slog":      "",
		"log/syslog":    "", // imports net
		"os/user":       "", // sysuser knows better
		"os/exec":       "",
		"regexp":        "qmail-log",
		"text/template": "qmail-log",
	}
}

// dependencies lists what a program links and who imports it, a line each: "golang.org/x/sys/unix <- internal/sys". The
// standard library's internals are left out, which differ between releases, and of its importers only ours are named.
func dependencies(t *testing.T, program string, cgo string) []string {
	env := []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=" + cgo}
	self := "qmail/cmd/" + program
	importers := map[string][]string{}
	var linked []string
	for _, l := range list(t, env, "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./cmd/"+program) {
		f := strings.Fields(l)
		inside := strings.HasPrefix(f[0], "internal/") || strings.HasPrefix(f[0], "vendor/") ||
			strings.Contains(f[0], "/internal/") && !strings.HasPrefix(f[0], "qmail/")
		if !inside && f[0] != self {
			linked = append(linked, f[0])
		}
		for _, p := range f[1:] {
			if strings.HasPrefix(f[0], "qmail/") || strings.Contains(f[0], ".") {
				importers[p] = append(importers[p], strings.TrimPrefix(f[0], "qmail/"))
			}
		}
	}
	slices.Sort(linked)
	for i, p := range linked {
		from := importers[p]
		slices.Sort(from)
		linked[i] = strings.TrimSpace(p + " <- " + strings.Join(from, " "))
	}
	return linked
}

func programs(t *testing.T) []string {
	dirs, err := filepath.Glob("../../../cmd/*/main.go")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no programs", err)
	}
	var names []string
	for _, d := range dirs {
		names = append(names, filepath.Base(filepath.Dir(d)))
	}
	return names
}

func TestEachProgramIsMadeOfWhatItsListSays(t *testing.T) {
	lists := map[string]bool{}
	for _, p := range programs(t) {
		t.Run(p, func(t *testing.T) {
			compare(t, p+".txt", dependencies(t, p, "0"))
			if p == "qmail-getpw" {
				compare(t, p+"-cgo.txt", dependencies(t, p, "1"))
			}
		})
		lists[p+".txt"] = true
	}
	lists["qmail-getpw-cgo.txt"] = true
	files, _ := filepath.Glob("../../../testdata/deps/*.txt")
	for _, f := range files {
		if !lists[filepath.Base(f)] {
			t.Errorf("%s is the list of no program", f)
		}
	}
}

func compare(t *testing.T, file string, got []string) {
	t.Helper()
	path := filepath.Join("../../../testdata/deps", file)
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./internal/dev/policy -update writes it)", err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, p := range got {
		if !slices.Contains(want, p) {
			t.Errorf("%s lacks: %s", file, p)
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			t.Errorf("%s has, and the program has not: %s", file, p)
		}
	}
}

func TestAHeavyPackageIsOnlyWhereItIsAllowed(t *testing.T) {
	for _, p := range programs(t) {
		text, err := os.ReadFile("../../../testdata/deps/" + p + ".txt")
		if err != nil {
			t.Error(err)
			continue
		}
		var links []string
		for l := range strings.Lines(string(text)) {
			links = append(links, strings.Fields(l)[0])
		}
		for h, who := range heavy() {
			if slices.Contains(links, h) && !slices.Contains(strings.Fields(who), p) {
				t.Errorf("%s links %s", p, h)
			}
		}
	}
}

func TestEveryProgramIsInstalledOrATool(t *testing.T) {
	known := append(hier.Binaries(), hier.Tools()...)
	have := programs(t)
	for _, p := range have {
		if !slices.Contains(known, p) {
			t.Errorf("cmd/%s is not in internal/site/hier", p)
		}
	}
	for _, p := range known {
		if !slices.Contains(have, p) {
			t.Errorf("internal/site/hier has %s, which cmd lacks", p)
		}
	}
	for _, s := range hier.Scripts() {
		if _, err := os.Stat("../../../scripts/" + s + ".sh"); err != nil {
			t.Error(err)
		}
	}
}
