package worker

import (
	"os"

	"qmail/internal/sys"
)

// An Output is what a job prints. It travels in the job's answer, and what does not fit there in packets before it.
type Output struct {
	link   *Link
	number uint64 // of the job
	held   []byte // not yet sent
	err    error

	pipe    *os.File // the writing end, once File was called; then all output goes through it
	drained chan struct{}
}

// roomBeforeAnswer is how much output fits beside the answer, whatever its note.
const roomBeforeAnswer = MaxAnswer - maxHead - maxNote

// Write adds to the output. An error means that the parent is gone.
func (o *Output) Write(b []byte) (int, error) {
	if o.pipe != nil {
		return o.pipe.Write(b)
	}
	o.add(b)
	if o.err != nil {
		return 0, o.err
	}
	return len(b), nil
}

// add holds output, and sends it in whole packets where it is long.
func (o *Output) add(b []byte) {
	o.held = append(o.held, b...)
	for len(o.held) > roomBeforeAnswer && o.err == nil {
		n := min(len(o.held), MaxAnswer-maxHead)
		o.err = o.link.say(Part{Number: o.number, Output: o.held[:n]})
		o.held = o.held[:copy(o.held, o.held[n:])]
	}
	if o.err != nil {
		o.held = o.held[:0]
	}
}

// File returns a descriptor for a program's output. The job is answered only when nobody has it open any more:
// a program that was left running in the background is waited for.
func (o *Output) File() (*os.File, error) {
	if o.pipe != nil {
		return o.pipe, nil
	}
	r, w, err := sys.OutputPipe()
	if err != nil {
		return nil, err
	}
	o.pipe, o.drained = w, make(chan struct{})
	go func() {
		defer close(o.drained)
		defer r.Close()
		buf := make([]byte, MaxAnswer)
		for {
			n, err := r.Read(buf)
			o.add(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return w, nil
}

// end waits for the end of the output and sends the answer.
func (o *Output) end(a Answer) error {
	if o.pipe != nil {
		o.pipe.Close()
		<-o.drained
	}
	if o.err != nil {
		return o.err
	}
	return o.link.say(Part{Number: o.number, Output: o.held, Ended: true, Answer: a})
}
