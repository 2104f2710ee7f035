package rspawn

import (
	"bytes"

	"qmail/internal/spawn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// An ending is how the delivery to one recipient ended.
type ending struct {
	kind report.Kind
	text []byte
}

func deferral(text string) ending { return ending{report.Deferral, []byte(text)} }

// read turns the end of a qmail-remote into one ending per recipient; see qmail-remote(8). Its output is
// a part for each recipient (r accepted, h refused, s refused for now) and then one for the message
// (K, Z or D). A run that ends early prints fewer recipients' parts or none, and the last part is for the
// others too; with several recipients only one that was accepted is a success. Every part ends in
// a NUL. Output that is not like that defers them all.
func read(o spawn.Outcome, program string, recipients int) []ending {
	if e, ok := trouble(o, program); ok {
		return repeat(e, recipients)
	}
	unusable := deferral(program + " produced no usable report.\n")
	list := repeat(unusable, recipients)
	var parts [][]byte
	rest := o.Output
	for len(parts) < recipients {
		part, after, whole := bytes.Cut(rest, []byte{0})
		if !whole || !isRecipient(part) {
			break
		}
		parts = append(parts, part)
		rest = after
	}
	text, _, whole := bytes.Cut(rest, []byte{0})
	if !isMessage(text) || !whole && !o.Cut {
		return list
	}
	message := ending{report.Kind(text[0]), text[1:]}
	for i := range list {
		switch {
		case i < len(parts):
			list[i] = join(parts[i], message)
		case message.kind != report.Success || recipients == 1:
			list[i] = message
		}
	}
	return list
}

// trouble returns how a delivery ended whose program did not do its work.
func trouble(o spawn.Outcome, program string) (ending, bool) {
	switch {
	case o.Crashed:
		return deferral(program + " crashed.\n"), true
	case o.Code == exit.Temp, o.Code != exit.OK && program != plain:
		return deferral("Unable to run " + program + ".\n"), true
	case o.Code != exit.OK:
		return ending{report.Failure, []byte("Unable to run " + program + ".\n")}, true
	case len(o.Output) == 0:
		return deferral(program + " produced no output.\n"), true
	}
	return ending{}, false
}

// join puts together what happened to a recipient and what happened to the message. The message's text is left
// out where it went better than the recipient.
func join(part []byte, message ending) ending {
	kind := message.kind
	switch part[0] {
	case 'h':
		kind = report.Failure
	case 's':
		kind = report.Deferral
	}
	text := append([]byte(nil), part[1:]...)
	if rank(message.kind) <= rank(kind) {
		text = append(text, message.text...)
	}
	return ending{kind, text}
}

// rank orders the kinds from bad to good.
func rank(k report.Kind) int {
	switch k {
	case report.Failure:
		return 0
	case report.Deferral:
		return 1
	}
	return 2
}

func isRecipient(part []byte) bool {
	return len(part) > 0 && (part[0] == 'r' || part[0] == 'h' || part[0] == 's')
}

func isMessage(part []byte) bool {
	return len(part) > 0 && (part[0] == 'K' || part[0] == 'Z' || part[0] == 'D')
}

func repeat(e ending, n int) []ending {
	list := make([]ending, n)
	for i := range list {
		list[i] = e
	}
	return list
}
