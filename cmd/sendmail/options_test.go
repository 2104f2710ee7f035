package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestOptionsOfTheOtherSendmailAreTakenAsItTookThem(t *testing.T) {
	for _, c := range []struct{ args, classic string }{
		{"a b", "-a -- a b"},
		{"-t", "-H --"},
		{"-t a", "-H -- a"},
		{"-oi -oem -em -i -m -v -x -Jx -bm -B8BITMIME a", "-a -- a"},
		{"-fx@y -FJoe a", "-a -f x@y -- a"},
		{"-f x@y a", "-a -f x@y -- a"},
		{"-p a", "-a --"},
		{"-J a", "-a -- a"},
		{"-f <> a", "-a -f  -- a"},
		{"-f <a@b> c", "-a -f a@b -- c"},
		{"-f<\"a\"(x)@b> c", "-a -f a@b -- c"},
		{"-f a@b>", "-a -f a@b> --"},
		{"-f \"<a>\"@b", "-a -f \"<a>\"@b --"},
		{"-f <a>,<b>", "-a -f <a>,<b> --"},
		{"-itfx a", "-H -f x -- a"},
		{"-- -t", "-a -- -t"},
		{"-NSUCCESS,FAILURE -R hdrs -V id7 a", "-a -- a"},
		{"-N never -Rfull -Vx -h 5 -L tag -O DeliveryMode=b -n -G -U a b", "-a -- a b"},
		{"-r x@y a", "-a -f x@y -- a"},
		{"-q30m a", "-a -- a"},
	} {
		o, mistake := parse(strings.Fields(c.args))
		if got := strings.Join(o.classic(), " "); mistake != "" || got != c.classic {
			t.Errorf("%q: got %q, want %q; %q", c.args, got, c.classic, mistake)
		}
	}
	for args, first := range map[string]string{
		"-Ax": "sendmail: illegal option -- A\n", "-Cx": "sendmail: illegal option -- C\n", "-bi": "", "-bd": "",
		"-b": "sendmail: option requires an argument -- b\n",
	} {
		if _, mistake := parse(strings.Fields(args)); mistake != first+usage {
			t.Errorf("%q: %q", args, mistake)
		}
	}
}

func TestARunOfTheQueueTakesNoMessageAndLosesNone(t *testing.T) {
	for args, nothing := range map[string]bool{"-q": true, "-q15m": true, "-oi -q": true, "-q a": false, "-q -t": false,
		"": false, "a": false} {
		if o, mistake := parse(strings.Fields(args)); mistake != "" || o.nothing() != nothing {
			t.Errorf("%q: %v, %q", args, o.nothing(), mistake)
		}
	}
	if _, mistake := parse([]string{"-bv", "a"}); mistake != noVerify {
		t.Error(mistake)
	}
}

func TestTheSenderIsInTheFromFieldThatHasToBeMade(t *testing.T) {
	before := []string{"USER=joe", "QMAILHOST=h", "MAILHOST=h", "NAME=n", "QMAILNAME=n", "MAILNAME=n", "X=y"}
	for _, c := range []struct {
		args []string
		env  string
	}{
		{nil, strings.Join(before, " ")},
		{[]string{"-f", ""}, strings.Join(before, " ")},
		{[]string{"-f", "<>"}, strings.Join(before, " ")},
		{[]string{"-f", "A B <a@b@c>"}, "USER=joe X=y QMAILUSER=a@b QMAILHOST=c"},
		{[]string{"-fa"}, "USER=joe X=y QMAILUSER=a QMAILHOST="},
		{[]string{"-FN M", "-fa@b"}, "USER=joe X=y QMAILUSER=a QMAILHOST=b MAILNAME=N M"},
	} {
		o, mistake := parse(c.args)
		if got := strings.Join(o.environ(before), " "); mistake != "" || got != c.env {
			t.Errorf("%q: %s, want %s", c.args, got, c.env)
		}
	}
}

func TestTheServerIsToldOfALocalConnectionUnlessItHasOne(t *testing.T) {
	if e := serverEnv([]string{"PROTO=TCP"}); !reflect.DeepEqual(e, []string{"PROTO=TCP"}) {
		t.Error(e)
	}
	e := serverEnv([]string{"A=b", "DATABYTES=5"})
	if !strings.Contains(strings.Join(e, " "), "RELAYCLIENT= DATABYTES=0") || e[0] != "A=b" {
		t.Error(e)
	}
}

func TestOnlyAnOrdinaryGoProgramIsTakenForOurQmailInject(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil || !ours(self) {
		t.Errorf("this test program (%v) is not known", err)
	}
	script, link := filepath.Join(dir, "script"), filepath.Join(dir, "link")
	os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755)
	os.Symlink(self, link)
	for _, path := range []string{script, link, dir, filepath.Join(dir, "absent")} {
		if ours(path) {
			t.Errorf("%s is taken for ours", path)
		}
	}
	if c, err := exec.LookPath("true"); err == nil && ours(c) {
		t.Error("a C program is taken for ours")
	}
}
