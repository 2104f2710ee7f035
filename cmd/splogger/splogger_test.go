package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A fakeLog takes messages, except while it is away.
type fakeLog struct {
	got   []string
	away  int // messages it will not take
	waits []time.Duration
	now   time.Time
}

func (f *fakeLog) Send(b []byte, end time.Time) error {
	f.waits = append(f.waits, end.Sub(f.now))
	if f.away > 0 {
		f.away--
		return errors.New("away")
	}
	f.got = append(f.got, string(b))
	return nil
}

func run(text string, away int) *fakeLog {
	f := &fakeLog{away: away, now: time.Unix(1_000_000_000, 1_234_000)}
	l := &logger{tag: "t", facility: 2, now: func() time.Time { return f.now }, zone: time.UTC, to: f}
	l.run(strings.NewReader(text))
	return f
}

func TestEachLineIsAMessageOfItsLevel(t *testing.T) {
	const head, stamp = "Sep  9 01:46:40 t: ", "1000000000.001234"
	x := strings.Repeat("x", longest)
	for in, want := range map[string][]string{
		"":                        nil,
		"a\n\nb\nc":               {"<22>" + head + stamp + " a", "<22>" + head + stamp + " b"},
		"alert: a\nwarning: b\n":  {"<17>" + head + stamp + " alert: a", "<20>" + head + stamp + " warning: b"},
		"Alert: a\n warning: b\n": {"<22>" + head + stamp + " Alert: a", "<22>" + head + stamp + "  warning: b"},
		"\x01\x80\tb\n":           {"<22>" + head + stamp + " ???b"},
		x + "\n":                  {"<22>" + head + stamp + " " + x},
		x + "yy\n":                {"<22>" + head + stamp + " " + x, "<22>" + head + stamp + "+yy"},
		"alert:" + x + x + "alert:\nb\n": {
			"<17>" + head + stamp + " alert:" + x[6:], "<17>" + head + stamp + "+" + x,
			"<17>" + head + stamp + "+xxxxxxalert:", "<22>" + head + stamp + " b",
		},
	} {
		if got := run(in, 0).got; !reflect.DeepEqual(got, want) {
			t.Errorf("%.20q: %q, want %q", in, got, want)
		}
	}
}

func TestWhileTheLoggerIsAwayOnlyTheFirstLineWaitsAndTheLossIsToldAfterwards(t *testing.T) {
	f := run("a\nb\nc\nd\n", 2)
	if len(f.got) != 3 || !strings.HasSuffix(f.got[0], " c") || !strings.Contains(f.got[1], "<20>") ||
		!strings.Contains(f.got[1], "lost 2 lines") || !strings.HasSuffix(f.got[2], " d") {
		t.Errorf("%q", f.got)
	}
	if f.waits[0] != patience || f.waits[1] != 0 || f.waits[2] != 0 || f.waits[4] != patience {
		t.Error(f.waits)
	}
}

func TestAFacilityThatIsNoNumberIsTheKernels(t *testing.T) {
	for in, want := range map[string]int{
		"2": 2, "23": 23, "16x": 16, "": 0, "local0": 0, "-1": 0, "24": mail, "99999999999999999999": mail,
	} {
		if got := facility(in); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}
