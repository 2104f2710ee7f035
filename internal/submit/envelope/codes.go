package envelope

import (
	"strings"

	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// The exit codes of qmail-queue, of qmail-qmqpc, and of what stands in for them.
const (
	Queued      exit.Code = 0
	TooLong     exit.Code = 11
	Rejected    exit.Code = 31
	NoMemory    exit.Code = 51
	Timeout     exit.Code = 52
	WriteError  exit.Code = 53
	ReadError   exit.Code = 54
	BadControl  exit.Code = 55
	NoNetwork   exit.Code = 56
	NoHome      exit.Code = 61
	NoQueue     exit.Code = 62
	NoPid       exit.Code = 63
	NoMess      exit.Code = 64
	NoIntd      exit.Code = 65
	NoTodo      exit.Code = 66
	NotNow      exit.Code = 71
	ConnTimeout exit.Code = 72
	ConnRefused exit.Code = 73
	ConnFailed  exit.Code = 74
	Bug         exit.Code = 81
	Custom      exit.Code = 82 // the reason is said besides; see Reason
	BadEnvelope exit.Code = 91
	TooLongToo  exit.Code = 115 // TooLong, as another qmail's programs have it
	NoExec      exit.Code = 120
)

// Meaning returns what exit code c says about the message: nil for Queued, else a report.
// The codes 11 to 40 are permanent, all that nobody named is temporary.
func Meaning(c exit.Code) *report.Report {
	switch c {
	case Queued:
		return nil
	case TooLong, TooLongToo:
		return report.Fail("5.1.3", "envelope address too long for qq")
	case Rejected:
		return report.Fail("5.3.0", "mail server permanently rejected message")
	case NoMemory:
		return report.Defer("4.3.0", "qq out of memory")
	case Timeout:
		return report.Defer("4.3.0", "qq timeout")
	case WriteError:
		return report.Defer("4.3.0", "qq write error or disk full")
	case ReadError:
		return report.Defer("4.3.0", "qq read error")
	case BadControl:
		return report.Defer("4.3.0", "qq unable to read configuration")
	case NoNetwork:
		return report.Defer("4.3.0", "qq trouble making network connection")
	case NoHome:
		return report.Defer("4.3.0", "qq trouble in home directory")
	case NoQueue, NoPid, NoMess, NoIntd, NoTodo:
		return report.Defer("4.3.0", "qq trouble creating files in queue")
	case NotNow:
		return report.Defer("4.3.0", "mail server temporarily rejected message")
	case ConnTimeout:
		return report.Defer("4.4.1", "connection to mail server timed out")
	case ConnRefused:
		return report.Defer("4.4.1", "connection to mail server rejected")
	case ConnFailed:
		return report.Defer("4.4.2", "communication with mail server failed")
	case Bug, BadEnvelope:
		return report.Defer("4.3.0", "qq internal bug")
	case NoExec:
		return report.Defer("4.3.0", "unable to exec qq")
	}
	if c >= 11 && c <= 40 {
		return report.Fail("5.3.0", "qq permanent problem")
	}
	return report.Defer("4.3.0", "qq temporary problem")
}

// ReasonFD is the descriptor on which a filter in qmail-queue's place may say why there is no message, beside Custom.
const ReasonFD = 6

// MaxReason is the most bytes of a reason that are read.
const MaxReason = 500

// Reason writes a report in the form in which a filter gives it: the letter D or Z, and the text.
func Reason(r *report.Report) []byte {
	letter := "Z"
	if r.Kind == report.Failure {
		letter = "D"
	}
	return []byte(letter + r.Error())
}

// ParseReason is what a filter says. It is of a program of this site, but may repeat what a stranger said: bytes that
// are not printable become question marks. Without a letter it is a failure; of an empty one nothing is known.
func ParseReason(b []byte) *report.Report {
	if len(b) == 0 {
		return Meaning(Custom)
	}
	r := &report.Report{Kind: report.Failure}
	switch b[0] {
	case 'Z':
		r.Kind, b = report.Deferral, b[1:]
	case 'D':
		b = b[1:]
	}
	text := []byte(strings.TrimRight(string(b[:min(len(b), MaxReason)]), "\r\n"))
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '?'
		}
	}
	r.Text = string(text)
	return r
}

// Crashed is the report of a qmail-queue that a signal ended.
func Crashed() *report.Report { return report.Defer("4.3.0", "qq crashed") }
