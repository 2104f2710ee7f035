package worker

import (
	"bytes"
	"reflect"
	"testing"
)

func TestJobTravelsUnchanged(t *testing.T) {
	for _, j := range []Job{
		{},
		{Args: []string{"", "a b", "\x00"}, Env: []string{"X=1"}},
		{Args: []string{"--", "user", "/home", "local", "-", "ext", "host", "s@h", ""}},
	} {
		b, ok := j.Encode()
		got, err := parseJob(b)
		if !ok || err != nil || len(got.Args) != len(j.Args) || len(got.Env) != len(j.Env) {
			t.Fatalf("%+v: %+v, %v", j, got, err)
		}
		if len(j.Args) > 0 && !reflect.DeepEqual(got.Args, j.Args) {
			t.Errorf("%+v: %+v", j, got)
		}
	}
}

func TestJobOverTheBoundIsRefused(t *testing.T) {
	if _, ok := (Job{Args: []string{string(make([]byte, MaxJob))}}).Encode(); ok {
		t.Error("it was encoded")
	}
}

func FuzzJob(f *testing.F) {
	b, _ := Job{Args: []string{"a", "bc"}, Env: []string{"X=1"}}.Encode()
	f.Add(b)
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := parseJob(b)
		if err != nil {
			return
		}
		again, ok := j.Encode()
		if !ok {
			return
		}
		j2, err := parseJob(again)
		if err != nil || !reflect.DeepEqual(j, j2) {
			t.Errorf("%+v, then %+v, %v", j, j2, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(Answer{Code: 111, Last: true, Text: []byte("x")}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAnswer(b)
		if err == nil && !bytes.Equal(a.append(nil), b) {
			t.Errorf("%q became %+v", b, a)
		}
	})
}
