package metrics

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/queue"
	"qmail/internal/send/messages"
	"qmail/internal/sys/counters"
	"qmail/internal/sys/passwd"
)

// full is a page with every family in it, and numbers that differ.
func full() []byte {
	var s counters.Slots
	for n := range s {
		s[n] = uint64(n) * 3
	}
	var t text
	t.queue(survey{older: make([]uint64, len(ages())), whole: true})
	t.sending(&s)
	t.sessions(&s)
	return t.b
}

// parse reads the text format 0.0.4 as strictly as it is defined, and returns the value of each sample and the kind of
// each family.
func parse(t *testing.T, page []byte) (samples map[string]uint64, kinds map[string]string) {
	t.Helper()
	samples, kinds = map[string]uint64{}, map[string]string{}
	line := regexp.MustCompile(`^([a-z][a-z0-9_]*)(\{[a-z]+="[^"\\]+"(?:,[a-z]+="[^"\\]+")*\})? ([0-9]+)$`)
	if !bytes.HasSuffix(page, []byte("\n")) {
		t.Error("the last line has no end")
	}
	family, helped := "", ""
	for _, l := range strings.Split(strings.TrimSuffix(string(page), "\n"), "\n") {
		w := strings.SplitN(l, " ", 4)
		switch {
		case len(w) == 4 && w[0] == "#" && w[1] == "HELP":
			helped = w[2]
		case len(w) == 4 && w[0] == "#" && w[1] == "TYPE":
			if w[2] != helped || kinds[w[2]] != "" {
				t.Errorf("%q: twice, or without HELP", l)
			}
			family, kinds[w[2]] = w[2], w[3]
			if strings.HasSuffix(w[2], "_total") != (w[3] == "counter") {
				t.Errorf("%q: a counter's name, and nothing else's, ends in _total", l)
			}
		default:
			m := line.FindStringSubmatch(l)
			if m == nil {
				t.Fatalf("no sample: %q", l)
			}
			name := m[1]
			if kinds[family] == "histogram" {
				for _, end := range []string{"_bucket", "_sum", "_count"} {
					name = strings.TrimSuffix(name, end)
				}
			}
			if name != family {
				t.Errorf("%q stands in family %s", l, family)
			}
			if _, ok := samples[m[1]+m[2]]; ok {
				t.Errorf("%q comes twice", l)
			}
			v, err := strconv.ParseUint(m[3], 10, 64)
			if err != nil {
				t.Error(err)
			}
			samples[m[1]+m[2]] = v
		}
	}
	return samples, kinds
}

func TestThePageIsInPrometheusTextFormat(t *testing.T) {
	samples, _ := parse(t, full())
	for _, channel := range []string{"local", "remote"} {
		last := uint64(0)
		for _, le := range append(counters.Bounds(), math.MaxInt64) {
			name := strconv.FormatInt(le, 10)
			if le == math.MaxInt64 {
				name = "+Inf"
			}
			v, ok := samples[`qmail_delivery_delay_seconds_bucket{channel="`+channel+`",le="`+name+`"}`]
			if !ok || v < last {
				t.Errorf("%s, bucket %s: %d after %d", channel, name, v, last)
			}
			last = v
		}
		if samples[`qmail_delivery_delay_seconds_count{channel="`+channel+`"}`] != last {
			t.Errorf("%s: the count is not that of the last bucket", channel)
		}
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		cmd := exec.Command(promtool, "check", "metrics")
		cmd.Stdin = bytes.NewReader(full())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func TestRulesDashboardAndManualNameNothingThatIsNotThere(t *testing.T) {
	_, kinds := parse(t, full())
	word := regexp.MustCompile(`qmail_[a-z0-9_]+`)
	for _, path := range []string{
		"boot/prometheus/qmail.rules.yml", "boot/grafana/qmail.json", "docs/man/qmail-stats.8",
	} {
		b, err := os.ReadFile("../../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		names := word.FindAllString(string(b), -1)
		if len(names) == 0 {
			t.Errorf("%s names nothing", path)
		}
		said := map[string]bool{}
		for _, n := range names {
			said[n] = true
			if kinds[n] == "" && kinds[strings.TrimSuffix(n, "_bucket")] != "histogram" {
				t.Errorf("%s: there is no %s", path, n)
			}
		}
		for n := range kinds {
			if strings.HasSuffix(path, ".8") && !said[n] {
				t.Errorf("%s says nothing of %s", path, n)
			}
		}
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		out, err := exec.Command(promtool, "check", "rules", "../../../boot/prometheus/qmail.rules.yml").CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// A dashboard that Grafana cannot read, or with a panel that asks for nothing of ours, shows nothing and says so to
// nobody.
func TestEveryPanelOfTheDashboardAsksForANumberOfOurs(t *testing.T) {
	b, err := os.ReadFile("../../../boot/grafana/qmail.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Error("there is no panel")
	}
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%s asks for nothing", p.Title)
		}
		for _, q := range p.Targets {
			if !strings.Contains(q.Expr, "qmail_") || strings.Count(q.Expr, "(") != strings.Count(q.Expr, ")") {
				t.Errorf("%s: %s", p.Title, q.Expr)
			}
		}
	}
}

func TestAMessageIsCountedByWhatItWaitsFor(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := survey{older: make([]uint64, len(ages()))}
	wait := messages.Recipient{Channel: queue.Remote}
	kept := messages.Recipient{Channel: queue.Remote, Held: true}
	done := messages.Recipient{Channel: queue.Local, Done: true}
	for _, m := range []messages.Message{
		{Birth: now, Size: 5, Todo: true, Recipients: []messages.Recipient{{}, {}}},
		{Birth: now.Add(-time.Hour - time.Second), Size: 7, Recipients: []messages.Recipient{wait, kept, done}},
		{Birth: now.Add(time.Hour), Recipients: []messages.Recipient{kept, done}}, // by a clock that was wrong
	} {
		s.add(&m, now)
	}
	if s.messages != [3]uint64{1, 1, 1} || s.recipients != [2][3]uint64{{2, 0, 0}, {0, 1, 2}} || s.bytes != 12 ||
		s.oldest != 3601 || s.older[2] != 1 || s.older[3] != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFilesAreMadeOnceAndNotThroughALink(t *testing.T) {
	home, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	me := passwd.IDs{Send: os.Getuid(), Daemon: os.Getuid(), Qmail: os.Getgid()}
	if err := os.WriteFile(victim, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := create(home, me); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "stats", "session")
	if fi, err := os.Lstat(file); err != nil || fi.Mode() != 0o640 || fi.Size() != counters.Size {
		t.Fatal(fi, err)
	}
	if err := os.WriteFile(file, []byte("what was counted"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := create(home, me); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(file); string(b) != "what was counted" {
		t.Errorf("counts are lost: %q", b)
	}
	os.Remove(file)
	if err := os.Symlink(victim, file); err != nil {
		t.Fatal(err)
	}
	if err := create(home, me); err == nil {
		t.Error("a link in the place of the file is taken for it")
	}
	if fi, err := os.Stat(victim); err != nil || fi.Size() != 1 || fi.Mode() != 0o600 {
		t.Error("what the link led to was changed")
	}
}
