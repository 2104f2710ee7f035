package policy

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qmail/internal/hier"
)

var update = flag.Bool("update", false, "rewrite testdata/deps")

// heavy are packages that cost each start of a program dearly, and the programs that may have them.
func heavy() map[string]string {
	network := "qmail-smtpd qmail-remote qmail-qmqpc tcp-env dnsfq dnsip dnsptr dnscname dnsmxip"
	return map[string]string{
		"net":           network,
		"crypto/tls":    "",
		"encoding/json": "qmail-log qmail-qread",
		"html/template": "qmail-log",
		"log":           "",
		"log/slog":      "",
		"log/syslog":    "", // imports net
		"os/user":       "", // sysuser knows better
		"os/exec":       "",
		"regexp":        "qmail-log",
		"text/template": "qmail-log",
	}
}

// dependencies lists what a program links, the standard library's internals aside, which differ between releases.
func dependencies(t *testing.T, program string, cgo string) []string {
	env := []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=" + cgo}
	all := list(t, env, "-deps", "./cmd/"+program)
	all = slices.DeleteFunc(all, func(p string) bool {
		return p == "qmail/cmd/"+program || !strings.HasPrefix(p, "qmail/") &&
			(strings.HasPrefix(p, "internal/") || strings.Contains(p, "/internal/") || strings.HasPrefix(p, "vendor/"))
	})
	slices.Sort(all)
	return all
}

func programs(t *testing.T) []string {
	dirs, err := filepath.Glob("../../cmd/*/main.go")
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
	files, _ := filepath.Glob("../../testdata/deps/*.txt")
	for _, f := range files {
		if !lists[filepath.Base(f)] {
			t.Errorf("%s is the list of no program", f)
		}
	}
}

func compare(t *testing.T, file string, got []string) {
	t.Helper()
	path := filepath.Join("../../testdata/deps", file)
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./internal/policy -update writes it)", err)
	}
	want := strings.Fields(string(text))
	for _, p := range got {
		if !slices.Contains(want, p) {
			t.Errorf("%s: now links %s", file, p)
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			t.Errorf("%s: no longer links %s", file, p)
		}
	}
}

func TestAHeavyPackageIsOnlyWhereItIsAllowed(t *testing.T) {
	for _, p := range programs(t) {
		text, err := os.ReadFile("../../testdata/deps/" + p + ".txt")
		if err != nil {
			t.Error(err)
			continue
		}
		links := strings.Fields(string(text))
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
			t.Errorf("cmd/%s is not in internal/hier", p)
		}
	}
	for _, p := range known {
		if !slices.Contains(have, p) {
			t.Errorf("internal/hier has %s, which cmd lacks", p)
		}
	}
	for _, s := range hier.Scripts() {
		if _, err := os.Stat("../../scripts/" + s + ".sh"); err != nil {
			t.Error(err)
		}
	}
}
