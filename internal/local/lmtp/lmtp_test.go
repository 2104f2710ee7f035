package lmtp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/report"
)

const (
	hello  = "220 store LMTP\r\n"
	offers = "250-store\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
	agreed = "250 ok\r\n250 ok\r\n354 go\r\n"
)

// A script is a server: what it says, and in turn what it waits for before it goes on.
type script []string

// serve plays a script, and returns our end and what the server has read by its end.
func serve(t *testing.T, s script) (conn *os.File, heard <-chan string) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			done <- err.Error()
			return
		}
		var b bytes.Buffer
		for i, part := range s {
			if i%2 == 0 {
				io.WriteString(c, part)
				continue
			}
			one := make([]byte, 1)
			for seen := b.Len(); !bytes.HasSuffix(b.Bytes()[seen:], []byte(part)); {
				if n, err := c.Read(one); n == 0 && err != nil {
					break
				}
				b.Write(one)
			}
		}
		c.Close()
		done <- b.String()
	}()
	f, err := sys.DialLocal(dir+"/s", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, done
}

// deliver gives a script a message.
func deliver(t *testing.T, s script, d Delivery) (said, heard string, err error) {
	t.Helper()
	f, done := serve(t, s)
	conn := sys.NewDialogue(f, f)
	conn.Timeout(time.Minute)
	d.Early = func() bool { ready, _ := sys.WaitReadable(f, 0); return ready }
	said, err = Deliver(conn, d)
	f.Close()
	return said, <-done, err
}

func delivery(message string) Delivery {
	return Delivery{Name: "m.test", Sender: "joe@a.test", Recipient: "me", Head: "Delivered-To: me\n",
		Message: strings.NewReader(message)}
}

func TestAMessageArrivesAsItIs(t *testing.T) {
	const body = "Subject: x\n\n.\n..\nline"
	const wire = "Delivered-To: me\r\nSubject: x\r\n\r\n..\r\n...\r\nline\r\n.\r\n"
	said, heard, err := deliver(t, script{hello, "LHLO m.test\r\n", offers, "DATA\r\n", agreed, "\r\n.\r\n",
		"250-saved\r\n250 \x1b\xe9here\r\n"}, delivery(body))
	if err != nil || said != "250 saved   here" || heard !=
		"LHLO m.test\r\nMAIL FROM:<joe@a.test> BODY=8BITMIME\r\nRCPT TO:<me>\r\nDATA\r\n"+wire {
		t.Errorf("%q, %v: %q", said, err, heard)
	}
	d := delivery(body)
	d.Sender, d.Recipient, d.Name = "", "a b\xe9@c.test", "no name"
	said, heard, err = deliver(t, script{hello, "LHLO localhost\r\n", "250 store\r\n", "MAIL FROM:<>\r\n", "250 ok\r\n",
		"RCPT TO:<\"a b\xe9\"@c.test>\r\n", "250 ok\r\n", "DATA\r\n", "354 go\r\n", "\r\n.\r\n", "250 ok\r\n"}, d)
	if err != nil || said != "250 ok" || !strings.HasSuffix(heard, "DATA\r\n"+wire) {
		t.Errorf("one at a time: %q, %v: %q", said, err, heard)
	}
}

// asked is a server that has read all three commands, and goes on with parts.
func asked(parts ...string) script { return append(script{hello, "\n", offers, "DATA\r\n"}, parts...) }

