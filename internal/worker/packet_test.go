package worker

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"
)

func TestJobTravelsUnchanged(t *testing.T) {
	for _, j := range []Job{
		{},
		{Args: []string{"", "a b", "\x00"}, Env: []string{"X=1"}},
		{Args: []string{"--", "user", "/home", "local", "-", "ext", "host", "s@h", ""}},
		{Contents: [][]byte{nil, []byte("F\x00\x00")}},
		{Contents: [][]byte{make([]byte, MaxContents-10), make([]byte, 10)}},
	} {
		b, ok := j.Append(nil, 12345)
		got, number, files, err := parseJob(b)
		if !ok || err != nil || number != 12345 || files != 0 || !alike(j, got) {
			t.Errorf("%+v: %+v, number %d, %d files, %v", j, got, number, files, err)
		}
	}
}

// alike compares what travels in a packet, where nil is like empty.
func alike(a, b Job) bool {
	return slices.Equal(a.Args, b.Args) && slices.Equal(a.Env, b.Env) &&
		slices.EqualFunc(a.Contents, b.Contents, bytes.Equal)
}

func TestJobOverTheBoundIsRefused(t *testing.T) {
	for _, j := range []Job{{Args: []string{string(make([]byte, MaxJob))}}, {Contents: [][]byte{make([]byte, MaxJob)}}} {
		if _, ok := j.Append(nil, 1); ok {
			t.Error("it was encoded")
		}
	}
}

func TestWhatIsSaidOfAnotherJobIsNeverAnAnswer(t *testing.T) {
	for _, p := range []Part{{Number: 7, Ended: true}, {Number: 7, Output: []byte("x")}} {
		b := p.append(nil)
		if _, err := ParsePart(b, 7); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
		for _, number := range []uint64{0, 6, 8, 1 << 63} {
			if got, err := ParsePart(b, number); err == nil {
				t.Errorf("%+v for job %d: %+v", p, number, got)
			}
		}
	}
}

func TestAPacketOfTheWorkerIsNeverOverItsBound(t *testing.T) {
	long := make([]byte, MaxAnswer)
	for _, p := range []Part{
		{Number: 1<<64 - 1, Output: long[:MaxAnswer-maxHead]},
		{Number: 1<<64 - 1, Ended: true, Answer: Answer{Note: long}, Output: long[:roomBeforeAnswer]},
	} {
		b := p.append(nil)
		got, err := ParsePart(b, p.Number)
		if err != nil || len(got.Output) != len(p.Output) || len(got.Note) != min(len(p.Note), maxNote) {
			t.Errorf("a packet of %d bytes: %v", len(b), err)
		}
	}
}

func FuzzJob(f *testing.F) {
	b, _ := Job{Args: []string{"a", "bc"}, Env: []string{"X=1"}}.Append(nil, 1)
	f.Add(b)
	b, _ = Job{Contents: [][]byte{[]byte("Subject: x\n\n"), []byte("Fa@b\x00Tc@d\x00\x00")}}.Append(nil, 1<<40)
	f.Add(b)
	b, _ = Job{Args: []string{"x"}, Files: make([]*os.File, 2)}.Append(nil, 3)
	f.Add(b)
	f.Add([]byte{1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, number, files, err := parseJob(b)
		if err != nil {
			return
		}
		j.Files = make([]*os.File, files)
		again, ok := j.Append(nil, number)
		if !ok {
			return
		}
		j2, number2, files2, err := parseJob(again)
		if err != nil || number2 != number || files2 != files || !alike(j, j2) {
			t.Errorf("%+v, then %+v, %v", j, j2, err)
		}
	})
}

func FuzzPart(f *testing.F) {
	f.Add(
		Part{
			Number: 1,
			Ended:  true,
			Answer: Answer{Code: 111, Last: true, Note: []byte("x")},
			Output: []byte("did\n"),
		}.append(
			nil,
		),
		uint64(1),
	)
	f.Add(Part{Number: 300, Output: []byte("some")}.append(nil), uint64(300))
	f.Add([]byte("a\x01\x00\x02\x00"), uint64(1))
	f.Add([]byte("o"), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, number uint64) {
		p, err := ParsePart(b, number)
		if err != nil {
			return
		}
		again, err := ParsePart(p.append(nil), number)
		if err != nil || !reflect.DeepEqual(p, again) || p.Number != number {
			t.Errorf("%+v, then %+v, %v", p, again, err)
		}
	})
}

func TestWhatAWorkerStartsSeesItsParentsEnvironment(t *testing.T) {
	for _, env := range [][]string{nil, {"A=b"}, {"A=b", "GOMAXPROCS=7"}, {"GOMAXPROCS=1", "A=b"}} {
		if got := ParentEnviron(Environ(env)); !slices.Equal(got, env) {
			t.Errorf("%q becomes %q", env, got)
		}
	}
	if got := Environ([]string{"A=b"}); !slices.Equal(got, []string{"A=b", "GOMAXPROCS=1"}) {
		t.Errorf("%q", got)
	}
}
