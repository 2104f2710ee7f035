package smtpd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

// An adviser says something at single stages, and notes what it was told.
type adviser struct {
	says map[Stage]Advice
	told map[Stage]Visit
	env  []string // at the last stage
}

func (a *adviser) Ask(stage Stage, v *Visit, env []string) Advice {
	a.told[stage], a.env = *v, env
	s, ok := a.says[stage]
	if s.Address == "" {
		s.Address = v.Recipient
		if stage == AtMail {
			s.Address = v.Sender
		}
	}
	if ok && s.Env != nil {
		s.Env = environ.With(env, s.Env...)
	}
	return s
}

// advised holds a whole session with plugins that say so.
func advised(t *testing.T, says map[Stage]Advice, input string) (
	replies, log string, code exit.Code, a *adviser, w *world,
) {
	t.Helper()
	w = newWorld(t, map[string]string{
		"me": "m.test\n", "rcpthosts": "m.test\n", "badmailfrom": "bad@b.test\n", "maxrcpt": "3\n",
	}, "LOGREFUSED=")
	var b bytes.Buffer
	s := w.server()
	s.Log = peerlog.Of(&b, "p", w.env, 7)
	a = &adviser{says: says, told: make(map[Stage]Visit)}
	s.Plugins = func() (Plugins, error) { return a, nil }
	s.Doors = func() ([]Door, error) { return []Door{greylist{}}, nil }
	replies, code = w.with(s, input)
	return replies, b.String(), code, a, w
}

const visitor = "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<now@m.test>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n"

func TestPluginsAreToldWhatTheClientSaysAtEachStage(t *testing.T) {
	_, _, _, a, _ := advised(t, nil, "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<n@far.test>\r\nRCPT TO:<now@m.test>\r\n"+
		"RCPT TO:<later@m.test>\r\nDATA\r\n.\r\n")
	v := Visit{IP: "10.1.2.3"}
	for _, c := range []struct {
		stage Stage
		then  func()
	}{
		{AtConnect, func() {}},
		{AtHelo, func() { v.Helo = "x" }},
		{AtMail, func() { v.Sender = "a@b.test" }},
		{AtRcpt, func() { v.Recipient, v.Count, v.Named, v.Hosted = "later@m.test", 1, 3, true }},
		{AtData, func() { v.Recipient = "now@m.test" }},
	} {
		if c.then(); a.told[c.stage] != v {
			t.Errorf("%v: %+v; want %+v", c.stage, a.told[c.stage], v)
		}
	}
}

func TestPluginsRefuseAStageOrEndTheSession(t *testing.T) {
	no := Advice{Reply: "550 no (#5.7.1)", By: "some/plugin"}
	for _, c := range []struct {
		at      Stage
		replies string
	}{
		{AtConnect, "550"},
		{AtHelo, "220 550 250 250 354 250 221"},
		{AtMail, "220 250 550 503 503 502 502 502 221"},
		{AtRcpt, "220 250 250 550 503 502 502 502 221"},
		{AtData, "220 250 250 250 550 502 502 502 221"},
	} {
		replies, log, _, _, _ := advised(t, map[Stage]Advice{c.at: no}, visitor)
		if got := codes(replies); got != c.replies {
			t.Errorf("%v: %s; want %s", c.at, got, c.replies)
		}
		if !strings.Contains(log, no.Reply) || !strings.Contains(log, " plugin <some/plugin>\n") {
			t.Errorf("%v: the log: %s", c.at, log)
		}
		end, before := no, c.replies[:strings.Index(c.replies, "550")]
		end.End = true
		replies, _, code, _, _ := advised(t, map[Stage]Advice{c.at: end}, visitor)
		if got := codes(replies); got != before+"550" || code != ended {
			t.Errorf("%v: %s, %v", c.at, got, code)
		}
		end.Reply = ""
		replies, log, code, _, _ = advised(t, map[Stage]Advice{c.at: end}, visitor)
		if got := codes(replies); got != strings.TrimSpace(before) || code != ended || !strings.Contains(log, "dropped") {
			t.Errorf("%v without a reply: %s, %v, %s", c.at, got, code, log)
		}
	}
}

func TestWhomAPluginVouchesForIsNotCheckedFurther(t *testing.T) {
	const input = "HELO x\r\nMAIL FROM:<bad@b.test>\r\nRCPT TO:<now@m.test>\r\nRCPT TO:<later@m.test>\r\n" +
		"RCPT TO:<a@far.test>\r\nQUIT\r\n"
	for want, says := range map[string]map[Stage]Advice{
		"220 250 250 553 553 553 221": nil,
		"220 250 250 250 450 553 221": {AtMail: {Vouched: true}},
		"220 250 250 250 250 250 221": {AtRcpt: {Vouched: true}},
	} {
		if replies, _, _, _, _ := advised(t, says, input); codes(replies) != want {
			t.Errorf("%s; want %s", codes(replies), want)
		}
	}
}

