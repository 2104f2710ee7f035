package spawn

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"

	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// run has a spawner serve what is in the buffer, and returns its replies by delivery number.
func run(t testing.TB, s Spawner, orders []byte) map[int]sendproto.Reply {
	t.Helper()
	w := sendproto.WidthFor(s.Limit)
	var out bytes.Buffer
	if err := s.Run(bytes.NewReader(orders), &out); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(&out)
	w.ReadNumber(r)
	got := make(map[int]sendproto.Reply)
	for {
		p, err := sendproto.ReadReply(r, w)
		if err != nil {
			return got
		}
		if _, ok := got[p.Delnum]; ok {
			t.Errorf("two replies to %d", p.Delnum)
		}
		got[p.Delnum] = p
	}
}

func TestASpawnerAnswersTheQuestionOnlyIfItTakesGroups(t *testing.T) {
	queue(t)
	for _, limit := range []int{1, 120, 255, 300} {
		w := sendproto.WidthFor(limit)
		s := Spawner{Limit: limit, Owner: os.Getuid(), Start: accept}
		p := run(t, s, sendproto.AppendQuestion(nil, w))[w.Reserved()]
		if p.Kind != report.Deferral || string(p.Text) != "Internal error: delnum too big. (#4.3.5)\n" {
			t.Errorf("%d: %+v", limit, p)
		}
		s.Combine = 7
		p = run(t, s, sendproto.AppendQuestion(nil, w))[w.Reserved()]
		if n, ok := p.Answer(w); !ok || n != 7 {
			t.Errorf("%d: %+v", limit, p)
		}
	}
}

func TestAGroupIsStartedTogetherWithOneOpenMessage(t *testing.T) {
	queue(t)
	var groups [][]*Delivery
	s := Spawner{Limit: 1, Owner: os.Getuid(), Combine: 5, Start: func(list []*Delivery) {
		groups = append(groups, list)
		go func() {
			b, _ := io.ReadAll(list[0].Message)
			for i, d := range list {
				if d.Message != list[0].Message {
					t.Error("a message of its own")
				}
				d.Address = netip.MustParseAddr("192.0.2.1")
				d.Reply(report.Success, []byte(fmt.Sprintf("%d %s at %s from %s: %s\n", i, d.Local, d.Host, d.Sender, b)))
			}
		}()
	}}
	g := sendproto.Group{Mess: "7/7", Sender: "s@t", Members: []sendproto.Member{
		{
			Delnum:    60000,
			Recipient: "a@far",
		}, {Delnum: 3, Recipient: "nohost"}, {Delnum: 0, Recipient: "b@FAR"}, {Delnum: 60000, Recipient: "c@far"},
	}}
	got := make(map[int]string)
	// The double number gets two replies, so run is no help here.
	var out bytes.Buffer
	if err := s.Run(bytes.NewReader(g.Append(nil, 1)), &out); err != nil {
		t.Fatal(err)
	}
	for r := bufio.NewReader(bytes.NewReader(out.Bytes()[1:])); ; {
		p, err := sendproto.ReadReply(r, 1)
		if err != nil {
			break
		}
		if !p.Grouped {
			t.Errorf("not of a group: %+v", p)
		}
		got[p.Delnum] += p.Address.String() + " " + string(rune(p.Kind)) + string(p.Text)
	}
	for n, want := range map[int]string{
		60000: "invalid IP ZInternal error: delnum in use. (#4.3.5)\n192.0.2.1 K0 a at far from s@t: message\n",
		3:     "invalid IP DSorry, address must include host name. (#5.1.3)\n",
		0:     "192.0.2.1 K1 b at FAR from s@t: message\n",
	} {
		if got[n] != want {
			t.Errorf("%d: %q, want %q", n, got[n], want)
		}
	}
	if len(groups) != 1 || len(groups[0]) != 2 || len(got) != 3 {
		t.Errorf("%d groups, replies %v", len(groups), got)
	}
	if _, err := groups[0][0].Message.Stat(); err == nil {
		t.Error("the message is open still")
	}
}

