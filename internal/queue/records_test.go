package queue

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"qmail/conf"
)

// onDisk returns a queue with one file.
func onDisk(name string, data []byte) *Queue {
	m := newModel(law{unnamed: true})
	m.names[name] = &object{ino: 7, versions: [][]byte{data}}
	return Open("", m)
}

func TestOnlyPlainNumbersAreMessages(t *testing.T) {
	for name, want := range map[string]ID{"1": 1, "23": 23, "18446744073709551615": 1<<64 - 1} {
		if id, ok := ParseID(name); !ok || id != want || id.String() != name {
			t.Errorf("%s: %d, %v", name, id, ok)
		}
	}
	for _, name := range []string{"", "0", "01", "-1", "+1", "1 ", "x", "1x", "18446744073709551616",
		"184467440737095516150", ".", "１"} {
		if id, ok := ParseID(name); ok {
			t.Errorf("%q is taken for %d", name, id)
		}
	}
}

func TestNamesAreWhereEveryQmailLooks(t *testing.T) {
	const id ID = 25
	for got, want := range map[string]string{
		Mess(id): "mess/2/25", Info(id): "info/2/25", Local.File(id): "local/2/25", Remote.File(id): "remote/2/25",
		Intd(id): "intd/25", Todo(id): "todo/25", Bounce(id): "bounce/25", MessName(id): "2/25",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestDamagedFilesAreToldFromGoodOnes(t *testing.T) {
	long := strings.Repeat("x", MaxRecord)
	for _, c := range []struct {
		data string
		good bool
	}{
		{"u1000\x00p77\x00Fa@b\x00Tc@d\x00Te@f\x00", true},
		{"u1000\x00p77\x00F\x00T\x00", true},
		{"u1000\x00p77\x00Fa@b\x00", true},
		{"", false},
		{"u1000\x00", false},
		{"u1000\x00p77\x00Fa@b", false},
		{"u1000\x00p77\x00Fa@b\x00Tc@d", false},
		{"u1000\x00p77\x00Fa@b\x00Tc@d\x00p77;N=0;NOTIFY=NEVER\x00", true},
		{"u1000;x=y\x00p77;RET=HDRS;ENVID=a\x00p77;b\x00Fa@b\x00Tc@d\x00", true},
		{"u1000\x00p;RET=HDRS\x00Fa@b\x00", false},
		{"u1000\x00p77x\x00Fa@b\x00", false},
		{"ux\x00p77\x00Fa@b\x00", false},
		{"u1000\x00p77\x00Fa@b\x00\x00", false},
		{"u1000\x00p77\x00Fa@b\x00Xc@d\x00", false},
		{"u1000\x00p77\x00F" + long + "\x00", false},
		{"u99999999999999999999999\x00p77\x00Fa\x00", false},
		{strings.Repeat("\x00", 4096), false},
	} {
		q := onDisk(Todo(7), []byte(c.data))
		r, err := q.OpenTodo(7)
		for err == nil {
			_, err = r.Next()
		}
		if (err == io.EOF) != c.good {
			t.Errorf("%.40q: %v", c.data, err)
		}
	}
}

func TestWhatIsAskedForGoesFromTodoToInfoByAddress(t *testing.T) {
	const todo = "u1\x00p77\x00Fs@t\x00Ta@b\x00Tc@d\x00Te@f\x00Tg@h\x00"
	for asked, want := range map[string]string{
		"": "",
		"p77;RET=HDRS;ENVID=e\x00p77;N=1;NOTIFY=NEVER\x00p77;N=3;NOTIFY=DELAY;ORCPT=utf-8+3Bo\x00": "" +
			"p;RET=HDRS;ENVID=e\x00p;TO=x-c@d;NOTIFY=NEVER\x00p;TO=x-g@h;NOTIFY=DELAY;ORCPT=utf-8+3Bo\x00",
		"p77;N=0;NOTIFY=NEVER\x00p77;N=2;NOTIFY=NEVER\x00": "p;TO=x-a@b;NOTIFY=NEVER\x00", // the third is done
		"p77;NONSENSE\x00p77;TO=a@b;NOTIFY=NEVER\x00p\x00": "",
		"p77;N=4;NOTIFY=NEVER\x00":                         "damaged",
		"p77;N=1;NOTIFY=NEVER\x00p77;N=0;NOTIFY=NEVER\x00": "damaged",
		"p77;N=1;NOTIFY=NEVER\x00Ti@j\x00":                 "damaged",
	} {
		q := onDisk(Todo(7), []byte(todo+asked))
		m, err := q.Prepare(Plan{
			ID:    7,
			Route: func(addr string) (string, Channel) { return "x-" + addr, Remote },
			Done:  func(n int) bool { return n == 2 },
		})
		if want == "damaged" {
			if err != ErrDamaged {
				t.Errorf("%q: %v", asked, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", asked, err)
			continue
		}
		if err := q.Settle([]*Prepared{m})[0]; err != nil {
			t.Fatal(err)
		}
		f, err := q.fs.Open(Info(7))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(f); string(b) != "Fs@t\x00"+want {
			t.Errorf("%q: %q", asked, b)
		}
		info, err := q.ReadInfo(7)
		if err != nil || info.Sender != "s@t" || (info.Asked != nil) != (want != "") {
			t.Errorf("%q: %+v, %v", asked, info, err)
		}
		const both = ";RET=HDRS;ENVID=e;NOTIFY=DELAY;ORCPT=utf-8+3Bo"
		if strings.Contains(want, "x-g@h") && info.Asked.Delivery("x-g@h") != both {
			t.Errorf("%q: %+v", asked, info.Asked)
		}
	}
}

func TestInfoIsReadWhateverStandsBehindTheSender(t *testing.T) {
	for _, more := range []string{"", "x", "p;N", "\x00", "p;TO=a@b;NOTIFY=NEVER",
		"T\x00p;TO=a@b;NOTIFY=NEVER\x00p", strings.Repeat("z", MaxRecord+9)} {
		m, err := onDisk(Info(7), []byte("Fa@b\x00"+more)).ReadInfo(7)
		if err != nil || m.Sender != "a@b" {
			t.Errorf("%.40q: %+v, %v", more, m, err)
		}
	}
}

func TestAMarkChangesOneLetter(t *testing.T) {
	q := onDisk(Remote.File(7), []byte("Ta@b\x00Tc@d\x00Te@f\x00"))
	r, err := q.Recipients(Remote, 7, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.Next()
	one, err := r.Next()
	if err != nil || string(one.Addr) != "c@d" || one.Done {
		t.Fatal(one, err)
	}
	if err := q.Mark(Remote, 7, one.Pos); err != nil {
		t.Fatal(err)
	}
	f, _ := q.fs.Open(Remote.File(7))
	if b, _ := io.ReadAll(f); string(b) != "Ta@b\x00Dc@d\x00Te@f\x00" {
		t.Errorf("%q", b)
	}
	again, err := q.Recipients(Remote, 7, one.Pos)
	if err != nil {
		t.Fatal(err)
	}
	if one, err := again.Next(); err != nil || !one.Done || string(one.Addr) != "c@d" {
		t.Error(one, err)
	}
}

func FuzzTodo(f *testing.F) {
	f.Add([]byte("u1000\x00p77\x00Fa@b\x00Tc@d\x00Te@f\x00"))
	f.Add([]byte("u\x00"))
	f.Add([]byte("Fa\x00T\x00"))
	f.Add([]byte("u1\x00p7\x00Fa@b\x00Tc@d\x00p7;RET=HDRS\x00p7;N=0;NOTIFY=NEVER\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		q := onDisk(Todo(7), data)
		r, err := q.OpenTodo(7)
		if err != nil {
			return
		}
		again := record('F', []byte(r.Sender))
		for {
			rcpt, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			again = append(again, record('T', rcpt)...)
		}
		if !bytes.HasSuffix(data, again) && !(r.Asks() && bytes.Contains(data, append(again, 'p'))) {
			t.Errorf("%q was read as %q", data, again)
		}
		for err = nil; err == nil; {
			_, err = r.Parameter()
		}
	})
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte("Fa@b\x00"))
	f.Add([]byte("Fa@b\x00p;RET=HDRS\x00p;TO=a@b;NOTIFY=NEVER\x00"))
	f.Add([]byte("F"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onDisk(Info(7), data).ReadInfo(7)
		if err == nil && !bytes.HasPrefix(data, record('F', []byte(m.Sender))) {
			t.Errorf("%q was read as %q", data, m.Sender)
		}
	})
}

func FuzzRecipients(f *testing.F) {
	f.Add([]byte("Ta@b\x00Dc@d\x00"))
	f.Add([]byte("T\x00D"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := onDisk(Local.File(7), data).Recipients(Local, 7, 0)
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		for {
			one, err := r.Next()
			if err == io.EOF {
				if !bytes.Equal(again, data) {
					t.Errorf("%q was read as %q", data, again)
				}
				return
			}
			if err != nil {
				return
			}
			if one.Pos != int64(len(again)) {
				t.Fatalf("position %d, want %d", one.Pos, len(again))
			}
			letter := byte('T')
			if one.Done {
				letter = 'D'
			}
			again = append(again, record(letter, one.Addr)...)
		}
	})
}

func TestAQueueOfAnotherSplitIsRefused(t *testing.T) {
	dir := t.TempDir()
	mk := func(n uint64) {
		if err := os.MkdirAll(filepath.Join(dir, "mess", strconv.FormatUint(n, 10)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	q := Open(dir, nil)
	if err := q.CheckSplit(); err != ErrSplit {
		t.Errorf("folders missing: %v", err)
	}
	for n := range conf.Split() {
		mk(n)
	}
	if err := q.CheckSplit(); err != nil {
		t.Error(err)
	}
	mk(conf.Split())
	if err := q.CheckSplit(); err != ErrSplit {
		t.Errorf("a folder too many: %v", err)
	}
}
