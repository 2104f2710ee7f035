package qlog

import (
	"strconv"
	"strings"

	"qmail/internal/text/report"
)

// An EventKind says which line of qmail-log(5) an Event was.
type EventKind uint8

const (
	Other     EventKind = iota // none that is known
	New                        // new msg
	Described                  // info msg
	Started                    // starting delivery
	Ended                      // delivery
	Bounced                    // bounce msg
	Discarded                  // triple bounce
	Finished                   // end msg
	LoadLine                   // status
	Alerted                    // alert
	Warned                     // warning
)

// An Event is one line of the log, read.
type Event struct {
	Kind      EventKind
	Info      Info        // of Described whole, of the other lines about a message the ID
	Delivery  uint64      // of Started and Ended
	Channel   string      // of Started: "local" or "remote"
	Recipient string      // of Started
	Result    report.Kind // of Ended; Deferral for a mangled report
	Text      string      // of Ended, Alerted, Warned and LoadLine
	Bounce    uint64      // of Bounced: the process id of the bounce's qmail-queue
}

// Parse reads one line, without its newline and without any time stamp.
func Parse(line string) Event {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "new":
		return message(New, strings.TrimPrefix(rest, "msg "))
	case "end":
		return message(Finished, strings.TrimPrefix(rest, "msg "))
	case "info":
		return parseInfo(strings.TrimPrefix(rest, "msg "))
	case "starting":
		return parseStarting(strings.TrimPrefix(rest, "delivery "))
	case "delivery":
		return parseDelivery(rest)
	case "bounce":
		id, qp, _ := strings.Cut(strings.TrimPrefix(rest, "msg "), " qp ")
		e := message(Bounced, id)
		e.Bounce, _ = strconv.ParseUint(qp, 10, 64)
		return e
	case "triple":
		if _, id, ok := strings.Cut(rest, "bounce/"); ok {
			return message(Discarded, id)
		}
	case "status:":
		return Event{Kind: LoadLine, Text: rest}
	case "alert:":
		return Event{Kind: Alerted, Text: rest}
	case "warning:":
		return Event{Kind: Warned, Text: rest}
	}
	return Event{}
}

func message(k EventKind, id string) Event {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return Event{}
	}
	return Event{Kind: k, Info: Info{ID: n}}
}

// parseInfo reads "N: bytes B from <S> qp P uid U". The sender may hold any byte but a blank.
func parseInfo(s string) Event {
	f := strings.Split(s, " ")
	if len(f) != 9 || f[1] != "bytes" || f[3] != "from" || f[5] != "qp" || f[7] != "uid" {
		return Event{}
	}
	e := message(Described, strings.TrimSuffix(f[0], ":"))
	e.Info.Bytes, _ = strconv.ParseInt(f[2], 10, 64)
	e.Info.Sender = strings.TrimSuffix(strings.TrimPrefix(f[4], "<"), ">")
	e.Info.QP, _ = strconv.ParseUint(f[6], 10, 64)
	e.Info.UID, _ = strconv.ParseUint(f[8], 10, 64)
	return e
}

// parseStarting reads "D: msg N to CHANNEL RECIPIENT".
func parseStarting(s string) Event {
	f := strings.SplitN(s, " ", 6)
	if len(f) != 6 || f[1] != "msg" || f[3] != "to" {
		return Event{}
	}
	e := message(Started, f[2])
	d, err := strconv.ParseUint(strings.TrimSuffix(f[0], ":"), 10, 64)
	if err != nil {
		return Event{}
	}
	e.Delivery, e.Channel, e.Recipient = d, f[4], f[5]
	return e
}

// parseDelivery reads "D: RESULT: TEXT".
func parseDelivery(s string) Event {
	number, rest, _ := strings.Cut(s, ": ")
	d, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return Event{}
	}
	e := Event{Kind: Ended, Delivery: d}
	result, text, _ := strings.Cut(rest, ": ")
	e.Text = text
	switch result {
	case "success":
		e.Result = report.Success
	case "failure":
		e.Result = report.Failure
	case "deferral":
		e.Result = report.Deferral
	default:
		e.Result, e.Text = report.Deferral, rest
	}
	return e
}
