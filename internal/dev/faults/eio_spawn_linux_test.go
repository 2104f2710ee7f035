package faults

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// spawned runs a spawner with one order, and reads its reply; kind 0: there was none.
func (w *world) spawned(args []string, o sendproto.Order, calls string, before func(),
	judge func(what string, p sendproto.Reply)) {
	w.t.Helper()
	width := sendproto.WidthFor(conf.Spawn())
	run{
		w: w, plain: true, args: args, calls: calls,
		files: func() []*os.File {
			before()
			r, p, err := os.Pipe()
			w.must(err)
			p.Write(o.Append(nil, width))
			p.Close()
			return []*os.File{r, w.create("/run/out")}
		},
		judge: func(what string, code int) {
			out, _ := os.ReadFile("/run/out")
			r := bufio.NewReader(bytes.NewReader(out))
			var p sendproto.Reply
			if _, err := width.ReadNumber(r); err == nil {
				if p, err = sendproto.ReadReply(r, width); err != nil {
					p = sendproto.Reply{}
				}
			}
			if p.Kind == report.Failure {
				w.t.Errorf("%s: a failure for good: %q", what, p.Text)
			}
			if what == nothingFailed && p.Kind != report.Success {
				w.t.Errorf("%s, and yet no success: %q", what, out)
			}
			judge(what, p)
		},
	}.all()
}

func TestADeliveryUnderQmailLspawnSurvivesAnErrorOfAnyCall(t *testing.T) {
	testqmail.Need(t, "strace")
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	id := w.mess(eioText)
	u := user(joe)
	w.spawned([]string{conf.Home() + "/bin/qmail-lspawn", "./Default"},
		sendproto.Order{Delnum: 3, Mess: queue.MessName(id), Sender: sam + "@" + testqmail.Host,
			Recipient: joe + "@" + testqmail.Host}, "",
		func() {
			found, _ := filepath.Glob(u.Home + "/Maildir/*/*")
			for _, f := range found {
				w.must(os.Remove(f))
			}
		},
		func(what string, p sendproto.Reply) {
			found, _ := filepath.Glob(u.Home + "/Maildir/new/*")
			// A second copy is what a failure in the wrong place may cost.
			if p.Kind == report.Success && len(found) < 1 || what == nothingFailed && len(found) != 1 {
				t.Errorf("%s: success, and %d are there", what, len(found))
			}
			for _, f := range found {
				if b, err := os.ReadFile(f); err != nil || !strings.HasSuffix(string(b), eioText) {
					t.Errorf("%s: %q %v", what, b, err)
				}
			}
			if b, err := os.ReadFile(u.Home + "/Default"); err == nil {
				t.Errorf("%s: .qmail was taken to be absent: %q", what, b)
				os.Remove(u.Home + "/Default")
			}
		})
}

func TestAnUnknownAddressStillFailsUnderQmailLspawn(t *testing.T) {
	testqmail.Need(t, "strace") // or the test before would prove less: here is what a failure looks like
	if !inWorld(t) {
		return
	}
	w := newWorld(t)
	id := w.mess(eioText)
	width := sendproto.WidthFor(conf.Spawn())
	o := sendproto.Order{Delnum: 3, Mess: queue.MessName(id), Sender: sam + "@" + testqmail.Host,
		Recipient: "nobody@" + testqmail.Host}
	r := run{w: w, args: []string{conf.Home() + "/bin/qmail-lspawn", "./Default"}, files: func() []*os.File {
		r, p, err := os.Pipe()
		w.must(err)
		p.Write(o.Append(nil, width))
		p.Close()
		return []*os.File{r, w.create("/run/out")}
	}}
	w.must(os.MkdirAll("/run/trace", 0o777))
	code := r.traced("")
	if out, _ := os.ReadFile("/run/out"); code != 0 || !bytes.Contains(out, []byte("DNo such address")) {
		t.Errorf("%d %q", code, out)
	}
}
