package spawn

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"qmail/internal/send/sendproto"
	"qmail/internal/sys"
	"qmail/internal/text/report"
)

// queue makes queue/mess with one message and enters it.
func queue(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "7", "7"), []byte("message"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sys.Mkfifo(filepath.Join(dir, "7", "8"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
}

// accept replies to each delivery with what it was asked.
func accept(list []*Delivery) {
	for _, d := range list {
		go func() {
			b, _ := io.ReadAll(d.Message)
			d.Reply(report.Success, []byte(d.Local+" at "+d.Host+" from "+d.Sender+": "+string(b)+"\n"))
		}()
	}
}

// replies runs a spawner on the orders and returns its replies by delivery number.
func replies(t testing.TB, s Spawner, orders ...sendproto.Order) map[int]string {
	t.Helper()
	width := sendproto.WidthFor(s.Limit)
	var in, out bytes.Buffer
	for _, o := range orders {
		in.Write(o.Append(nil, width))
	}
	if err := s.Run(&in, &out); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(&out)
	if n, err := width.ReadNumber(r); err != nil || n != s.Limit {
		t.Fatalf("limit %d %v", n, err)
	}
	got := make(map[int]string)
	for {
		p, err := sendproto.ReadReply(r, width)
		if err != nil {
			return got
		}
		got[p.Delnum] += string(rune(p.Kind)) + string(p.Text)
	}
}

func TestEachOrderGetsItsOwnReply(t *testing.T) {
	queue(t)
	s := Spawner{Limit: 300, Owner: os.Getuid(), Start: accept}
	got := replies(t, s,
		sendproto.Order{Delnum: 299, Mess: "7/7", Sender: "a@b", Recipient: "c@d@e"},
		sendproto.Order{Delnum: 0, Mess: "7/7", Sender: "", Recipient: "@host"},
		sendproto.Order{Delnum: 1, Mess: "7/7", Sender: "x", Recipient: "y@"})
	want := map[int]string{
		299: "Kc@d at e from a@b: message\n",
		0:   "K at host from : message\n",
		1:   "Ky at  from x: message\n",
	}
	for n, w := range want {
		if got[n] != w {
			t.Errorf("%d: %q", n, got[n])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d replies: %v", len(got), got)
	}
}

func TestAnOrderThatCannotBeRightIsRefused(t *testing.T) {
	queue(t)
	s := Spawner{Limit: 120, Owner: os.Getuid(), Start: accept}
	for _, c := range []struct {
		o    sendproto.Order
		want string
	}{
		{sendproto.Order{Mess: "../../etc/passwd", Recipient: "a@b"}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{sendproto.Order{Mess: "/7/7", Recipient: "a@b"}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{sendproto.Order{Mess: "", Recipient: "a@b"}, "DInternal error: messid too short. (#5.3.5)\n"},
		{sendproto.Order{Mess: strings.Repeat("7", 101), Recipient: "a@b"}, "DInternal error: messid too long. (#5.3.5)\n"},
		{sendproto.Order{Mess: "7/7", Recipient: "nohost"}, "DSorry, address must include host name. (#5.1.3)\n"},
		{sendproto.Order{Mess: "7/9", Recipient: "a@b"}, "Zqmail-spawn unable to open message. (#4.3.0)\n"},
		{sendproto.Order{Mess: "7/8", Recipient: "a@b"}, "ZSorry, message has wrong type. (#4.3.5)\n"},
		{sendproto.Order{Mess: "7", Recipient: "a@b"}, "ZSorry, message has wrong type. (#4.3.5)\n"},
		{sendproto.Order{Delnum: 120, Mess: "7/7", Recipient: "a@b"}, "ZInternal error: delnum too big. (#4.3.5)\n"},
	} {
		if got := replies(t, s, c.o); got[c.o.Delnum] != c.want {
			t.Errorf("%+v: %q", c.o, got[c.o.Delnum])
		}
	}
	other := Spawner{Limit: 120, Owner: os.Getuid() + 1, Start: accept}
	got := replies(t, other, sendproto.Order{Mess: "7/7", Recipient: "a@b"})
	if got[0] != "ZSorry, message has wrong owner. (#4.3.5)\n" {
		t.Errorf("%q", got[0])
	}
}

func TestADeliveryNumberInUseIsRefusedAndThenFreeAgain(t *testing.T) {
	queue(t)
	release := make(chan bool)
	s := Spawner{Limit: 10, Owner: os.Getuid(), Start: func(list []*Delivery) {
		for _, d := range list {
			go func() {
				<-release
				d.Reply(report.Success, []byte(d.Sender))
			}()
		}
	}}
	in, orders := io.Pipe()
	out, replyPipe := io.Pipe()
	done := make(chan error)
	go func() { done <- s.Run(in, replyPipe) }()
	r := bufio.NewReader(out)
	r.ReadByte()
	send := func(sender string) {
		orders.Write(sendproto.Order{Delnum: 3, Mess: "7/7", Sender: sender, Recipient: "a@b"}.Append(nil, 1))
	}
	read := func() string {
		p, err := sendproto.ReadReply(r, 1)
		if err != nil || p.Delnum != 3 {
			t.Fatalf("%+v %v", p, err)
		}
		return string(rune(p.Kind)) + string(p.Text)
	}
	send("first")
	send("second")
	if got := read(); got != "ZInternal error: delnum in use. (#4.3.5)\n" {
		t.Errorf("%q", got)
	}
	release <- true
	if got := read(); got != "Kfirst" {
		t.Errorf("%q", got)
	}
	send("third")
	orders.Close()
	select {
	case err := <-done:
		t.Fatalf("it ended with a delivery running: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	go func() { release <- true }()
	if got := read(); got != "Kthird" {
		t.Errorf("%q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// broken is a reply pipe that nobody reads after the first byte.
type broken struct {
	n   int
	met chan struct{} // closed by the first write that fails
}

func (b *broken) Write(p []byte) (int, error) {
	if b.n++; b.n > 1 {
		if b.n == 2 {
			close(b.met)
		}
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestWhenQmailSendIsGoneWhatRunsIsWaitedForAndNothingIsBegun(t *testing.T) {
	queue(t)
	var begun, ended atomic.Int32
	replies, late, all := &broken{met: make(chan struct{})}, make(chan struct{}), make(chan struct{})
	s := Spawner{Limit: 10, Owner: os.Getuid(), Start: func(list []*Delivery) {
		for _, d := range list {
			if begun.Add(1) == 3 {
				close(all)
			}
			go func() {
				<-all // or else the first reply may find qmail-send gone before the others are begun
				if d.Delnum > 0 {
					<-late
				}
				ended.Add(1)
				d.Reply(report.Success, nil)
			}()
		}
	}}
	in, orders := io.Pipe()
	go func() {
		var b []byte
		for n := range 3 {
			b = sendproto.Order{Delnum: n, Mess: "7/7", Recipient: "a@b"}.Append(b, 1)
		}
		orders.Write(b)
		<-replies.met
		orders.Write(sendproto.Order{Delnum: 9, Mess: "7/7", Recipient: "a@b"}.Append(nil, 1))
		close(late)
	}()
	if err := s.Run(in, replies); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if begun.Load() != 3 || ended.Load() != 3 {
		t.Errorf("%d begun, %d ended", begun.Load(), ended.Load())
	}
}

func FuzzHostileOrders(f *testing.F) {
	good := sendproto.Order{Delnum: 1, Mess: "7/7", Sender: "s", Recipient: "a@b"}.Append(nil, 1)
	f.Add(good)
	f.Add(append(append([]byte(nil), good...), good...))
	f.Add(good[:5])
	f.Add([]byte("\x01/7\x00\x00@\x00\xff7/7\x00\x00\x00"))
	f.Add(sendproto.AppendQuestion(nil, 1))
	f.Add(
		sendproto.Group{
			Mess:    "7/7",
			Members: []sendproto.Member{{Delnum: 1, Recipient: "a@b"}, {Delnum: 1, Recipient: "c"}},
		}.Append(
			nil,
			1,
		),
	)
	queue(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Spawner{Limit: 120, Owner: os.Getuid(), Start: accept, Combine: 50}
		var out bytes.Buffer
		if err := s.Run(bytes.NewReader(b), &out); err != nil {
			t.Fatal(err)
		}
		orders := 0
		for r := bufio.NewReaderSize(bytes.NewReader(b), sendproto.MaxOrder); ; orders++ {
			o, err := sendproto.ReadOrder(r, 1)
			if err != nil {
				break
			}
			if o.IsGroup(1) {
				g, _ := o.Group()
				orders += len(g.Members) - 1
			}
		}
		r := bufio.NewReader(bytes.NewReader(out.Bytes()[1:]))
		for range orders {
			if p, err := sendproto.ReadReply(r, 1); err != nil || p.Kind == 0 {
				t.Fatalf("%d orders, %q", orders, out.Bytes())
			}
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("%d orders, more replies: %q", orders, out.Bytes())
		}
	})
}
