package rfc822

import "qmail/internal/text/ascii"

// A Field is a header field that the programs treat in a way of its own.
type Field uint8

const (
	Other Field = iota // any other field
	Sender
	From
	ReplyTo
	To
	Cc
	Bcc
	Date
	MessageID
	ResentSender
	ResentFrom
	ResentReplyTo
	ResentTo
	ResentCc
	ResentBcc
	ResentDate
	ResentMessageID
	ApparentlyTo
	ReturnReceiptTo
	ErrorsTo
	ReturnPath
	MailFollowupTo
	ContentLength
	Fields // how many there are
)

// FieldOf returns what field a name means; case does not matter.
func FieldOf(name []byte) Field {
	if len(name) < 2 || len(name) > len("resent-message-id") {
		return Other
	}
	var b [len("resent-message-id")]byte
	low := b[:copy(b[:], name)]
	ascii.Lower(low)
	switch string(low) {
	case "sender":
		return Sender
	case "from":
		return From
	case "reply-to":
		return ReplyTo
	case "to":
		return To
	case "cc":
		return Cc
	case "bcc":
		return Bcc
	case "date":
		return Date
	case "message-id":
		return MessageID
	case "apparently-to":
		return ApparentlyTo
	case "return-receipt-to":
		return ReturnReceiptTo
	case "errors-to":
		return ErrorsTo
	case "return-path":
		return ReturnPath
	case "mail-followup-to":
		return MailFollowupTo
	case "content-length":
		return ContentLength
	}
	return resent(string(low))
}

func resent(name string) Field {
	switch name {
	case "resent-sender":
		return ResentSender
	case "resent-from":
		return ResentFrom
	case "resent-reply-to":
		return ResentReplyTo
	case "resent-to":
		return ResentTo
	case "resent-cc":
		return ResentCc
	case "resent-bcc":
		return ResentBcc
	case "resent-date":
		return ResentDate
	case "resent-message-id":
		return ResentMessageID
	}
	return Other
}

// Resent reports whether a field says that its message was sent again.
func (f Field) Resent() bool { return f >= ResentSender && f <= ResentMessageID }

// Addresses reports whether the field is a list of addresses.
func (f Field) Addresses() bool {
	switch f {
	case Sender, From, ReplyTo, To, Cc, Bcc, ReturnReceiptTo, ErrorsTo, ApparentlyTo, ReturnPath,
		ResentSender, ResentFrom, ResentReplyTo, ResentTo, ResentCc, ResentBcc:
		return true
	}
	return false
}

// Recipients reports whether the field names recipients.
func (f Field) Recipients() bool {
	switch f {
	case To, Cc, Bcc, ApparentlyTo, ResentTo, ResentCc, ResentBcc:
		return true
	}
	return false
}

// FieldName returns the length of the name that a line of a header begins with and where what follows its
// colon begins. The name is visible ASCII; blanks may stand between it and the colon. A line that is no field is
// not ok.
func FieldName(line []byte) (name, body int, ok bool) {
	for name < len(line) && line[name] > ' ' && line[name] < 127 && line[name] != ':' {
		name++
	}
	body = name
	for body < len(line) && (line[body] == ' ' || line[body] == '\t') {
		body++
	}
	if name == 0 || body == len(line) || line[body] != ':' {
		return 0, 0, false
	}
	return name, body + 1, true
}
