package remote

import (
	"strings"
	"testing"
	"time"
)

// hurried delivers the usual message to a server that keeps silent at some point, and hurries until that has an end.
func hurried(t *testing.T, silent func(p peer, quiet <-chan struct{})) string {
	quiet := make(chan struct{})
	s := serve(t, func(p peer) { silent(p, quiet) })
	t.Cleanup(func() { close(quiet) })
	g := newRig(t, s)
	g.control("timeoutremote", "60\n")
	over := make(chan string)
	go func() { over <- g.usual() }()
	for end := time.After(time.Minute); ; {
		select {
		case report := <-over:
			return report
		case <-end:
			t.Fatal("it does not end")
		case <-time.After(10 * time.Millisecond):
			g.Hurry(50 * time.Millisecond)
		}
	}
}

func TestWhoeverIsSilentWhileOthersWaitLosesTheDelivery(t *testing.T) {
	for name, silent := range map[string]func(peer, <-chan struct{}){
		"from the start": func(_ peer, quiet <-chan struct{}) { <-quiet },
		"after EHLO": func(p peer, quiet <-chan struct{}) {
			p.send("220 x\r\n")
			p.line()
			<-quiet
		},
		"after MAIL": func(p peer, quiet <-chan struct{}) {
			p.send("220 x\r\n")
			p.line()
			p.send("250 x\r\n")
			p.line()
			<-quiet
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hurried(t, silent); !strings.Contains(got, "Z") ||
				!strings.Contains(got, "but it was silent while others waited. (#4.4.2)") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestWhoeverMayHaveTheMessageIsNotHurried(t *testing.T) {
	got := hurried(t, func(p peer, _ <-chan struct{}) {
		p.send("220 x\r\n")
		for range 3 {
			p.line()
			p.send("250 x\r\n")
		}
		p.line()
		p.send("354 go\r\n")
		p.data()
		time.Sleep(500 * time.Millisecond) // much longer than anybody else is let wait
		p.send("250 taken\r\n")
	})
	if got != accepted {
		t.Errorf("%q", got)
	}
}
