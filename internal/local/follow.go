package local

import (
	"errors"
	"io"
	"os"
	"strconv"

	"qmail/internal/local/maildir"
	"qmail/internal/local/mbox"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/sys/proc"
	"qmail/internal/text/dotqmail"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

// follow does what the instructions say, the forwards aside, which it collects.
func (d *delivery) follow(list []dotqmail.Instruction, forwardOnly bool) error {
	for _, in := range list {
		stop := false
		var err error
		switch in.Kind {
		case dotqmail.List:
			forwardOnly = true
		case dotqmail.Mbox, dotqmail.Maildir:
			d.files++
			if forwardOnly {
				return report.Defer("4.7.0", "Uh-oh: .qmail has file delivery but has x bit set.")
			}
			err = d.file(in)
		case dotqmail.Program:
			d.programs++
			if forwardOnly {
				return report.Defer("4.7.0", "Uh-oh: .qmail has prog delivery but has x bit set.")
			}
			stop, err = d.program(in.Text)
		case dotqmail.Forward:
			d.forwards++
			d.recipients = append(d.recipients, in.Text)
			d.say("forward ", in.Text)
		}
		if err != nil {
			return err
		}
		if stop {
			break
		}
	}
	return nil
}

// say describes an instruction that is not followed, under -n.
func (d *delivery) say(what, text string) {
	if !d.doit {
		io.WriteString(d.Out, what+text+"\n")
	}
}

func (d *delivery) file(in dotqmail.Instruction) error {
	if in.Kind == dotqmail.Maildir {
		d.say("maildir ", in.Text)
	} else {
		d.say("mbox ", in.Text)
	}
	if !d.doit {
		return nil
	}
	if err := d.rewind(); err != nil {
		return err
	}
	if in.Kind == dotqmail.Maildir {
		return d.toMaildir(in.Text)
	}
	return d.toMbox(in.Text)
}

func (d *delivery) toMaildir(path string) error {
	err := maildir.Delivery{Names: d.Names, Now: d.Now}.Deliver(d.at(path), d.head, d.Message)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, maildir.ErrNone):
		return report.Defer("4.2.1", "Unable to chdir to maildir.")
	case errors.Is(err, maildir.ErrRead):
		return report.Defer("4.3.0", "Unable to read message.")
	}
	return report.Defer("4.3.0", "Temporary error on maildir delivery.")
}

func (d *delivery) toMbox(path string) error {
	err := mbox.Deliver(d.at(path), d.fromLine+d.head, d.Message)
	if err == nil {
		return nil
	}
	var e *mbox.Error
	if errors.As(err, &e) {
		switch e.Step {
		case mbox.Opening:
			return report.Defer("4.2.1", "Unable to open "+path+": "+reason(err)+".")
		case mbox.Locking:
			return report.Defer("4.3.0", "File has been locked for 30 seconds straight.")
		case mbox.Reading:
			return unreadable(err)
		}
	}
	return report.Defer("4.3.0", "Unable to write "+path+": "+reason(err)+".")
}

// program runs a command of the recipient's; stop says that the instructions behind it are to be ignored.
func (d *delivery) program(command string) (stop bool, err error) {
	if !d.doit {
		d.say("program ", command)
		return false, nil
	}
	if err := d.rewind(); err != nil {
		return false, err
	}
	out, errs, err := d.descriptors()
	if err != nil {
		return false, report.Defer("4.3.0", "Unable to make a pipe: "+reason(err)+".")
	}
	d.started = true
	proc.CatchPipe() // a qmail-queue may have been started since the last program
	p, err := priv.Start(priv.Child{
		Path: "/bin/sh", Args: []string{"/bin/sh", "-c", command}, Env: d.env, Dir: d.home,
		Files: []*os.File{d.Message, out, errs}, Slack: sys.UsualSlack,
	})
	if err != nil {
		return false, report.Defer("4.3.0", "Unable to run /bin/sh: "+reason(err)+".")
	}
	state, err := p.Wait()
	if err != nil || !state.Exited() {
		return false, report.Defer("4.3.0", "Aack, child crashed.")
	}
	switch exit.CommandMeaning(exit.Code(state.ExitCode())) {
	case exit.Success:
		return false, nil
	case exit.Stop:
		return true, nil
	case exit.Failure:
		return false, report.Fail("", "") // the command has said why
	}
	return false, report.Defer("", "")
}

// descriptors returns descriptors 1 and 2 of the recipient's programs.
func (d *delivery) descriptors() (out, errs *os.File, err error) {
	if out, err = d.Out.File(); err == nil {
		errs, err = d.Err.File()
	}
	return out, errs, err
}

// forward queues the message for the recipients that the instructions name.
func (d *delivery) forward() (qp uint64, err error) {
	if err := d.rewind(); err != nil {
		return 0, err
	}
	_, errs, err := d.descriptors()
	if err == nil {
		qp, err = d.Queue(d.env, errs).Copy(d.trace, d.Message, d.newSender, d.recipients)
	}
	if err != nil {
		r := report.Of(err)
		return 0, &report.Report{Kind: r.Kind, Text: "Unable to forward message: " + r.Error() + "."}
	}
	return qp, nil
}

// finish queues the copies for other addresses and says what was done.
func (d *delivery) finish() error {
	var qp uint64
	if d.doit && len(d.recipients) > 0 {
		var err error
		if qp, err = d.forward(); err != nil {
			return err
		}
	}
	b := append(make([]byte, 0, 64), "did "...)
	b = strconv.AppendInt(b, int64(d.files), 10)
	b = append(b, '+')
	b = strconv.AppendInt(b, int64(d.forwards), 10)
	b = append(b, '+')
	b = strconv.AppendInt(b, int64(d.programs), 10)
	b = append(b, '\n')
	if qp != 0 {
		b = append(b, "qp "...)
		b = strconv.AppendUint(b, qp, 10)
		b = append(b, '\n')
	}
	d.Out.Write(b)
	return nil
}