func TestPluginsChangeAddressesHeaderAndEnvironmentAndSpeakToTheClient(t *testing.T) {
	replies, _, _, _, w := advised(t, map[Stage]Advice{
		AtConnect: {Lines: []string{"one", "two"}},
		AtMail:    {Address: "new@b.test"},
		AtRcpt:    {Address: "now@far.test", Env: []string{"TCPREMOTEIP=changed"}},
		AtData:    {Header: []byte("X-Spam: no\n"), Lines: []string{"three"}},
	}, visitor)
	if !strings.HasPrefix(replies, "220-one\r\n220-two\r\n220 ") || !strings.Contains(replies, "354-three\r\n354 ") {
		t.Errorf("%q", replies)
	}
	for pattern, want := range map[string]string{
		"env.*": "Fnew@b.test\x00Tnow@far.test\x00\x00", "text.*": "\nX-Spam: no\n\nx\n", "seen.*": "changed ",
	} {
		files, _ := filepath.Glob(filepath.Join(w.queue, pattern))
		if len(files) != 1 {
			t.Fatalf("%s: %q; %q", pattern, files, replies)
		}
		if b, _ := os.ReadFile(files[0]); !strings.Contains(string(b), want) {
			t.Errorf("%s: %q", pattern, b)
		}
	}
	replies, _, _, _, _ = advised(t, map[Stage]Advice{
		AtRcpt: {Address: strings.Repeat("x", maxAddress+1)},
	}, visitor)
	if got := codes(replies); got != "220 250 250 451 503 502 502 502 221" {
		t.Errorf("an address that is too long: %s", got)
	}
}

func TestRELAYCLIENTOfAPluginCountsAtOnce(t *testing.T) {
	const input = "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<now@far.test>\r\nQUIT\r\n"
	for at, want := range map[Stage]string{AtConnect: "250", AtMail: "250", AtRcpt: "250", AtData: "553"} {
		replies, _, _, a, _ := advised(t, map[Stage]Advice{at: {Env: []string{"RELAYCLIENT="}}}, input)
		if got := codes(replies); got != "220 250 250 "+want+" 221" {
			t.Errorf("%v: %s", at, got)
		}
		if v := a.told[AtRcpt]; at < AtRcpt && (!v.Relays || !v.Hosted) {
			t.Errorf("%v: %+v", at, v)
		}
	}
}

func TestAFullMessageStartsNoPlugins(t *testing.T) {
	const one = "RCPT TO:<now@m.test>\r\n"
	_, _, _, a, _ := advised(t, nil, "HELO x\r\nMAIL FROM:<a@b.test>\r\n"+strings.Repeat(one, 4)+
		strings.Repeat("RCPT TO:<other@m.test>\r\n", 3)+"QUIT\r\n")
	if v := a.told[AtRcpt]; v.Recipient != "now@m.test" || v.Named != 4 {
		t.Errorf("%+v", v)
	}
}

func TestAPluginMayRefuseALogin(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "m.test\n"})
	a := &adviser{says: map[Stage]Advice{AtLogin: {Reply: "535 not you (#5.7.8)"}}, told: make(map[Stage]Visit)}
	s := w.withTLS(false)
	s.Login, s.Plugins = new(book), func() (Plugins, error) { return a, nil }
	g := visit(t, s)
	login := "AUTH PLAIN " + b64("\x00joe\x00pw") + "\r\n"
	g.say("EHLO x\r\nSTARTTLS\r\n", "220", "250", "220")
	g.encrypt()
	g.say(login+"MAIL FROM:<a@b>\r\nRCPT TO:<x@far.test>\r\n", "535", "250", "553")
	if v := a.told[AtLogin]; v.User != "joe" || v.Mechanism != "PLAIN" {
		t.Errorf("%+v", v)
	}
	delete(a.says, AtLogin)
	g.say("RSET\r\n"+login+"MAIL FROM:<a@b>\r\nRCPT TO:<x@far.test>\r\n", "250", "235", "250", "250")
	if v := a.told[AtRcpt]; v.User != "joe" || !v.Relays {
		t.Errorf("%+v", v)
	}
	if user, _ := environ.Get(a.env, "TCPREMOTEINFO"); user != "joe" {
		t.Errorf("%q", a.env)
	}
	g.say("QUIT\r\n", "221")
	<-g.done
}
