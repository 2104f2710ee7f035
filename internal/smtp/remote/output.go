package remote

import "io"

const (
	// outputPiece is how much of the report waits to be written at once.
	outputPiece = 8 << 10
	// maxHeld bounds a report that waits until a kept connection has proved to be alive. It exceeds
	// what some fifty refused recipients need; a longer one goes out, and gives up the second try.
	maxHeld = 256 << 10
)

// output is the report: for each recipient a part that begins with r (accepted), h (refused) or s (refused for
// now), then one for the message, K, Z or D. Each ends with a NUL.
type output struct {
	w    io.Writer
	b    []byte
	held bool // nothing may be written yet
	err  error
}

// part adds one part. A NUL inside it becomes a question mark.
func (o *output) part(text ...string) {
	for _, s := range text {
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c == 0 {
				c = '?'
			}
			o.b = append(o.b, c)
		}
	}
	o.b = append(o.b, 0)
	if o.held && len(o.b) > maxHeld {
		o.held = false
	}
	if !o.held && len(o.b) > outputPiece {
		o.flush()
	}
}

// reset forgets what was held.
func (o *output) reset() { o.b, o.held = o.b[:0], false }

func (o *output) flush() error {
	if o.err == nil && len(o.b) > 0 {
		_, o.err = o.w.Write(o.b)
	}
	o.b = o.b[:0]
	return o.err
}
