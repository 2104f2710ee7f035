package main

import (
	"strings"
	"testing"
)

func said(events string) string {
	var out strings.Builder
	t := newTally(&out)
	t.read(strings.NewReader(events))
	t.close()
	return out.String()
}

func TestATestThatIsLeftOutIsListedWithItsReason(t *testing.T) {
	got := said(`{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: needs strace: no such file\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.005s\n"}
{"Action":"pass","Package":"p","Elapsed":0.005}
`)
	want := "ok  \tp\t0.005s\n\nLeft out: needs strace: no such file\n  p TestA\n0 passed, 0 failed, 1 skipped\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOnlyWhatFailedTestsSaidIsShown(t *testing.T) {
	got := said(`{"Action":"output","Package":"p","Test":"TestGood","Output":"    a_test.go:1: noise\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    a_test.go:2: wrong\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.005s\n"}
{"Action":"fail","Package":"p","Elapsed":0.005}
`)
	want := "    a_test.go:2: wrong\n--- FAIL: TestBad (0.00s)\nFAIL\tp\t0.005s\n1 passed, 1 failed, 0 skipped\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestATestThatNeverEndedIsShown(t *testing.T) {
	got := said(`{"Action":"output","Package":"p","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t600.005s\n"}
{"Action":"fail","Package":"p","Elapsed":600}
`)
	if !strings.HasPrefix(got, "panic: test timed out\nFAIL\tp\t600.005s\n") {
		t.Errorf("%q", got)
	}
}