func TestOnlyARefusalOfRecipientOrMessageIsAFailure(t *testing.T) {
	body := strings.Repeat("0123456789\n", 5_000)
	flood := strings.Repeat("250-x\r\n", 10_000)
	for name, c := range map[string]struct {
		s    script
		kind report.Kind
		text string
	}{
		"a recipient it does not have": {asked("250 ok\r\n550 5.1.1 nobody\r\n503 no\r\n"),
			report.Failure, "550 5.1.1 nobody"},
		"one, one at a time": {script{hello, "\n", "250 x\r\n", "\n", "250 ok\r\n", "\n", "552-5.2.2 full\r\n552 up\r\n"},
			report.Failure, "552 5.2.2 full up"},
		"a message it does not want": {asked(agreed, "\r\n.\r\n", "554 virus\r\n"),
			report.Failure, "554 virus"},
		"a message later":        {asked(agreed, "\r\n.\r\n", "451 busy\r\n"), report.Deferral, "451"},
		"a recipient later":      {asked("250 ok\r\n450 busy\r\n503 no\r\n"), report.Deferral, "450"},
		"a sender refused":       {asked("550 no\r\n550 no\r\n503 no\r\n"), report.Deferral, "550"},
		"DATA refused":           {asked("250 ok\r\n250 ok\r\n554 no\r\n"), report.Deferral, "554"},
		"DATA agreed at once":    {asked("250 ok\r\n250 ok\r\n250 ok\r\n"), report.Deferral, "250"},
		"LHLO refused":           {script{hello, "\n", "500 what\r\n"}, report.Deferral, "500 what"},
		"a greeting that is not": {script{"554 go away\r\n"}, report.Deferral, "554 go away"},
		"no greeting":            {script{""}, report.Deferral, "closed"},
		"half a reply":           {script{hello, "\n", "250-x\r\n"}, report.Deferral, "closed"},
		"closed behind the dot":  {asked(agreed, "\r\n.\r\n", ""), report.Deferral, ""},
		"half a reply to it":     {asked(agreed, "\r\n.\r\n", "250"), report.Deferral, ""},
		"a rest of one":          {asked(agreed, "\r\n.\r\n", "250-saved\r\n"), report.Deferral, ""},
		"closed in the message":  {asked(agreed, "0123456789\r\n", ""), report.Deferral, ""},
		"success before the end": {asked(agreed+"250 saved\r\n", "\r\n.\r\n", ""),
			report.Deferral, "out of turn"},
		"failure before the end": {asked(agreed+"550 no\r\n", "\r\n.\r\n", ""),
			report.Deferral, "out of turn"},
		"two codes":          {script{hello, "\n", "250-x\r\n550 x\r\n"}, report.Deferral, "makes no sense"},
		"no code":            {script{hello, "\n", "2x0 x\r\n"}, report.Deferral, "makes no sense"},
		"a short line":       {script{hello, "\n", "25\r\n"}, report.Deferral, "makes no sense"},
		"a code and letters": {script{hello, "\n", "2500 x\r\n"}, report.Deferral, "makes no sense"},
		"a code of none":     {asked(agreed, "\r\n.\r\n", "650 x\r\n"), report.Deferral, ""},
		"a 3 to the message": {asked(agreed, "\r\n.\r\n", "354 x\r\n"), report.Deferral, ""},
		"HTTP":               {script{"HTTP/1.1 400 Bad Request\r\n\r\n"}, report.Deferral, "makes no sense"},
		"endless lines":      {script{hello, "\n", flood}, report.Deferral, "makes no sense"},
		"an endless line":    {script{"220 " + strings.Repeat("x", 100_000)}, report.Deferral, "makes no sense"},
	} {
		_, _, err := deliver(t, c.s, delivery(body))
		if r, ok := err.(*report.Report); !ok || r.Kind != c.kind || !strings.Contains(r.Text, c.text) || len(r.Text) > 2000 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatIsSilentIsLeft(t *testing.T) {
	for name, s := range map[string]script{
		"at once": {"", "never"}, "at DATA": {hello, "\n", offers, "never"},
		"behind the dot": {hello, "\n", offers, "DATA\r\n", agreed, "never"},
	} {
		f, _ := serve(t, s)
		conn := sys.NewDialogue(f, f)
		conn.Timeout(50 * time.Millisecond)
		_, err := Deliver(conn, delivery("x\n"))
		if r, ok := err.(*report.Report); !ok || r.Kind != report.Deferral {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

func TestAnAddressCannotEndItsLine(t *testing.T) {
	for _, change := range []func(*Delivery){
		func(d *Delivery) { d.Recipient = "me>\r\nRCPT TO:<you" },
		func(d *Delivery) { d.Recipient = "me\x00" },
		func(d *Delivery) { d.Recipient = "" },
		func(d *Delivery) { d.Sender = "a\nb@c.test" },
		func(d *Delivery) { d.Recipient = strings.Repeat("x", 2000) },
	} {
		d := delivery("x\n")
		change(&d)
		_, heard, err := deliver(t, script{hello, "\n", offers}, d)
		if r, ok := err.(*report.Report); !ok || r.Kind != report.Deferral || heard != "" {
			t.Errorf("%q: %v, %q", d.Recipient, err, heard)
		}
	}
}

func TestAMessageThatCannotBeReadIsNotEnded(t *testing.T) {
	d := delivery("")
	d.Message = io.MultiReader(strings.NewReader("Subject: x\n"), broken{})
	_, heard, err := deliver(t, script{hello, "\n", offers, "DATA\r\n", agreed, "\r\n.\r\n", "250 ok\r\n"}, d)
	if r, ok := err.(*report.Report); !ok || r.Kind != report.Deferral || strings.HasSuffix(heard, ".\r\n") {
		t.Errorf("%v, %q", err, heard)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("bad disk") }

// FuzzServer has a server say anything: there is a success only where its last line says so, and never much text.
func FuzzServer(f *testing.F) {
	f.Add([]byte(hello + offers + agreed + "250 ok\r\n"))
	f.Add([]byte(hello + "250 x\r\n" + agreed + "550 no\r\n"))
	f.Add([]byte(hello + offers + "250 ok\r\n450-x\r\n450 y\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		said, err := Deliver(&silent{bytes.NewReader(text)}, delivery("x\n"))
		r := &report.Report{}
		if err != nil {
			r = report.Of(err)
		}
		if err == nil && (!strings.HasPrefix(said, "2") || len(said) > maxSaid || !isASCII(said)) ||
			err != nil && (r.Kind == report.Success || len(r.Text) > 2*maxSaid || !isASCII(r.Text)) {
			t.Errorf("%q: %q, %v", text, said, err)
		}
	})
}

// silent hears nothing, and says what is there a byte at a time.
type silent struct{ *bytes.Reader }

func (silent) Write(b []byte) (int, error) { return len(b), nil }

func (s silent) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(1, len(b))]) }
