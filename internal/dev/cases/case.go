// Package cases runs the recorded cases of testdata/cases: what C qmails did, command by command, held against what
// the installed programs do.
package cases

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Case is one recorded case. Its strings are bytes: a character of the JSON text is the byte of that number.
type Case struct {
	Command
	ID   string `json:"id"`
	Note string `json:"note"`
	// "": a command; "system": the daemons as well; "syslog": a command that logs
	Kind    string             `json:"kind"`
	Control map[string]*string `json:"control"`
	Users   map[string]string  `json:"users"`
	Setup   []Put              `json:"setup"`
	Pre     []Command          `json:"pre"`
	// qmail-queue is replaced by a program that keeps what it is given and exits so
	Capture    *int              `json:"capture"`
	Servers    []ServerSpec      `json:"servers"`
	Collect    []json.RawMessage `json:"collect"`
	Actions    []Action          `json:"actions"`
	StartArgs  []string          `json:"start_args"`
	NoStart    bool              `json:"no_autostart"`
	Compare    Compare           `json:"compare"`
	SortLog    bool              `json:"sort_log"`
	NoStatus   bool              `json:"no_status"`
	Settle     float64           `json:"settle"`
	Expect     []Expectation     `json:"expect"`
	substitute []substitution
}

// A Command is a program to run and its surroundings.
type Command struct {
	Argv      []string           `json:"argv"`
	Env       map[string]*string `json:"env"`
	Stdin     any                `json:"stdin"` // text, or {"base64": ...}
	StdinMode string             `json:"stdin_mode"`
	FD1In     *string            `json:"fd1_in"`
	AsUser    string             `json:"as_user"`
	Umask     string             `json:"umask"`
	Cwd       string             `json:"cwd"`
	CloseFDs  []int              `json:"close_fds"`
	Timeout   float64            `json:"timeout"`
	LocalIP   string             `json:"local_ip"`
	RemoteIP  string             `json:"remote_ip"`
}

// A Put is a file to make.
type Put struct {
	Path     string  `json:"path"`
	Type     string  `json:"type"`
	Content  string  `json:"content"`
	Owner    string  `json:"owner"`
	Mode     string  `json:"mode"`
	Target   string  `json:"target"`
	MtimeAgo float64 `json:"mtime_ago"`
	Tcpto    [][]any `json:"tcpto"` // address, count, seconds ago
}

// An Action is a step of a whole-system case.
type Action struct {
	Command
	Put
	Do      string  `json:"do"`
	Check   *bool   `json:"check"`
	Regex   string  `json:"regex"`
	Count   int     `json:"count"`
	Sig     string  `json:"sig"`
	Secs    float64 `json:"secs"`
	Server  string  `json:"server"`
	Text    string  `json:"text"`
	Timeout float64 `json:"timeout"`
}

// A Compare says what to do with both sides before they are compared.
type Compare struct {
	Ignore []string    `json:"ignore"`
	Sort   []string    `json:"sort"`
	Subst  [][2]string `json:"subst"`
}

// An Expectation is what some peers did.
type Expectation struct {
	Peers    []string       `json:"peers"`
	Observed map[string]any `json:"observed"`
}

// Load reads the cases below folder testdata, with those of deviations.json in the place of the recorded ones.
func Load(testdata string) ([]*Case, error) {
	files, err := filepath.Glob(filepath.Join(testdata, "cases/*.json"))
	if err != nil {
		return nil, err
	}
	all, err := read(files...)
	if err != nil {
		return nil, err
	}
	ours, err := Deviations(testdata)
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		if d, ok := ours[c.ID]; ok {
			all[i] = d
		}
	}
	return all, nil
}

// Deviations returns the cases in which this suite differs on purpose, with what it does there.
func Deviations(testdata string) (map[string]*Case, error) {
	list, err := read(filepath.Join(testdata, "deviations.json"))
	if err != nil {
		return nil, err
	}
	m := make(map[string]*Case, len(list))
	for _, c := range list {
		m[c.ID] = c
	}
	return m, nil
}

func read(files ...string) ([]*Case, error) {
	var all []*Case
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var some []*Case
		if err := json.Unmarshal(text, &some); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		for _, c := range some {
			for i := range c.Expect {
				c.Expect[i].Observed = bytesOf(c.Expect[i].Observed).(map[string]any)
			}
			if err := c.compile(); err != nil {
				return nil, fmt.Errorf("%s: %w", c.ID, err)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

// raw turns characters into the bytes of their numbers.
func raw(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// bytesOf is raw for every string of a JSON value, keys included.
func bytesOf(v any) any {
	switch v := v.(type) {
	case string:
		return raw(v)
	case []any:
		for i := range v {
			v[i] = bytesOf(v[i])
		}
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[raw(k)] = bytesOf(x)
		}
		return m
	}
	return v
}

// input returns the bytes of a command's standard input.
func (e *bed) input(c Command) ([]byte, error) {
	switch v := c.Stdin.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(e.fill(raw(v))), nil
	case map[string]any:
		s, _ := v["base64"].(string)
		return base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	}
	return nil, fmt.Errorf("stdin is a %T", c.Stdin)
}
