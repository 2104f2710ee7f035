//go:build linux

package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

func TestTheTarballBuildsWithoutANetworkAndIsTheSameTwice(t *testing.T) {
	testqmail.Need(t, "git", "tar", "gzip")
	source, err := testqmail.Source()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(source, ".git")); err != nil {
		testqmail.Skip(t, "the source is not in git")
	}
	var made [2]string
	for i := range made {
		out, err := exec.Command("/bin/sh", source+"/scripts/dist.sh").Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b, err := os.ReadFile(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		made[i] = string(b)
	}
	if made[0] != made[1] {
		t.Error("the same commit gives two tarballs")
	}
	dir := t.TempDir()
	tar := exec.Command("tar", "-xz", "--strip-components=1", "-C", dir)
	tar.Stdin = strings.NewReader(made[0])
	if out, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", dir+"/out/", "./cmd/install", "./cmd/dnsip")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=vendor", "GOPROXY=off", "GOMODCACHE="+dir+"/none", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
