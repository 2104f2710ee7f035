package qlog

import (
	"bytes"
	"testing"
)

func TestAlertsAndWarningsHaveTheirLevelAndOtherLinesAreAsTheyWere(t *testing.T) {
	var b bytes.Buffer
	in := "new msg 5\nwarning: a warning: b\nalert: c\ndelivery 1: deferral: alert:_d/\n"
	if n, err := (Levels{&b}).Write([]byte(in)); n != len(in) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	want := "new msg 5\n<4>warning: a warning: b\n<1>alert: c\ndelivery 1: deferral: alert:_d/\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	Levels{&b}.Write([]byte("end msg 5\n"))
	if b.String() != "end msg 5\n" {
		t.Errorf("%q", b.String())
	}
}
