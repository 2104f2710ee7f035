package history

import (
	"strings"
	"testing"
	"time"
)

const servers = `1732300000.000000 new msg 7
1732300000.000001 info msg 7: bytes 100 from <a@one.example> qp 7101732300 uid 1000
1732300000.100000 starting delivery 1: msg 7 to local b@two.example
1732300000.300000 delivery 1: success: did_1+0+0/
1732300000.400000 end msg 7
1732300000.500000 qmail-smtpd: 192.0.2.7 pid 9: 250 ok 1732300000 qp 7101732300 user <joe> id <x_y@z>
1732300001.000000 qmail-smtpd: 192.0.2.8 pid 9: 250 ok 1732300001 qp 7101732301 from <> id <second@z>
1732300001.000001 new msg 8
1732300001.000002 info msg 8: bytes 50 from <> qp 7101732301 uid 1000
1732300002.000000 qmail-smtpd: 192.0.2.8 pid 9: 553 sorry, that domain isn't in my list (#5.7.1)
1732300002.100000 qmail-smtpd: 192.0.2.8 pid 9: session of 3 seconds: 1 accepted, 1 refused helo <x>
1732300003.000000 tcp-env: 192.0.2.9 pid 4: refused 12 connections: 50 of its address are open
1732300003.100000 qmail-popup: 192.0.2.8 pid 5: -ERR authorization failed user <joe>
1732300004.000000 qmail-authd: 192.0.2.8 pid 9: failed PLAIN user <joe>
1732300005.000000 tcp-env: 192.0.2.9 pid 4: connection 3 of 400
`

func TestOneCommandTellsAMessagesStoryByAnyOfItsNames(t *testing.T) {
	dir := t.TempDir()
	log := write(t, dir, "log", servers)
	for args, want := range map[string]string{
		"-m 7": "7", "-m <x_y@z>": "7", "-m x_y@z": "7", "-q 7101732300": "7", "-m 7101732301": "8", "-m second@z": "8",
		"-i 8": "8", "-m": "7 8", "-m z@z": "", "-m 9": "",
	} {
		q, err := ParseArgs(append(strings.Fields(args), log))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := q.Answer(Input{Now: time.Now()}, &out); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range strings.Split(out.String(), "\n") {
			if _, rest, ok := strings.Cut(l, " message "); ok {
				number, _, _ := strings.Cut(rest, " ")
				got = append(got, number)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s tells of %s, not of %s:\n%s", args, got, want, out.String())
		}
		if want == "7" && !strings.Contains(out.String(),
			"taken by qmail-smtpd from 192.0.2.7, user joe, Message-ID <x_y@z>\n") {
			t.Errorf("%s: %s", args, out.String())
		}
	}
}

func TestWhatServersRefusedIsCounted(t *testing.T) {
	sum := NewTotals()
	r := Reader{Done: sum.Add, Peer: sum.AddPeer}
	read(t, &r, servers)
	if sum.Sessions != 1 || sum.Taken != 2 || sum.Refusal != 15 || sum.Messages != 2 {
		t.Errorf("%+v", sum)
	}
	if who := sum.Refused(); len(who) != 2 || who[0] != (Reason{"192.0.2.9", 12}) || who[1] != (Reason{"192.0.2.8", 3}) {
		t.Errorf("%+v", who)
	}
	if why := sum.Refusals(); len(why) != 4 || why[0].Text != "tcp-env: refused N connections: N of its address are open" {
		t.Errorf("%+v", why)
	}
}
