package remote

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestNobodyOfAGroupBouncesOrWaitsForALimitOfItsHost(t *testing.T) {
	for _, at := range []string{"RCPT", "DATA", "."} {
		for _, way := range ways {
			if at == "." && (way == "close" || way == "silence") {
				continue // nobody knows whether it has the message
			}
			t.Run(at+" "+way, func(t *testing.T) {
				t.Parallel()
				h := &host{fault: func(x exchange) string {
					if x.verb == at && (x.recipients > 3 || at == "RCPT" && x.recipients == 3) {
						return way
					}
					return ""
				}}
				s := serve(t, h.serve)
				g := newRig(t, s)
				if got := g.send(testMessage, letters("abcdefg")...); !all(got, 7) {
					t.Errorf("%q", got)
				}
				first := h.messages()
				if sorted(first) != "abcdefg" {
					t.Errorf("it took %q", first)
				}
				// The next message knows.
				h.fault = func(x exchange) string {
					if x.recipients > 3 {
						t.Errorf("a group of %d", x.recipients)
					}
					return ""
				}
				if got := g.send(testMessage, letters("abcdefg")...); !all(got, 7) || sorted(h.messages()) != "abcdefg" {
					t.Errorf("again: %q", got)
				}
			})
		}
	}
}

func TestALimitOfAConnectionIsNoReasonToBounceOrToWait(t *testing.T) {
	for _, limit := range []int{1, 3} {
		for _, way := range ways {
			t.Run(fmt.Sprint(limit, way), func(t *testing.T) {
				t.Parallel()
				h := &host{fault: func(x exchange) string {
					switch {
					case x.verb == "RCPT" && strings.Contains(x.line, "<d"):
						return "550 no" // one is dead, and the host says it in the words of its limit
					case x.verb == "RCPT" && x.session >= limit:
						return way
					}
					return ""
				}}
				got := newRig(t, serve(t, h.serve)).send(testMessage, letters("abcdefg")...)
				parts := strings.Split(got, "|")
				if len(parts) != 9 || !strings.HasPrefix(parts[3], "h10.0.0.1 does not like recipient.\n") ||
					parts[7][0] != 'K' || sorted(h.messages()) != "abcefg" {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

func TestBrokenPipeliningCostsOneTryInLockstepAndIsRemembered(t *testing.T) {
	faults := map[string]func(x exchange) string{
		"acts on one command of a packet": func(x exchange) string {
			if x.ahead {
				return "flush"
			}
			return ""
		},
	}
	for _, way := range ways {
		for _, verb := range []string{"MAIL", "RCPT", "DATA"} {
			faults[verb+" "+way] = func(x exchange) string {
				if x.ahead && x.verb == verb {
					return way
				}
				return ""
			}
		}
	}
	for name, fault := range faults {
		for _, to := range []string{"a", "abc"} {
			t.Run(name+" "+to, func(t *testing.T) {
				t.Parallel()
				h := &host{fault: fault}
				s := serve(t, h.serve)
				g := newRig(t, s)
				if got := g.send(testMessage, letters(to)...); !all(got, len(to)) || sorted(h.messages()) != to {
					t.Errorf("%q", got)
				}
				before := s.connections()
				if got := g.usual(); got != accepted || s.connections() != before+1 {
					t.Errorf("again: %q, %d connections", got, s.connections()-before)
				}
			})
		}
	}
}

func TestWhatMAILSaysOfTheMessageIsLeftOutWhereItHurts(t *testing.T) {
	for _, offers := range []string{"250-SIZE\n", "250-SIZE\n250-PIPELINING\n"} {
		for _, way := range append(ways, "501 syntax", "555 unknown parameter", "552 too large") {
			t.Run(way, func(t *testing.T) {
				t.Parallel()
				h := &host{fault: func(x exchange) string {
					switch {
					case x.verb == "EHLO":
						return "250-fake\n" + offers + "250 HELP"
					case x.verb == "MAIL" && strings.Contains(x.line, "SIZE="):
						return way
					}
					return ""
				}}
				s := serve(t, h.serve)
				g := newRig(t, s)
				if got := g.usual(); got != accepted {
					t.Errorf("%q", got)
				}
				before := s.connections()
				if got := g.usual(); got != accepted || s.connections() != before+1 {
					t.Errorf("again: %q, %d connections", got, s.connections()-before)
				}
			})
		}
	}
}

func TestAMessageOverTheSizeThatTheHostOffersIsNotSentToLearnIt(t *testing.T) {
	s := serve(t, smtp("250-SIZE 10\r\n", map[string]string{"MAIL": "552 too large\r\n"}))
	if got := newRig(t, s).usual(); got[0] != 'D' || s.connections() != 1 {
		t.Errorf("%q, %d connections", got, s.connections())
	}
}

func TestHELOFollowsAnEHLOThatFailsInAnyWay(t *testing.T) {
	for _, way := range append(ways, "501 no", "502 no", "504 no", "599 no", "521 no") {
		for _, after := range []bool{false, true} { // whether the connection is of no use after that
			t.Run(fmt.Sprint(way, after), func(t *testing.T) {
				t.Parallel()
				spoiled := false
				h := &host{fault: func(x exchange) string {
					switch {
					case x.verb == "EHLO":
						return way
					case x.verb == "MAIL" && spoiled:
						return "503 what?"
					}
					return ""
				}}
				if after {
					old := h.fault
					h.fault = func(x exchange) string {
						if x.verb == "HELO" && !x.ehlo && way[0] == '5' && !spoiled {
							spoiled = true
							return "close"
						}
						spoiled = false
						return old(x)
					}
				}
				g := newRig(t, serve(t, h.serve))
				if got := g.usual(); got != accepted {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

func TestHELOFollowsWhereAfterEHLONothingIsInItsPlace(t *testing.T) {
	h := &host{fault: func(x exchange) string {
		if x.ehlo && x.verb != "EHLO" {
			return "503 say HELO"
		}
		return ""
	}}
	if got := newRig(t, serve(t, h.serve)).usual(); got != accepted {
		t.Errorf("%q", got)
	}
}

func TestKeptConnectionThatIsOfNoUseCostsNobodyAnything(t *testing.T) {
	for _, at := range []string{"MAIL", "RCPT", "DATA", "."} {
		for _, way := range ways {
			if at == "." && (way == "close" || way == "silence") {
				continue
			}
			for _, to := range []string{"a", "abc"} {
				t.Run(at+" "+way+" "+to, func(t *testing.T) {
					t.Parallel()
					h := &host{fault: func(x exchange) string {
						if x.verb == at && x.transaction > 1 {
							return way
						}
						return ""
					}}
					g := keeping(t, serve(t, h.serve))
					g.usual()
					h.messages()
					if got := g.send(testMessage, letters(to)...); !all(got, len(to)) || sorted(h.messages()) != to {
						t.Errorf("%q", got)
					}
				})
			}
		}
	}
}

func TestAListOfDeadUsersIsNoFlood(t *testing.T) {
	const n = 1000
	for _, refusal := range []string{"550 5.1.1 no such user", "550 no", "450 4.7.1 greylisted", "550 no user @"} {
		h := &host{}
		h.fault = func(x exchange) string {
			if x.verb == "RCPT" {
				return strings.ReplaceAll(refusal, "@", x.line[8:])
			}
			return ""
		}
		s := serve(t, h.serve)
		args := []string{"far.test", "a@b.test"}
		for i := range n {
			args = append(args, fmt.Sprintf("user%d@far.test", i))
		}
		g := newRig(t, s)
		g.control("timeoutremote", "20\n")
		got := g.send(testMessage, args...)
		letter := map[byte]string{'5': "h", '4': "s"}[refusal[0]]
		if strings.Count(got, letter+"10.0.0.1 does not like recipient.\n") != n || strings.Count(got, "|") != n+1 {
			t.Errorf("%.300q", got)
		}
		if asked := h.questions(); s.connections() > 4 || asked > 2*n+4 {
			t.Errorf("%s: %d connections, %d questions", refusal, s.connections(), asked)
		}
	}
}

func TestAHostThatEndsConnectionsWithDeadUsersIsAskedForAll(t *testing.T) {
	h := &host{}
	s := serve(t, func(p peer) {
		dead := 0
		(&host{fault: func(x exchange) string {
			if x.verb == "RCPT" && !strings.Contains(x.line, "live") {
				if dead++; dead > 10 {
					return "421 too many errors"
				}
				return "550 5.1.1 no such user"
			}
			return ""
		}}).serve(p)
	})
	args := []string{"far.test", "a@b.test"}
	for i := range 60 {
		args = append(args, fmt.Sprintf("dead%d@far.test", i))
	}
	args = append(args, "live@far.test")
	got := newRig(t, s).send(testMessage, args...)
	if strings.Count(got, "h10.0.0.1 does not like recipient.\n") != 60 || !strings.Contains(got, "|r|K") ||
		s.connections() > 20 {
		t.Errorf("%d connections, %q", s.connections(), got)
	}
	h.messages()
}

func TestOneRefusalProvesAHostHonest(t *testing.T) {
	s := serve(t, smtp(pipelining, map[string]string{"RCPT": "550 5.1.1 no\r\n"}))
	g := newRig(t, s)
	for i, want := range []int{2, 3, 4} {
		if got := g.usual(); got[0] != 'h' || s.connections() != want {
			t.Errorf("%d: %q, %d connections", i, got, s.connections())
		}
	}
}

func TestWhatMayHaveArrivedIsNotSentAgain(t *testing.T) {
	for _, to := range []string{"a", "abc"} {
		var texts atomic.Int32
		h := &host{fault: func(x exchange) string {
			if x.verb == "." {
				texts.Add(1)
				return "close"
			}
			return ""
		}}
		s := serve(t, h.serve)
		r := newRig(t, s).send(testMessage, letters(to)...)
		if r != strings.Repeat("r|", len(to))+"ZConnected to 10.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n|" ||
			texts.Load() != 1 || s.connections() != 1 {
			t.Errorf("%q, %d times", r, texts.Load())
		}
	}
}

func TestControlFileTurnsPipeliningOff(t *testing.T) {
	for _, line := range []string{"far.test", "FAR.test", ".test", "10.0.0.1", "mx.far.example", ".far.example"} {
		h := &host{fault: func(x exchange) string {
			if x.ahead {
				t.Errorf("%s: %q was pipelined", line, x.line)
			}
			return ""
		}}
		g := newRig(t, serve(t, h.serve))
		g.dns.mx["far.test"] = mxs("1 mx.far.example")
		g.dns.addrs["mx.far.example"] = []string{"10.0.0.1"}
		g.control("nopipelining", "# x\n"+line+"\n")
		if got := g.send(testMessage, letters("abc")...); !all(got, 3) || len(h.messages()) != 1 {
			t.Errorf("%q", got)
		}
	}
}

func TestALongMessageCanBeSentMoreThanOnce(t *testing.T) {
	long := strings.Repeat("a line of some length\n", 10000)
	h := &host{fault: func(x exchange) string {
		if x.verb == "." && x.recipients > 1 {
			return "554 no"
		}
		return ""
	}}
	s := serve(t, h.serve)
	g := newRig(t, s)
	g.control("timeoutremote", "20\n")
	if got := g.send(long, letters("ab")...); !all(got, 2) || sorted(h.messages()) != "ab" {
		t.Errorf("%q", got)
	}
	g.Rest()
	if n := strings.Count(s.wires()[0], "a line of some length\r\n"); n < 20000 {
		t.Errorf("%d lines", n)
	}
}

func TestAHostThatAlwaysHangsIsNotAskedForEveryRecipient(t *testing.T) {
	h := &host{fault: func(x exchange) string {
		if x.verb == "RCPT" {
			return "silence"
		}
		return ""
	}}
	start := time.Now()
	got := newRig(t, serve(t, h.serve)).send(testMessage, letters("abcdefghijklmnopqrstuvwxyz")...)
	if strings.Count(got, "|") != 27 || strings.Contains(got, "r|") || strings.Contains(got, "h10") ||
		time.Since(start) > 15*time.Second {
		t.Errorf("%v, %q", time.Since(start), got)
	}
}
