//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Addresses of the load, by the kind of delivery.
const sender = userB + "-bo@crash.test"

// bounces is the Maildir of the sender.
const bounces = "Bounces"

// Kinds of recipients that fail: here, and at the sink.
const (
	failsHere  = "bounce, local"
	failsThere = "bounce, remote"
)

// refused is how the sink knows the recipients that it never takes.
const refused = "<refused@"

func recipients() map[string]string {
	return map[string]string{
		failsHere: "nobody@crash.test", failsThere: "refused@remote.test",
		"maildir a": userA + "-md@crash.test", "maildir b": userB + "-md@crash.test",
		"mbox": userA + "-mb@crash.test", "remote": "sink@remote.test",
	}
}

// payload is the body of message id: all of it follows from the id and its size in bytes, so that any damage shows.
func payload(id string, size int) []byte {
	var raw []byte
	for block := 0; len(raw) < size*3/4+3; block++ {
		h := sha256.Sum256([]byte(id + strconv.Itoa(block)))
		raw = append(raw, h[:]...)
	}
	text := base64.StdEncoding.EncodeToString(raw)[:size]
	var b bytes.Buffer
	fmt.Fprintf(&b, "X-Crash-Begin %s %d\n", id, size)
	for len(text) > 72 {
		b.WriteString(text[:72] + "\n")
		text = text[72:]
	}
	fmt.Fprintf(&b, "%s\nX-Crash-End %s\n", text, id)
	return b.Bytes()
}

func message(id string, size int) []byte {
	head := fmt.Sprintf("From: <%s>\nSubject: crash test\nMessage-ID: <%s@crash.test>\n\n", sender, id)
	return append([]byte(head), payload(id, size)...)
}

const mark = "X-Crash-Begin "

// payloads returns the ids of the payloads that begin in data, and which of them are whole.
func payloads(data []byte) (whole []string, broken int, end int) {
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(mark))
		if i < 0 {
			return whole, broken, end
		}
		at += i
		line, _, _ := strings.Cut(string(data[at+len(mark):min(len(data), at+200)]), "\n")
		id, number, _ := strings.Cut(line, " ")
		size, err := strconv.Atoi(number)
		if err != nil || size <= 0 || size > 1<<20 {
			broken++
			at += len(mark)
			continue
		}
		want := payload(id, size)
		if bytes.HasPrefix(data[at:], want) {
			whole = append(whole, id)
			end = at + len(want)
			at = end
		} else {
			broken++
			at += len(mark)
		}
	}
}

// bounced returns the kinds of recipients that a bounce is about.
func bounced(data []byte) (kinds []string) {
	notes, _, _ := bytes.Cut(data, []byte("--- Below this line"))
	for kind, addr := range recipients() {
		if bytes.Contains(notes, []byte("<"+addr+">:")) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// only returns the id of the message that data is, whole and nothing else after it, or "".
func only(data []byte) string {
	whole, broken, end := payloads(data)
	if len(whole) == 1 && broken == 0 && end == len(data) {
		return whole[0]
	}
	return ""
}
