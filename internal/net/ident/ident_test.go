package ident

import (
	"io"
	"strings"
	"testing"
)

func TestReplyNamesTheUser(t *testing.T) {
	for reply, want := range map[string]string{
		"6193, 23 : USERID : UNIX : joe\r":          "joe",
		"6193,23:USERID:UNIX:joe":                   "joe",
		" 6193 , 23 : userid : OTHER : j o e \r":    "joe",
		"6193, 23 : USERID : UNIX,US-ASCII : a:b@c": "a:b@c",
		"6193, 23 : USERID : UNIX : joe\x00evil":    "joe",
		"6193, 23 : USERID : UNIX : \xc3\xa9":       "\xc3\xa9",
	} {
		if got, err := parse([]byte(reply), 6193, 23); err != nil || got != want {
			t.Errorf("%q: %q, %v", reply, got, err)
		}
	}
}

func TestReplyAboutSomethingElseNamesNobody(t *testing.T) {
	for _, reply := range []string{
		"", ":::", "6193, 23 : ERROR : NO-USER", "6193, 24 : USERID : UNIX : joe", "23, 6193 : USERID : UNIX : joe",
		"6193, 23 : USERID : UNIX", "6193, 23 : USERID : UNIX : ", "6193 23 : USERID : UNIX : joe",
		"6193, 23 : USERID : UNIX : \x00joe",
		"65559, 23 : USERID : UNIX : joe",
	} {
		if got, err := parse([]byte(reply), 6193, 23); err != ErrUnknown {
			t.Errorf("%q: %q, %v", reply, got, err)
		}
	}
}

// endless sends no line end.
type endless struct{ given int }

func (e *endless) Read(b []byte) (int, error) {
	e.given++
	b[0] = 'x'
	return 1, nil
}

func TestReplyWithoutEndIsNotReadFurther(t *testing.T) {
	e := &endless{}
	if b, err := readLine(e); err != nil || len(b) != maxReply || e.given != maxReply {
		t.Error(len(b), err, e.given)
	}
	if b, err := readLine(strings.NewReader("a\nb")); err != nil || string(b) != "a" {
		t.Errorf("%q %v", b, err)
	}
	if b, err := readLine(io.MultiReader()); err != nil || len(b) != 0 {
		t.Errorf("%q %v", b, err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("6193, 23 : USERID : UNIX : joe\r"))
	f.Add([]byte("6193, 23 : ERROR : HIDDEN-USER"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		name, err := parse(reply, 6193, 23)
		if (err == nil) != (name != "") {
			t.Fatalf("%q: %q, %v", reply, name, err)
		}
		if strings.ContainsAny(name, "\x00\r\n \t") {
			t.Errorf("%q: %q", reply, name)
		}
		if err != nil {
			return
		}
		again, err := parse([]byte("6193 , 23 : USERID : UNIX : "+name), 6193, 23)
		if err != nil || again != name {
			t.Errorf("%q, then %q", name, again)
		}
	})
}
