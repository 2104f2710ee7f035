package sys

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestAReaderMeetsAnEndOnlyWhereTheWriterSaidSo(t *testing.T) {
	for _, ended := range []bool{false, true} {
		here, there, err := OneWay()
		if err != nil {
			t.Fatal(err)
		}
		here.WriteString("text")
		if ended {
			if err := EndOneWay(here); err != nil {
				t.Fatal(err)
			}
		} else {
			here.Close()
		}
		b, err := io.ReadAll(there)
		if lost := errors.Is(err, syscall.ECONNRESET); string(b) != "text" ||
			runtime.GOOS == "linux" && lost == ended || ended && err != nil {
			t.Errorf("ended %v: %q, %v", ended, b, err)
		}
		here.Close()
		there.Close()
	}
}

func TestADialogueThatTurnsKeepsItsLimits(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	here, there, err := StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	defer there.Close()
	d := NewDialogue(in, out)
	d.Timeout(time.Millisecond)
	d.Turn(there, there)
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	d.Write([]byte("x"))
	b := make([]byte, 2)
	if n, err := here.Read(b); string(b[:n]) != "x" {
		t.Errorf("%q, %v", b[:n], err)
	}
	d.Within(time.Now().Add(-time.Second))
	here.Write([]byte("y"))
	if _, err := d.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
