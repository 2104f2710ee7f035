package history

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a file of a test's folder and returns its name.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		var b strings.Builder
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		text = b.String()
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLogsAreReadInTheOrderOfTheirTimes(t *testing.T) {
	dir := t.TempDir()
	half := strings.Index(story, "1732300400")
	write(t, dir, "qmail/send/@400000006740d00000000000.s", story[:half])
	write(t, dir, "qmail/send/current", story[half:])
	write(t, dir, "qmail/smtpd/current", "1732300300.000000 qmail-smtpd: 192.0.2.1 pid 7: 553 no\n")
	newer := write(t, dir, "mail.log", story[half:])
	older := write(t, dir, "mail.log.1.gz", story[:half])
	write(t, dir, "mail.login", "garbage\n")
	os.Chtimes(older, time.Unix(1, 0), time.Unix(1, 0))
	send := filepath.Join(dir, "qmail/send")
	in := Input{Now: time.Unix(1732400000, 0), Folder: dir}
	var want strings.Builder
	if err := (Query{Each: true, Files: []string{older, newer}}).Answer(in, &want); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(want.String(), "550_no") {
		t.Fatal(want.String())
	}
	journal := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(story)), nil }
	nothing := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
	for name, c := range map[string]struct {
		in    Input
		files []string
	}{
		"files in the wrong order": {Input{}, []string{newer, older}},
		"a folder":                 {Input{}, []string{send}},
		"standard input":           {Input{Stdin: strings.NewReader(story)}, nil},
		"the journal":              {Input{Stdin: strings.NewReader(""), Journal: journal, Folder: dir}, nil},
		"no journal, folders":      {Input{Journal: nothing, Folder: dir}, nil},
	} {
		c.in.Now = in.Now
		var got strings.Builder
		if err := (Query{Each: true, Files: c.files}).Answer(c.in, &got); err != nil || got.String() != want.String() {
			t.Errorf("%s: %v\n%s", name, err, got.String())
		}
	}
	os.RemoveAll(filepath.Join(dir, "qmail"))
	var got strings.Builder
	if err := (Query{Each: true}).Answer(in, &got); err != nil || got.String() != want.String() {
		t.Errorf("syslog's files: %v\n%s", err, got.String())
	}
}

func TestWhatCannotBeReadIsAnErrorAfterTheAnswer(t *testing.T) {
	dir := t.TempDir()
	bad := write(t, dir, "bad", "garbage\n"+story)
	short := write(t, dir, "short.gz", story)
	b, _ := os.ReadFile(short)
	os.WriteFile(short, b[:len(b)/2], 0o644)
	fails := func() (io.ReadCloser, error) { return nil, errors.New("no permission") }
	for want, q := range map[string]struct {
		Query
		Input
	}{
		bad + ": line 1 is not in a form that is known: garbage": {Query: Query{Files: []string{bad}}},
		short + ": unexpected EOF":                               {Query: Query{Files: []string{short}}},
		"no permission":                                          {Input: Input{Journal: fails}},
		"there is no log in the journal, nor in " + dir + "/qmail or " + dir + "/mail.log; name a file": {
			Input: Input{Folder: dir}},
		dir + ": no log is in this folder": {Query: Query{Files: []string{dir}}},
	} {
		var out strings.Builder
		err := q.Query.Answer(q.Input, &out)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		const two = "Messages                                2\n"
		if q.Files != nil && q.Files[0] == bad && !strings.Contains(out.String(), two) {
			t.Errorf("no answer beside the error:\n%s", out.String())
		}
	}
}
