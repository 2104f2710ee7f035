package rspawn

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"qmail/internal/sendproto"
	"qmail/internal/spawn"
)

func TestEachRecipientOfARunGetsItsOwnReply(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "7", "7"), []byte("message"), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `#!/bin/sh
host=$1 sender=$2
shift 2
for r; do
	case $r in
	good*) printf 'r\0' ;;
	*) printf 'h%s refused by %s\n\0' "$r" "$host" ;;
	esac
done
printf 'K%s gave %s to %s of %s\n\0' "$sender" "$(cat)" "$#" "$(pwd)"
`
	if err := os.WriteFile(filepath.Join(dir, "qmail-remote"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	r := New(spawn.Runner{Bin: dir, Env: []string{"PATH=/usr/bin:/bin"}}, 50)
	got := make(map[int]string)
	for _, batch := range [][]string{{"good1@far.test"}, {"good1@far.test", "bad@far.test", "good2@far.test"}} {
		var in, out bytes.Buffer
		for n, rcpt := range batch {
			in.Write(sendproto.Order{Delnum: n, Mess: "7/7", Sender: "joe", Recipient: rcpt}.Append(nil, 1))
		}
		run := spawn.Spawner{Limit: 120, Owner: os.Getuid(), Start: func(list []*spawn.Delivery) {
			if len(list) == 1 {
				r.Start(list)
			} else {
				go r.run(list)
			}
		}}
		if err := run.Run(&in, &out); err != nil {
			t.Fatal(err)
		}
		b := bufio.NewReader(bytes.NewReader(out.Bytes()[1:]))
		for range batch {
			p, err := sendproto.ReadReply(b, 1)
			if err != nil {
				t.Fatal(err)
			}
			got[10*len(batch)+p.Delnum] = string(rune(p.Kind)) + string(p.Text)
		}
	}
	for n, want := range map[int]string{
		10: "Kjoe gave message to 1 of " + dir + "\n",
		30: "Kjoe gave message to 3 of " + dir + "\n",
		31: "Dbad@far.test refused by far.test\n",
		32: "Kjoe gave message to 3 of " + dir + "\n",
	} {
		if got[n] != want {
			t.Errorf("%d: %q, want %q", n, got[n], want)
		}
	}
}
