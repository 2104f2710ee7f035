package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const accountFile = "/etc/passwd"

// servicesFiles are where the C library reads which sources of accounts there are: in the first that is there.
func servicesFiles() []string { return []string{"/etc/nsswitch.conf", "/usr/etc/nsswitch.conf"} }

// homeFolder is where systemd-homed keeps its accounts, serviceFolder where services that know accounts have their
// sockets.
const homeFolder, serviceFolder = "/var/lib/systemd/home", "/run/systemd/userdb"

// systemdFolders are those in which a name appears when systemd comes to know more accounts.
func systemdFolders() []string {
	return []string{homeFolder, serviceFolder, "/etc/userdb", "/run/userdb", "/run/host/userdb", "/usr/local/lib/userdb",
		"/usr/lib/userdb"}
}

// others reports whether there may be accounts with mail that /etc/passwd does not have. root is in front of all paths.
func others(root string) bool {
	b, err := os.ReadFile(root + accountFile)
	if err != nil {
		return true
	}
	for line := range bytes.Lines(b) {
		if line[0] == '+' || line[0] == '-' { // of compat
			return true
		}
	}
	for _, path := range servicesFiles() {
		b, err := os.ReadFile(root + path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return true
		}
		more, systemd := services(string(b))
		return more || systemd && systemdKnowsMore(root)
	}
	return false
}

// services reports whether nsswitch.conf names systemd as a source of accounts, and one that is neither that nor
// /etc/passwd.
func services(text string) (more, systemd bool) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		name, list, ok := strings.Cut(line, ":")
		if !ok || strings.Trim(name, " \t") != "passwd" {
			continue
		}
		for _, word := range strings.FieldsFunc(list, isBlank) {
			switch word {
			case "files", "compat":
			case "systemd":
				systemd = true
			default:
				more = true
			}
		}
	}
	return more, systemd
}

func isBlank(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// systemdKnowsMore reports whether systemd may know accounts besides root, nobody, and those of services and machines,
// none of which has a home of its own.
func systemdKnowsMore(root string) bool {
	for _, folder := range systemdFolders() {
		entries, err := os.ReadDir(root + folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true
		}
		for _, e := range entries {
			name := e.Name()
			switch folder {
			case homeFolder:
				if strings.HasSuffix(name, ".identity") {
					return true
				}
			case serviceFolder:
				if !slices.Contains([]string{"io.systemd.DropIn", "io.systemd.DynamicUser", "io.systemd.Home",
					"io.systemd.Machine", "io.systemd.Multiplexer", "io.systemd.NameServiceSwitch"}, name) {
					return true
				}
			default:
				if strings.HasSuffix(name, ".user") {
					return true
				}
			}
		}
	}
	return false
}
