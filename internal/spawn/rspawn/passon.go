package rspawn

import (
	"bytes"
	"io"
	"os"
	"time"

	"qmail/internal/site/srs"
	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

// sender returns the sender that a message leaves with: an address of ours where it is passed on for somebody else, and
// the administrator wants that.
func (r *Deliverer) sender(sender string, message *os.File) (string, *report.Report) {
	if sender == "" || !srs.On(r.choice.control) {
		return sender, nil
	}
	passed, err := isPassedOn(message)
	if err != nil {
		return "", report.Defer("4.3.0", "Unable to read the message.")
	}
	if passed {
		if sender, err = srs.Sender(r.choice.control, sender, time.Now()); err != nil {
			return "", report.Defer("4.3.5", "Unable to rewrite the sender: "+err.Error()+".")
		}
	}
	return sender, nil
}

// maxTop is how much of a message is looked at for what our own programs have written on top.
const maxTop = 64 << 10

// isPassedOn reports whether a message that lies in the queue has been delivered here and passed on: its Delivered-To
// stands above all that servers have written, this host's among them. On top of it there is qmail-queue's line.
func isPassedOn(message io.ReaderAt) (bool, error) {
	buf := make([]byte, 0, 2<<10)
	for {
		n, err := message.ReadAt(buf[len(buf):cap(buf)], int64(len(buf)))
		buf = buf[:len(buf)+n]
		if err != nil && err != io.EOF {
			return false, err
		}
		if passed, known := passedOn(buf); known || err == io.EOF || len(buf) >= maxTop {
			return passed, nil
		}
		buf = append(make([]byte, 0, min(4*cap(buf), maxTop)), buf...)
	}
}

// passedOn looks at the lines that are whole; known is false where more of them are wanted.
func passedOn(text []byte) (passed, known bool) {
	received := 0
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole {
			return false, false
		}
		switch s := string(line[:min(len(line), len("delivered-to:"))]); {
		case s == "":
			return false, true
		case ascii.HasPrefix(s, "delivered-to:"):
			return true, true
		case ascii.HasPrefix(s, "received:"):
			if received++; received == 2 {
				return false, true
			}
		}
		text = rest
	}
	return false, false
}
