package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

const unitFolder = "../../../boot/systemd"

// units returns the texts of the units, filled in.
func units(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(unitFolder + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no units: %v", err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = strings.ReplaceAll(string(b), "@QMAIL@", conf.Home())
	}
	return all
}

func TestSystemdFindsNothingWrongWithTheUnits(t *testing.T) {
	testqmail.Need(t, "systemd-analyze")
	if !testqmail.Inside(t) {
		return
	}
	// The programs that the units name must be there.
	if out, err := exec.Command("cp", conf.Home()+"/boot/run", conf.Home()+"/rc").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const dir = "/run/systemd/system"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	for name, text := range units(t) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if out, err := exec.Command("systemd-analyze", args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// Qmail-queue is set-uid. Where a service is not root's, each of these settings makes systemd set NoNewPrivileges, and
// qmail-queue could not enter the queue; see systemd.exec(5).
func TestNoUnitTakesTheSetUIDBitFromQmailQueue(t *testing.T) {
	implying := []string{
		"PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules",
		"ProtectKernelTunables",
		"RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality",
		"MemoryDenyWriteExecute", "SystemCall", "DynamicUser",
	}
	for name, text := range units(t) {
		if name == "qmail-newrcpt.service" { // which starts no other program
			continue
		}
		user := strings.Contains(text, "\nUser=")
		for _, l := range strings.Split(text, "\n") {
			if strings.HasPrefix(l, "NoNewPrivileges=") && l != "NoNewPrivileges=no" {
				t.Errorf("%s: %s", name, l)
			}
			for _, s := range implying {
				if user && strings.HasPrefix(l, s) {
					t.Errorf("%s: %s, and a user", name, l)
				}
			}
		}
	}
}

func TestFail2banReadsTheJournalOfEachServer(t *testing.T) {
	b, err := os.ReadFile("../../../boot/fail2ban/qmail-clients.conf")
	if err != nil {
		t.Fatal(err)
	}
	filter := strings.Fields(string(b))
	for name, text := range units(t) {
		server := strings.Contains(text, "qmail-smtpd") || strings.Contains(text, "qmail-submitd") ||
			strings.Contains(text, "qmail-popup") || strings.Contains(text, "qmail-authd")
		// The units of an instance for each connection have no names that a filter could list.
		if !server || !strings.HasSuffix(name, ".service") || strings.Contains(name, "@") || name == "qmail.service" {
			continue
		}
		if !slices.Contains(filter, "_SYSTEMD_UNIT="+name) {
			t.Errorf("%s is not looked at", name)
		}
	}
}
