package smtpd

import (
	"strings"
	"testing"
)

func TestCodesLeadTheRepliesOnlyAfterAnEHLOThatOfferedThem(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n", "extensions": "Enhanced\nlimits\n"})
	const asks = "NOOP\r\nMAIL FROM:<x@a.test>\r\nRCPT TO:<y@b.test>\r\nXYZ\r\nVRFY x\r\n"
	const plain = "250 ok\r\n250 ok\r\n553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n" +
		"502 unimplemented (#5.5.1)\r\n252 send some mail, i'll try my best\r\n"
	const coded = "250 2.0.0 ok\r\n250 2.0.0 ok\r\n" +
		"553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts\r\n" +
		"502 5.5.1 unimplemented\r\n252 2.0.0 send some mail, i'll try my best\r\n"
	const hello = "250-m.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
	long := strings.Repeat("x", maxHelo+1)
	got, _ := w.say(asks + "HELO c\r\n" + asks + "EHLO c\r\n" + asks + "EHLO " + long + "\r\nNOOP\r\n" +
		"HELO c\r\n" + asks + "QUIT\r\n")
	want := "220 m.test ESMTP\r\n" +
		"250 ok\r\n" + plain[len("250 ok\r\n"):] + hello + plain +
		"250-m.test\r\n250-PIPELINING\r\n250-LIMITS RCPTMAX=1000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n" + coded +
		"501 that name is too long (#5.5.4)\r\n250 2.0.0 ok\r\n" + hello + plain + "221 m.test\r\n"
	if got != want {
		t.Errorf("replies %q\nwant    %q", got, want)
	}
}

func TestACodeThatIsNotOfTheReplysClassIsText(t *testing.T) {
	for reply, want := range map[string]string{
		"550 no (#5.7.1)":    "550 5.7.1 no",
		"550 no (#4.7.1)":    "550 5.0.0 no (#4.7.1)",
		"550 no (#joe)":      "550 5.0.0 no (#joe)",
		"550 5.7.27 no":      "550 5.7.27 no",
		"450 5.7.27 no":      "450 4.0.0 5.7.27 no",
		"550 no (#5.7.)":     "550 5.0.0 no (#5.7.)",
		"550 no (#5.1234.1)": "550 5.0.0 no (#5.1234.1)",
		"334 x":              "334 x",
		"250-SIZE":           "250-SIZE",
		"250 ok":             "250 2.0.0 ok",
		"451 ":               "451 4.0.0 ",
	} {
		if got := enhanced(reply); got != want {
			t.Errorf("%q becomes %q, want %q", reply, got, want)
		}
	}
}

func TestLimitsAreNotSaidWhereThereIsNone(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "maxrcpt": "0\n", "extensions": "limits\n"})
	if got, _ := w.say("EHLO c\r\nQUIT\r\n"); strings.Contains(got, "LIMITS") {
		t.Errorf("%q", got)
	}
}
