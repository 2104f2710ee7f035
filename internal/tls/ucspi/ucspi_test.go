package ucspi

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/sys"
)

// offered returns the environment of a server, and the other ends of its descriptors, which are one where one is true.
func offered(t *testing.T, policy string, one bool) (env []string, control, talk *os.File) {
	t.Helper()
	var here, there [2]*os.File
	for i := range here {
		var err error
		if here[i], there[i], err = sys.StreamPair(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { here[i].Close(); there[i].Close() })
	}
	if one {
		here[1], there[1] = here[0], there[0]
	}
	number := func(f *os.File) string { // a File of its own would close what the other still has
		fd, err := sys.Duplicate(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return strconv.Itoa(fd)
	}
	return []string{
		Policy + "=" + policy, ControlFD + "=" + number(there[0]), ReadFD + "=" + number(there[1]),
		WriteFD + "=" + number(there[1]),
	}, here[0], here[1]
}

func TestAServerThatAsksIsToldWhatTheTLSIsAndGoesOnBehindIt(t *testing.T) {
	for _, one := range []bool{false, true} {
		env, control, talk := offered(t, "", one)
		o := Offered(env)
		if o == nil || o.Must {
			t.Fatal(o)
		}
		go func() {
			b := make([]byte, 2)
			n, _ := control.Read(b)
			if string(b[:n]) != "Y" {
				t.Errorf("it asks by %q", b[:n])
			}
			control.Write([]byte("SSL_PROTOCOL=TLSv1.3\x00X=" + strings.Repeat("y", 9000) + "\x00SSL_CIPHER=A_B\x00\x00"))
			talk.WriteString("first words")
		}()
		plain, _, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		d := sys.NewDialogue(plain, plain)
		d.Timeout(time.Minute)
		what, err := o.Begin(d)
		if err != nil || what.Name() != "A_B, TLS1.3" {
			t.Errorf("%q, %v", what.Name(), err)
		}
		b := make([]byte, 100)
		if n, err := d.Read(b); string(b[:n]) != "first words" {
			t.Errorf("%q, %v", b[:n], err)
		}
		d.Write([]byte("answer"))
		if n, err := talk.Read(b); string(b[:n]) != "answer" {
			t.Errorf("%q, %v", b[:n], err)
		}
		plain.Close()
	}
}

func TestTLSIsOfferedWhereItIsWantedAndCanBeHad(t *testing.T) {
	env, _, _ := offered(t, "", false)
	if o := Offered(append([]string{Policy + "=-"}, env...)); o != nil {
		t.Error("it is offered though it is not wanted")
	}
	for i := range env {
		short := append(append([]string{}, env[:i]...), env[i+1:]...)
		if o := Offered(short); o != nil {
			t.Errorf("%q is an offer", short)
		}
		if i == 0 {
			continue
		}
		for _, fd := range []string{"", "x", "-1", "0", "2", "60000", "99999999999999999999"} {
			name, _, _ := strings.Cut(env[i], "=")
			if o := Offered(append([]string{name + "=" + fd}, env...)); o != nil {
				t.Errorf("descriptor %q is offered", fd)
			}
		}
	}
	o := Offered([]string{Policy + "=!"})
	if o == nil || !o.Must {
		t.Fatal("TLS is not required")
	}
	if _, err := o.Begin(nil); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if d, on := Described(nil); on {
		t.Error(d)
	}
}

func TestAnEndBeforeTheTLSIsAnError(t *testing.T) {
	env, control, _ := offered(t, "!", false)
	o := Offered(env)
	go func() {
		control.Read(make([]byte, 1))
		control.Write([]byte("SSL_PROTOCOL=TLSv1.3\x00"))
		control.Close()
	}()
	plain, _, _ := os.Pipe()
	defer plain.Close()
	d := sys.NewDialogue(plain, plain)
	d.Timeout(time.Minute)
	if _, err := o.Begin(d); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte("SSL_PROTOCOL=TLSv1.2\x00SSL_CIPHER=ECDHE\x00\x00NOOP\r\n"))
	f.Add([]byte("\x00\x00"))
	f.Add([]byte("=\x00SSL_CIPHER=\x00SSL_CIPHER=\r\nEvil: x\x00\x00"))
	f.Fuzz(func(t *testing.T, input []byte) {
		r := bytes.NewReader(input)
		d, err := ReadDescription(r)
		if err != nil {
			return
		}
		used := input[:len(input)-r.Len()]
		if !bytes.HasSuffix(used, []byte{0, 0}) || bytes.Contains(used[:len(used)-1], []byte{0, 0}) {
			t.Errorf("%q of %q was read", used, input)
		}
		for i, c := range []byte(d.Name()) {
			if !plain(c) && c != ',' && c != ' ' {
				t.Errorf("byte %d of %q", i, d.Name())
			}
		}
		if d.Sound() {
			if again, err := ReadDescription(bytes.NewReader(d.Append(nil))); again != d || err != nil {
				t.Errorf("%q became %q, %v", d, again, err)
			}
		}
	})
}
