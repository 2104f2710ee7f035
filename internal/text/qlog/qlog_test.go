package qlog

import (
	"bytes"
	"testing"

	"qmail/internal/text/report"
)

func TestLinesAreAsTheLogPageShowsThem(t *testing.T) {
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{Status(nil, Load{0, 10}, Load{3, 20}, false), "status: local 0/10 remote 3/20\n"},
		{Status(nil, Load{1, 10}, Load{0, 20}, true), "status: local 1/10 remote 0/20 exitasap\n"},
		{NewMsg(nil, 53), "new msg 53\n"},
		{InfoMsg(nil, Info{53, 246, "me@x", 20345, 666}), "info msg 53: bytes 246 from <me@x> qp 20345 uid 666\n"},
		{InfoMsg(nil, Info{53, 0, "#@[]", 1, 2}), "info msg 53: bytes 0 from <#@[]> qp 1 uid 2\n"},
		{Starting(nil, 2, 53, "local", "a b@c"), "starting delivery 2: msg 53 to local a_b@c\n"},
		{Delivery(nil, 1, report.Success, []byte("did 1+0+0\n")), "delivery 1: success: did_1+0+0/\n"},
		{Delivery(nil, 2, report.Failure, []byte("No such address. (#5.1.1)\n")),
			"delivery 2: failure: No_such_address.__#5.1.1_/\n"},
		{Delivery(nil, 3, report.Deferral, nil), "delivery 3: deferral: \n"},
		{Delivery(nil, 4, 'x', []byte("y")), "delivery 4: report mangled, will defer\n"},
		{BounceMsg(nil, 53, 7), "bounce msg 53 qp 7\n"},
		{TripleBounce(nil, "bounce/53"), "triple bounce: discarding bounce/53\n"},
		{EndMsg(nil, 53), "end msg 53\n"},
		{Exiting(nil), "status: exiting\n"},
		{Alert(nil, "cannot start: qmail-send is already running"), "alert: cannot start: qmail-send is already running\n"},
		{Warning(nil, "a\nb"), "warning: a_b\n"},
	} {
		if string(c.got) != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func FuzzSafeTextStaysInOneField(f *testing.F) {
	f.Add([]byte("tab\there \001x\303\251\n\nsecond/line_a b %()\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := Safe(nil, text)
		if len(got) != len(text) || bytes.ContainsAny(got, " \n\r\t%()") {
			t.Errorf("%q became %q", text, got)
		}
		for i, c := range got {
			if c < 33 || c > 126 || (text[i] == '\n') && c != '/' {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}