func TestAGroupThatCannotBeRightIsRefusedAsAWhole(t *testing.T) {
	queue(t)
	s := Spawner{Limit: 10, Owner: os.Getuid(), Start: accept, Combine: 2}
	two := []sendproto.Member{{Delnum: 1000, Recipient: "a@b"}, {Delnum: 1001, Recipient: "c@b"}}
	for _, c := range []struct {
		g    sendproto.Group
		want string
	}{
		{sendproto.Group{Mess: "../7/7", Members: two}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{sendproto.Group{Mess: "+7/7", Members: two}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{sendproto.Group{Mess: "7/9", Members: two}, "Zqmail-spawn unable to open message. (#4.3.0)\n"},
		{sendproto.Group{Mess: "7/8", Members: two}, "ZSorry, message has wrong type. (#4.3.5)\n"},
		{sendproto.Group{Mess: "7/7", Members: append(two[:2:2], sendproto.Member{Delnum: 1002, Recipient: "d@b"})},
			"ZInternal error: group malformed. (#4.3.5)\n"},
	} {
		got := run(t, s, c.g.Append(nil, 1))
		for _, m := range c.g.Members {
			if p := got[m.Delnum]; string(rune(p.Kind))+string(p.Text) != c.want {
				t.Errorf("%+v: %+v", c.g, p)
			}
		}
		if len(got) != len(c.g.Members) {
			t.Errorf("%+v: %d replies", c.g, len(got))
		}
	}
	for _, mess := range []string{"+7/7", "?", "7/7"} {
		got := run(t, s, sendproto.Order{Delnum: sendproto.Width(1).Reserved(), Mess: mess, Recipient: "a@b"}.Append(nil, 1))
		for n, p := range got {
			if n != 255 || p.Kind != report.Deferral || p.Grouped {
				t.Errorf("%s: %+v", mess, p)
			}
		}
	}
}

func TestNoMoreGroupsRunThanThereAreSlots(t *testing.T) {
	queue(t)
	running, most := 0, 0
	var wait [][]*Delivery
	s := Spawner{Limit: 3, Owner: os.Getuid(), Combine: 10}
	s.Start = func(list []*Delivery) {
		running++
		most = max(most, running)
		wait = append(wait, list)
	}
	in, orders := io.Pipe()
	out, replies := io.Pipe()
	go s.Run(in, replies)
	r := bufio.NewReader(out)
	r.ReadByte()
	group := func(first int) []byte {
		two := []sendproto.Member{{Delnum: first, Recipient: "a@b"}, {Delnum: first + 1, Recipient: "c@b"}}
		return sendproto.Group{Mess: "7/7", Members: two}.Append(nil, 1)
	}
	read := func() sendproto.Reply {
		p, err := sendproto.ReadReply(r, 1)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for first := 0; first < 10; first += 2 {
		orders.Write(group(first))
	}
	for range 4 {
		if p := read(); p.Delnum < 6 || string(p.Text) != "Internal error: too many groups. (#4.3.5)\n" {
			t.Errorf("%+v", p)
		}
	}
	go wait[0][0].Reply(report.Success, nil)
	read()
	orders.Write(group(6))
	for range 2 { // one member of the first runs still
		if p := read(); !strings.Contains(string(p.Text), "too many") {
			t.Errorf("%+v", p)
		}
	}
	go wait[0][1].Reply(report.Success, nil)
	read()
	orders.Write(group(6))
	orders.Write(group(8))
	for range 2 {
		if p := read(); p.Delnum < 8 {
			t.Errorf("%+v", p)
		}
	}
	if most != 4 || len(wait) != 4 {
		t.Errorf("%d groups were started", most)
	}
	orders.Close()
	for _, list := range wait[1:] {
		for _, d := range list {
			go d.Reply(report.Success, nil)
			read()
		}
	}
}
