package main

import (
	"bufio"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/sys/passwd"
)

func TestTheHeadingEndsInTheVersion(t *testing.T) {
	var b strings.Builder
	out := bufio.NewWriter(&b)
	heading(out, "/var/qmail", passwd.IDs{NoFiles: 2108})
	out.Flush()
	if want := ", 2108. This is qmail in Go " + conf.Version() + ".\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("%q, want %q at the end", b.String(), want)
	}
	if strings.Count(b.String(), "\n") != 2 {
		t.Errorf("%q is not the two lines of 1.02", b.String())
	}
}
