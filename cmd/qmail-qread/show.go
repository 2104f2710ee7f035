package main

import (
	"bufio"
	"encoding/json"
	"strconv"
	"time"

	"qmail/internal/text/ascii"
)

// plain writes a message as qmail-qread(8) always did.
func plain(w *bufio.Writer, m *message) {
	w.WriteString(m.birth.UTC().Format("2 Jan 2006 15:04:05") + " GMT  #" + m.id.String() + "  ")
	w.WriteString(strconv.FormatInt(m.size, 10) + "  <" + safe(m.sender) + "> ")
	if m.bouncing {
		w.WriteString(" bouncing")
	}
	w.WriteByte('\n')
	for _, r := range m.recipients {
		if r.done {
			w.WriteString("  done")
		}
		w.WriteString("\t" + r.channel.String() + "\t" + safe(r.address) + "\n")
	}
}

// safe makes text safe for a terminal.
func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 33 || c > 126 {
			b[i] = '_'
		}
	}
	return string(b)
}

// The JSON form. Names and meaning are those of qmail-qread(8).
type jsonMessage struct {
	ID         uint64          `json:"id"`
	Birth      time.Time       `json:"birth"`
	Size       int64           `json:"size"`
	Sender     string          `json:"sender"`
	State      string          `json:"state"` // todo or queued
	Bouncing   bool            `json:"bouncing"`
	Recipients []jsonRecipient `json:"recipients"`
}

type jsonRecipient struct {
	Channel   string     `json:"channel"`
	Recipient string     `json:"recipient"`
	State     string     `json:"state"` // waiting, done or failed
	Next      *time.Time `json:"next_attempt,omitempty"`
	Failure   string     `json:"last_failure,omitempty"`
}

// object writes a message as one line of JSON.
func object(w *bufio.Writer, m *message) {
	j := jsonMessage{ID: uint64(m.id), Birth: m.birth.UTC(), Size: m.size, Sender: m.sender, State: "queued",
		Bouncing: m.bouncing, Recipients: []jsonRecipient{}}
	if m.todo {
		j.State = "todo"
	}
	for _, r := range m.recipients {
		o := jsonRecipient{Channel: r.channel.String(), Recipient: r.address, State: "waiting", Failure: r.failure}
		if r.failure != "" {
			o.State = "failed"
		} else if r.done {
			o.State = "done"
		}
		if !r.next.IsZero() {
			next := r.next.UTC()
			o.Next = &next
		}
		j.Recipients = append(j.Recipients, o)
	}
	b, err := json.Marshal(j)
	if err == nil {
		w.Write(append(b, '\n'))
	}
}

// A selection says which messages are wanted: those that fit one value of each list that is not empty.
type selection struct{ ids, senders, recipients patterns }

type patterns []string

func (s selection) has(m *message) bool {
	if !s.ids.fit(m.id.String()) || !s.senders.fit(m.sender) {
		return false
	}
	if len(s.recipients) == 0 {
		return true
	}
	for _, r := range m.recipients {
		if s.recipients.fit(r.address) {
			return true
		}
	}
	return false
}

func (p patterns) fit(s string) bool {
	for _, x := range p {
		if match(x, s) {
			return true
		}
	}
	return len(p) == 0
}

// match reports whether s is as pattern says, where * stands for any bytes and case does not count.
func match(pattern, s string) bool {
	star, from := -1, 0
	i := 0
	for j := 0; j < len(s); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case i < len(pattern) && ascii.LowerByte(pattern[i]) == ascii.LowerByte(s[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
