// Qmail-log reads the logs of qmail-send and answers: what happened to a message, to the mail of a
// sender or for a recipient; how much, how fast, where to, and why not.
//
//	fd 0  a log, where no files are named    fd 1  the answer
//	args  [-afjmow] [-i id] [-q qp] [-s sender] [-r recipient] [-b since] [-e until] [-n top] [file ...]
//	exit  0; 100 for a usage error; 111 when a file cannot be read
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"qmail/internal/history"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Exit(run())
}

func run() exit.Code {
	fs := flag.NewFlagSet("qmail-log", flag.ContinueOnError)
	var f history.Filter
	asJSON := fs.Bool("j", false, "write JSON")
	asHTML := fs.Bool("w", false, "write a page of HTML with the totals")
	each := fs.Bool("m", false, "write what happened to each message")
	trouble := fs.Bool("a", false, "write the alerts and warnings")
	top := fs.Int("n", 20, "how many lines of each table")
	fs.Uint64Var(&f.ID, "i", 0, "only the message with this number")
	fs.Uint64Var(&f.QP, "q", 0, "only the message with this qp")
	fs.StringVar(&f.Sender, "s", "", "only mail from this sender; * stands for any text")
	fs.StringVar(&f.Recipient, "r", "", "only mail for this recipient; * stands for any text")
	fs.BoolVar(&f.Open, "o", false, "only messages still in the queue by this log")
	fs.BoolVar(&f.Failed, "f", false, "only messages with a failure")
	since := fs.String("b", "", "only messages not over before this time, as 2006-01-02 or 2006-01-02T15:04:05 (UTC)")
	until := fs.String("e", "", "only messages begun by this time")
	if err := fs.Parse(os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		return exit.OK
	} else if err != nil {
		return exit.Perm
	}
	var err error
	if f.Since, err = parseTime(*since); err == nil {
		f.Until, err = parseTime(*until)
	}
	if err == nil && *top < 0 {
		err = fmt.Errorf("-n %d: must not be negative", *top)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "qmail-log:", err)
		return exit.Perm
	}

	totals := history.NewTotals()
	var failed error
	keep := func(e error) {
		if failed == nil {
			failed = e
		}
	}
	r := history.Reader{Done: func(m *history.Message) {
		switch {
		case !f.Match(m):
		case *each && *asJSON:
			keep(history.WriteMessageJSON(os.Stdout, m))
		case *each:
			keep(history.WriteMessage(os.Stdout, m))
		default:
			totals.Add(m)
		}
	}}
	if *trouble {
		r.Trouble = func(l history.Line) { fmt.Println(l.Time.UTC().Format(time.RFC3339), l.Text) }
	}
	keep(read(&r, fs.Args()))
	switch {
	case *each || *trouble:
	case *asHTML:
		keep(totals.WriteHTML(os.Stdout, "qmail-log", *top))
	case *asJSON:
		keep(totals.WriteJSON(os.Stdout, *top))
	default:
		keep(totals.WriteText(os.Stdout, *top))
	}
	if failed != nil {
		fmt.Fprintln(os.Stderr, "qmail-log:", failed)
		return exit.Temp
	}
	return exit.OK
}

// read reads the files, or standard input where there are none.
func read(r *history.Reader, files []string) error {
	defer r.Close()
	if len(files) == 0 {
		return r.Read(os.Stdin)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = r.Read(io.Reader(f))
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: no time; write it as 2006-01-02 or 2006-01-02T15:04:05", s)
}
