package peerlog

import (
	"slices"
	"strconv"
	"strings"
)

// A Line is one that a Log wrote, read.
type Line struct {
	Program string
	Address string
	Pid     uint64
	Text    string
	Pairs   []string // a word of ours, then one of the client's, and so on
}

// Parse reads a line, without its newline and without any time stamp.
func Parse(s string) (l Line, ok bool) {
	var pid string
	if !strings.HasPrefix(s, "qmail-") && !strings.HasPrefix(s, "tcp-env: ") {
		return l, false
	}
	if l.Program, s, ok = strings.Cut(s, ": "); !ok || strings.IndexByte(l.Program, ' ') >= 0 {
		return l, false
	}
	if l.Address, s, ok = strings.Cut(s, " pid "); !ok || strings.IndexByte(l.Address, ' ') >= 0 {
		return l, false
	}
	if pid, s, ok = strings.Cut(s, ": "); !ok {
		return l, false
	}
	l.Pid, l.Text, l.Pairs = 0, s, nil
	var err error
	if l.Pid, err = strconv.ParseUint(pid, 10, 64); err != nil {
		return l, false
	}
	for strings.HasSuffix(l.Text, ">") {
		i := strings.LastIndexByte(l.Text, ' ')
		if i < 0 || !strings.HasPrefix(l.Text[i:], " <") {
			break
		}
		value := l.Text[i+2 : len(l.Text)-1]
		k := strings.LastIndexByte(l.Text[:i], ' ')
		l.Pairs = append(l.Pairs, value, l.Text[k+1:i])
		l.Text = l.Text[:max(k, 0)]
	}
	slices.Reverse(l.Pairs)
	return l, true
}

// Get returns the client's word behind one of ours.
func (l Line) Get(word string) string {
	for i := 0; i+1 < len(l.Pairs); i += 2 {
		if l.Pairs[i] == word {
			return l.Pairs[i+1]
		}
	}
	return ""
}
