package dotqmail

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestEachLineIsTheInstructionThatItsFirstByteSays(t *testing.T) {
	for _, c := range []struct {
		text string
		want []Instruction
	}{
		{"", nil},
		{"# a comment\n", nil},
		{"./Mailbox\n", []Instruction{{Mbox, "./Mailbox"}}},
		{"./Maildir/", []Instruction{{Maildir, "./Maildir/"}}},
		{"/var/spool/x \t\n", []Instruction{{Mbox, "/var/spool/x"}}},
		{"|cat > out \n", []Instruction{{Program, "cat > out"}}},
		{"|\n", []Instruction{{Program, ""}}},
		{"&a@b\na@b\n& a@b\n&\n", []Instruction{{Forward, "a@b"}, {Forward, "a@b"}, {Forward, " a@b"}, {Forward, ""}}},
		{"#x\n\n  \n./m\n", []Instruction{{Mbox, "./m"}}},
		{"+list\n+lists\n a\n", []Instruction{{List, ""}, {Forward, " a"}}},
		{"./m\x00/\n", []Instruction{{Mbox, "./m"}}},
		{"a\r\n", []Instruction{{Forward, "a\r"}}},
	} {
		if c.text == "" {
			continue
		}
		got, err := Parse([]byte(c.text))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v %v, want %v", c.text, got, err, c.want)
		}
	}
}

func TestABlankFirstLineIsAnError(t *testing.T) {
	for _, text := range []string{"", "\n", " \t\n./m\n", "\x00|x\n"} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrBlank) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNamesAreTriedFromTheWholeExtensionToDefault(t *testing.T) {
	type name struct {
		file string
		at   int
	}
	for _, c := range []struct {
		dash, ext string
		want      []name
	}{
		{"", "", []name{{".qmail", -1}, {".qmaildefault", 0}}},
		{"-", "", []name{{".qmail-", -1}, {".qmail-default", 0}}},
		{"-", "Foo.Bar", []name{{".qmail-foo:bar", -1}, {".qmail-default", 0}}},
		{"-", "a-b-", []name{{".qmail-a-b-", -1}, {".qmail-a-b-default", 4}, {".qmail-a-default", 2}, {".qmail-default", 0}}},
		{"-", "a-Default", []name{{".qmail-a-default", 2}, {".qmail-a-default", 2}, {".qmail-default", 0}}},
		{"-", "../x", []name{{".qmail-::/x", -1}, {".qmail-default", 0}}},
	} {
		var got []name
		for file, at := range Names(c.dash, c.ext) {
			got = append(got, name{file, at})
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q %q: %v, want %v", c.dash, c.ext, got, c.want)
		}
	}
	if a, b := Owner("-", "L.x"); a != ".qmail-l:x-owner" || b != ".qmail-l:x-owner-default" {
		t.Error(a, b)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "\n", "./a\n|b\n&c\n#d\n+list\ne", "& \n\x00\n", ".\n/\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Parse(text)
		if err != nil {
			return
		}
		var again strings.Builder
		again.WriteString("#\n")
		for _, in := range list {
			if strings.ContainsAny(in.Text, "\n\x00") || strings.HasSuffix(in.Text, " ") || strings.HasSuffix(in.Text, "\t") {
				t.Fatalf("unclean instruction %q", in.Text)
			}
			again.WriteString(map[Kind]string{Program: "|", Forward: "&", List: "+list"}[in.Kind] + in.Text + "\n")
		}
		same, err := Parse([]byte(again.String()))
		if err != nil || !reflect.DeepEqual(list, same) {
			t.Fatalf("%q read again: %v, want %v (%v)", again.String(), same, list, err)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("-", "a-b.C")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, dash, ext string) {
		for name, at := range Names(dash, ext) {
			if !strings.HasPrefix(name, ".qmail"+dash) || strings.Contains(name[len(".qmail"+dash):], ".") || at > len(ext) {
				t.Fatalf("%q %q: %q %d", dash, ext, name, at)
			}
		}
	})
}
