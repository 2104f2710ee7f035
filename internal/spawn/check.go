package spawn

import (
	"os"
	"strings"

	"qmail/internal/send/sendproto"
	"qmail/internal/sys"
	"qmail/internal/text/report"
)

// maxMess is the longest name of a message below queue/mess.
const maxMess = 100

// check turns an order into a delivery, or says why not. Nothing that qmail-send says is believed: not
// the name, which could lead out of the queue, and not the file.
func (s *Spawner) check(o sendproto.Order, inUse bool) (*Delivery, *report.Report) {
	if o.Delnum >= s.Limit {
		return nil, report.Defer("4.3.5", "Internal error: delnum too big.")
	}
	if inUse {
		return nil, report.Defer("4.3.5", "Internal error: delnum in use.")
	}
	if r := checkMess(o.Mess); r != nil {
		return nil, r
	}
	d, r := newDelivery(o)
	if r == nil {
		d.Message, r = s.open(o.Mess)
	}
	if r != nil {
		return nil, r
	}
	return d, nil
}

// newDelivery parts the recipient.
func newDelivery(o sendproto.Order) (*Delivery, *report.Report) {
	at := strings.LastIndexByte(o.Recipient, '@')
	if at < 0 {
		return nil, report.Fail("5.1.3", "Sorry, address must include host name.")
	}
	return &Delivery{Order: o, Local: o.Recipient[:at], Host: o.Recipient[at+1:]}, nil
}

func checkMess(mess string) *report.Report {
	switch {
	case mess == "":
		return report.Fail("5.3.5", "Internal error: messid too short.")
	case len(mess) > maxMess:
		return report.Fail("5.3.5", "Internal error: messid too long.")
	}
	for i := 0; i < len(mess); i++ {
		if digit := '0' <= mess[i] && mess[i] <= '9'; !digit && (mess[i] != '/' || i == 0) {
			return report.Fail("5.3.5", "Internal error: messid has nonnumerics.")
		}
	}
	return nil
}

// open opens a message: a regular file that the queue's owner made, reached through no link of his.
func (s *Spawner) open(mess string) (*os.File, *report.Report) {
	f, err := sys.OpenPlain(mess, os.O_RDONLY)
	if err != nil {
		return nil, report.Defer("4.3.0", "qmail-spawn unable to open message.")
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, report.Defer("4.3.0", "qmail-spawn unable to stat message.")
	}
	if !fi.Mode().IsRegular() {
		f.Close()
		return nil, report.Defer("4.3.5", "Sorry, message has wrong type.")
	}
	if uid, _ := sys.Owner(fi); uid != s.Owner {
		f.Close()
		return nil, report.Defer("4.3.5", "Sorry, message has wrong owner.")
	}
	return f, nil
}
