package queue

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"qmail/internal/sys"
)

const triggerName = "lock/trigger"

// Puller is what an FS may have besides: a trigger to pull. A model of a disk has none.
type Puller interface{ Pull() }

// Pull tells qmail-send that todo has a new entry. Nobody listening is no error: qmail-send looks at todo when it
// starts.
func (q *Queue) Pull() {
	if p, ok := q.fs.(Puller); ok {
		p.Pull()
	}
}

// Pull writes one NUL byte to the FIFO and never waits.
func (d disk) Pull() {
	fd, err := syscall.Open(d.at(triggerName), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	syscall.Write(fd, []byte{0})
	syscall.Close(fd)
}

// A Trigger hears the pulls, for qmail-send.
type Trigger struct {
	// C gets a value after each pull, or after several. What was linked into todo before a pull is there when its
	// value is received.
	C    <-chan struct{}
	path string
	cur  atomic.Pointer[fifo]
}

// fifo is the trigger open for reading; it is kept open for writing too, or reading would be at an end whenever no
// qmail-queue has it open.
type fifo struct{ r, w *os.File }

var errNoFifo = errors.New("not a FIFO")

func openFifo(path string) (*fifo, error) {
	r, err := sys.OpenNow(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	fi, err := r.Stat()
	if err == nil && fi.Mode().Type() != fs.ModeNamedPipe {
		err = &fs.PathError{Op: "open", Path: path, Err: errNoFifo}
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	w, err := sys.OpenNow(path, os.O_WRONLY)
	if err != nil {
		r.Close()
		return nil, err
	}
	return &fifo{r, w}, nil
}

func (f *fifo) close() {
	f.r.Close()
	f.w.Close()
}

// OpenTrigger opens lock/trigger below queue folder dir and listens until the process ends.
func OpenTrigger(dir string) (*Trigger, error) {
	c := make(chan struct{}, 1)
	t := &Trigger{C: c, path: dir + "/" + triggerName}
	f, err := openFifo(t.path)
	if err != nil {
		return nil, err
	}
	t.cur.Store(f)
	go t.listen(f, c)
	return t, nil
}

// Reopen opens the FIFO again, soon: somebody may have put another one in its place. It counts as a pull.
func (t *Trigger) Reopen() { t.cur.Load().r.SetReadDeadline(time.Now()) }

// listenAgain is how often the FIFO is opened again: another one may be in its place.
const listenAgain = time.Minute

// listen tells of pulls, and of each new opening of the FIFO: bytes that are lost with an old one belong to entries
// that the reader of C will see.
func (t *Trigger) listen(f *fifo, c chan<- struct{}) {
	buf := make([]byte, 512)
	f.r.SetReadDeadline(time.Now().Add(listenAgain))
	for {
		if _, err := f.r.Read(buf); err != nil {
			g, e := openFifo(t.path)
			switch {
			case e == nil:
				t.cur.Store(g)
				f.close()
				f = g
			case !os.IsTimeout(err):
				return // the regular look at todo goes on without us
			}
			f.r.SetReadDeadline(time.Now().Add(listenAgain))
		}
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
