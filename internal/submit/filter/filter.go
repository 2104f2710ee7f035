package filter

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/submit/envelope"
	"qmail/internal/sys"
	"qmail/internal/text/dsn"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/text/trace"
	"qmail/internal/worker"
)

// A Message is one that goes through.
type Message struct {
	Text   Spool
	Sender string
	To     []string
	Asked  *dsn.Set // by the sender; nil: nothing
	Known  bool     // it comes from a client who may relay, or has logged in
	Env    []string // of this process
}

// A Verdict is what becomes of it.
type Verdict struct {
	Refusal *report.Report // nil: it is accepted
	Discard bool           // and goes nowhere
	// Write writes the message on; Message's Sender and To go with it.
	Write func(io.Writer) error
	// Done is called when that is so: the message is refused, or the next program has it. It may be nil.
	Done  func()
	Close func() // nil, or called at last
}

// A Filter is such a program.
type Filter struct {
	Name string
	Env  []string
	Log  *os.File // descriptor 2 of what it starts
	Look func(*Message) Verdict
}

// Serve passes on messages for the parent of a worker.
func (f Filter) Serve(link *worker.Link) exit.Code {
	queue := f.client(true)
	defer queue.Close()
	link.Contents = true
	return link.Serve(2, func(j worker.Job, out *worker.Output) worker.Answer {
		var text, rcpt io.Reader
		if len(j.Contents) > 0 {
			text, rcpt = bytes.NewReader(j.Contents[0]), bytes.NewReader(j.Contents[1])
		} else {
			text, rcpt = j.Files[0], j.Files[1]
		}
		qp, r := f.pass(queue, false, text, rcpt, true)
		return answer(out, qp, r)
	})
}

// Once passes on the one message of a process; why is the descriptor on which a refusal's reason may be told.
func (f Filter) Once(text, rcpt io.Reader, why *os.File) exit.Code {
	queue := f.client(false)
	defer queue.Close()
	_, known := environ.Get(f.Env, "RELAYCLIENT")
	asks := len(os.Args) == 2 && os.Args[1] == envelope.AskArgument
	_, r := f.pass(queue, known, text, rcpt, asks)
	return classic(r, why)
}

func (f Filter) client(kept bool) *submit.Client {
	queue := submit.New(environ.Without(f.Env, "QMAILQUEUE"), f.Log)
	queue.Keep(submit.How{Soon: kept, Alone: kept})
	return queue
}

// answer tells the parent of a worker: the number of the message, or why there is none.
func answer(out io.Writer, qp uint64, r *report.Report) worker.Answer {
	if r == nil {
		out.Write(strconv.AppendUint(nil, qp, 10))
		return worker.Answer{Code: envelope.Queued}
	}
	out.Write(envelope.Reason(r))
	return worker.Answer{Code: envelope.Custom}
}

// classic says the same to whoever started this for one message.
func classic(r *report.Report, why *os.File) exit.Code {
	if r == nil {
		return envelope.Queued
	}
	if sys.IsPipe(why) {
		if _, err := why.Write(envelope.Reason(r)); err == nil {
			return envelope.Custom
		}
	}
	if r.Kind == report.Failure {
		return envelope.Rejected
	}
	return envelope.NotNow
}

// pass looks at a message and passes it on. asks is whether something may follow its envelope.
func (f Filter) pass(queue *submit.Client, known bool, text, rcpt io.Reader, asks bool) (qp uint64, r *report.Report) {
	m := Message{Env: f.Env}
	defer m.Text.Close()
	if _, err := m.Text.ReadFrom(text); err != nil {
		if errors.Is(err, ErrSpool) {
			return 0, envelope.Meaning(envelope.WriteError)
		}
		return 0, envelope.Meaning(envelope.ReadError)
	}
	if r = m.readEnvelope(rcpt, asks); r != nil {
		return 0, r
	}
	tr, _, _, _ := trace.Find(m.Text.Head())
	m.Known = known || tr.Known
	filters, err := control.Default().Filters()
	if err != nil {
		return 0, envelope.Meaning(envelope.BadControl)
	}
	next := filters.After(f.Name, m.Known)
	v := f.Look(&m)
	if v.Close != nil {
		defer v.Close()
	}
	switch {
	case v.Refusal != nil || v.Discard:
		r = v.Refusal
	case next != "":
		qp, r = send(queue.Through(next), &m, v)
	default:
		qp, r = send(queue, &m, v)
	}
	if v.Done != nil && (r == nil || r == v.Refusal) {
		v.Done()
	}
	return qp, r
}

// send hands a message on.
func send(queue *submit.Client, m *Message, v Verdict) (qp uint64, _ *report.Report) {
	q, err := queue.Open()
	if err != nil {
		return 0, report.Of(err)
	}
	if m.Asked != nil {
		q.Ask(m.Asked.Message)
	}
	if v.Write(q) != nil {
		q.Abort()
		return 0, envelope.Meaning(envelope.ReadError)
	}
	q.From(m.Sender)
	for _, a := range m.To {
		q.To(a)
		q.AskTo(m.Asked.To(a))
	}
	if err := q.Commit(); err != nil {
		return 0, report.Of(err)
	}
	return q.QP(), nil
}

// readEnvelope reads an envelope that is whole, and what follows it, or says what qmail-queue would.
func (m *Message) readEnvelope(r io.Reader, asks bool) *report.Report {
	e := envelope.NewReader(bufio.NewReader(r))
	for first := true; ; first = false {
		rec, err := e.Next()
		if err == io.EOF && !first {
			break
		}
		if err != nil {
			return unread(err)
		}
		address := strings.TrimSuffix(string(rec[1:]), "\x00")
		if first {
			m.Sender = address
		} else {
			m.To = append(m.To, address)
		}
	}
	for asks {
		p, err := e.Parameter()
		if err == io.EOF {
			break
		}
		if err != nil {
			return unread(err)
		}
		if p.N >= 0 {
			p.To, p.N = m.To[p.N], -1
		}
		m.Asked = m.Asked.Add(p)
	}
	return nil
}

func unread(err error) *report.Report {
	switch {
	case errors.Is(err, envelope.ErrTooLong):
		return envelope.Meaning(envelope.TooLong)
	case errors.Is(err, envelope.ErrFormat):
		return envelope.Meaning(envelope.BadEnvelope)
	}
	return envelope.Meaning(envelope.ReadError)
}
