package rspawn

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"qmail/internal/send/sendproto"
	"qmail/internal/spawn"
)

// site enters a queue/mess with one message, and returns a Deliverer whose qmail-remote is the script.
func site(t *testing.T, script string) *Deliverer {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "7", "7"), []byte("message"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "qmail-remote"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return New(spawn.Runner{Bin: dir, Env: []string{"PATH=/usr/bin:/bin"}}, "")
}

// deliver has a spawner serve one group, and returns kinds and texts by number.
func deliver(t *testing.T, r *Deliverer, combine int, recipients ...string) []string {
	t.Helper()
	g := sendproto.Group{Mess: "7/7", Sender: "joe@a.test"}
	for n, rcpt := range recipients {
		g.Members = append(g.Members, sendproto.Member{Delnum: n, Recipient: rcpt})
	}
	var out bytes.Buffer
	s := spawn.Spawner{Limit: 1, Owner: os.Getuid(), Start: r.Start, Combine: combine}
	if err := s.Run(bytes.NewReader(g.Append(nil, 1)), &out); err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(recipients))
	b := bufio.NewReader(bytes.NewReader(out.Bytes()[1:]))
	for range recipients {
		p, err := sendproto.ReadReply(b, 1)
		if err != nil {
			t.Fatal(err)
		}
		got[p.Delnum] += string(rune(p.Kind)) + string(p.Text)
	}
	return got
}

func TestAGroupWhoseRunCrashesIsDeferredAsAWhole(t *testing.T) {
	r := site(t, `printf 'r\0r\0Kaccepted\n\0'; kill -9 $$`)
	for n, got := range deliver(t, r, 50, "a@far.test", "b@far.test", "c@far.test") {
		if got != "Zqmail-remote crashed.\n" {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestAGroupIsOneRunAndOfOneHost(t *testing.T) {
	r := site(t, `shift 2
for r; do printf 'r\0'; done
printf 'K%s\n\0' "$*"`)
	for n, got := range deliver(t, r, 5, "a@far.test", "b@FAR.test") {
		if got != "Ka@far.test b@FAR.test\n" {
			t.Errorf("%d: %q", n, got)
		}
	}
	for n, got := range deliver(t, r, 5, "a@far.test", "b@near.test") {
		if got != "ZInternal error: group of several hosts. (#4.3.5)\n" {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestEachRecipientOfARunGetsItsOwnReply(t *testing.T) {
	const script = `host=$1 sender=$2
shift 2
for r; do
	case $r in
	good*) printf 'r\0' ;;
	*) printf 'h%s refused by %s\n\0' "$r" "$host" ;;
	esac
done
printf 'K%s gave %s to %s of %s\n\0' "$sender" "$(cat)" "$#" "$(pwd)"
`
	r := site(t, script)
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[int]string)
	for _, batch := range [][]string{{"good1@far.test"}, {"good1@far.test", "bad@far.test", "good2@far.test"}} {
		for n, text := range deliver(t, r, 5, batch...) {
			got[10*len(batch)+n] = text
		}
	}
	for n, want := range map[int]string{
		10: "Kjoe@a.test gave message to 1 of " + dir + "\n",
		30: "Kjoe@a.test gave message to 3 of " + dir + "\n",
		31: "Dbad@far.test refused by far.test\n",
		32: "Kjoe@a.test gave message to 3 of " + dir + "\n",
	} {
		if got[n] != want {
			t.Errorf("%d: %q, want %q", n, got[n], want)
		}
	}
}
