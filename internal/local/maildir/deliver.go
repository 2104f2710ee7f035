package maildir

import (
	"errors"
	"io"
	"os"
	"time"

	"qmail/internal/sys"
)

var (
	// ErrNone says that there is no Maildir that we may enter.
	ErrNone = errors.New("no maildir")
	// ErrRead says that the message could not be read.
	ErrRead = errors.New("unable to read message")
)

// tries is how many names a delivery tries. Only something that forges our names makes it try a second.
const tries = 10

// A Delivery puts messages into Maildirs for one process.
type Delivery struct {
	Names *Names
	Now   func() time.Time
}

// Deliver puts head and the whole message into a new file of the Maildir at path. On success file and name are on
// disk. At no time is there anything but a complete message in new, on disk or not.
func (d Delivery) Deliver(path, head string, message io.ReadSeeker) error {
	err := d.unnamed(path, head, message)
	if errors.Is(err, errors.ErrUnsupported) {
		err = d.named(path, head, message)
	}
	if err == nil || errors.Is(err, ErrRead) {
		return err
	}
	if fi, serr := os.Stat(path + "/."); serr != nil || !fi.IsDir() {
		return ErrNone
	}
	return err
}

// unnamed writes a file that has no name before it is complete, so that nothing is left where the delivery breaks
// off. ErrUnsupported means that it cannot be done here.
func (d Delivery) unnamed(path, head string, message io.ReadSeeker) error {
	f, err := sys.CreateUnnamed(path+"/tmp", 0o644)
	if err != nil {
		return errors.ErrUnsupported
	}
	defer f.Close()
	if err := d.Names.write(f, head, message); err != nil {
		return err
	}
	ordered, err := d.settle(path, f)
	if err != nil {
		return err
	}
	for range tries {
		file := path + "/new/" + d.Names.next(d.Now())
		err := sys.LinkUnnamed(f, file)
		if err == nil {
			return syncName(file, f, ordered)
		}
		if !errors.Is(err, os.ErrExist) {
			break
		}
	}
	return errors.ErrUnsupported
}

// named writes the file in tmp and then gives it a second name in new.
func (d Delivery) named(path, head string, message io.ReadSeeker) error {
	var f *os.File
	var name string
	var err error
	for range tries {
		name = d.Names.next(d.Now())
		f, err = os.OpenFile(path+"/tmp/"+name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, os.ErrExist) {
			break
		}
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := d.Names.write(f, head, message); err != nil {
		return err
	}
	ordered, err := d.settle(path, f)
	if err != nil {
		return err
	}
	file := path + "/new/" + name
	if err := os.Link(f.Name(), file); err != nil {
		return err
	}
	return syncName(file, f, ordered)
}

// write writes the message.
func (n *Names) write(f *os.File, head string, message io.ReadSeeker) error {
	if _, err := message.Seek(0, io.SeekStart); err != nil {
		return errors.Join(ErrRead, err)
	}
	reading, writing := n.copier.After(f, []byte(head), message)
	if reading != nil {
		return errors.Join(ErrRead, reading)
	}
	return writing
}

// settle sees to it that a name given to f from now on is not on disk without the whole message: on an ordered
// filesystem by writing it out, else by making it durable.
func (d Delivery) settle(path string, f *os.File) (ordered bool, err error) {
	if d.Names.ordered(path+"/tmp", f) {
		if err := sys.WriteOut(f); !errors.Is(err, errors.ErrUnsupported) {
			return true, err
		}
	}
	return false, f.Sync()
}

// syncName makes a name durable that was made after settle. On an ordered filesystem the file's sync does that, and
// brings the message along. If it cannot, the name goes again, as the message will be delivered again.
func syncName(file string, f *os.File, ordered bool) error {
	var err error
	if ordered {
		err = f.Sync()
	} else {
		err = sys.SyncDirOf(file, f)
	}
	if err != nil {
		os.Remove(file)
	}
	return err
}
