package queue

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"time"

	"qmail/internal/sys"
)

// Errors of the steps of an Intake. Each wraps nothing: qmail-queue has one exit code for each.
var (
	ErrPid   = errors.New("unable to make a message file")
	ErrMess  = errors.New("unable to give the message its name")
	ErrIntd  = errors.New("unable to make the intd file")
	ErrTodo  = errors.New("unable to make the todo entry")
	ErrWrite = errors.New("unable to write to the queue")
	ErrRead  = errors.New("unable to read the message")
)

const (
	// fileMode is for what qmail-queue makes; the umask narrows it.
	fileMode = 0o644
	// numberTries bounds the search for a number that no leftover occupies; nameTries that for a name in pid.
	numberTries, nameTries = 16, 100
	// envSize is how much of an envelope is held at once.
	envSize = 4 << 10
	// leftover is the unit in which the envelope of a refused message is left in intd, as it always was; uid and pid
	// count as idDigits, whatever they are, so that what is left does not depend on them.
	leftover, idDigits = 256, 9
)

// An Intake takes one message into the queue, from S1 to S4. The steps are Begin, Text, Envelope (with a call of
// Record for each record, then of Parameter for each of those), Commit. After an error the caller calls Abandon, or
// Leave where the original leaves its files to the cleaning after 36 hours.
type Intake struct {
	q    *Queue
	id   ID
	mess File
	intd File
	env  []byte // of the envelope, not yet written
	qp   uint64 // the message's number
	head int    // bytes of uid and pid, as they stand before the envelope
	sent int    // bytes of all this already written
	made bool   // todo may have its entry: from here on the message is qmail-send's
}

// Begin goes from S1 to S2: the message file exists under its number and is empty. pid and now name the file on
// filesystems where a file cannot be made without a name.
func (q *Queue) Begin(pid int, now time.Time) (*Intake, error) {
	var held []File // keep their inode numbers taken, so that the next file gets another
	defer func() {
		for _, f := range held {
			f.Close()
		}
	}()
	named := false
	for range numberTries {
		mess, pidName, err := q.createMess(pid, now, named)
		if err != nil {
			return nil, ErrPid
		}
		id, err := q.claim(mess, pidName)
		if err == nil {
			return &Intake{q: q, id: id, mess: mess}, nil
		}
		held = append(held, mess)
		if !errors.Is(err, fs.ErrExist) {
			if pidName != "" {
				break
			}
			named = true // as without /proc
		}
	}
	return nil, ErrMess
}

// createMess makes the file, without a name where that can be had, else as pid/PID.TIME.SEQ, and returns that name.
func (q *Queue) createMess(pid int, now time.Time, named bool) (File, string, error) {
	if !named {
		if f, err := q.fs.CreateUnnamed("mess", fileMode); err == nil {
			return f, "", nil
		}
	}
	base := "pid/" + strconv.Itoa(pid) + "." + strconv.FormatInt(now.Unix(), 10) + "."
	for seq := 1; ; seq++ {
		name := base + strconv.Itoa(seq)
		f, err := q.fs.Create(name, fileMode)
		if err == nil || seq == nameTries || !errors.Is(err, fs.ErrExist) {
			return f, name, err
		}
	}
}

// claim gives the message its number and its name. While the file is open no other can have this inode number,
// so what stands under the number already is a leftover of an earlier message: with it our message could get that one's
// envelope, so the number is not used; fs.ErrExist.
func (q *Queue) claim(mess File, pidName string) (ID, error) {
	id, err := q.link(mess, pidName)
	if pidName != "" {
		if e := q.fs.Remove(pidName); err == nil && e != nil {
			q.fs.Remove(Mess(id))
			err = e
		}
	}
	return id, err
}

func (q *Queue) link(mess File, pidName string) (ID, error) {
	fi, err := mess.Stat()
	if err != nil {
		return 0, err
	}
	_, ino := sys.Inode(fi)
	id := ID(ino)
	if there, err := q.there(Todo(id)); there || err != nil {
		return id, existOr(err)
	}
	q.fs.Hold(mess) // before it has the name by which it could pass for an orphan
	if pidName != "" {
		return id, q.fs.Link(pidName, Mess(id))
	}
	return id, q.fs.LinkUnnamed(mess, Mess(id))
}

func existOr(err error) error {
	if err != nil {
		return err
	}
	return fs.ErrExist
}

// ID returns the message's number.
func (in *Intake) ID() ID { return in.id }

// Text writes the message: header, which is short, then all of r.
func (in *Intake) Text(header []byte, r io.Reader) error {
	switch reading, writing := in.q.copier.After(in.mess, header, r); {
	case writing != nil:
		return ErrWrite
	case reading != nil:
		return ErrRead
	}
	return in.startOut()
}

// startOut has the message on its way to the disk while the envelope is read.
func (in *Intake) startOut() error {
	if !in.q.ordered() {
		return nil
	}
	if err := in.q.fs.StartOut(in.mess); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return ErrWrite
	}
	return nil
}

// Envelope goes from S2 to S3: intd exists. uid is the caller's.
func (in *Intake) Envelope(uid int, qp uint64) error {
	name := Intd(in.id)
	f, err := in.q.fs.Create(name, fileMode)
	if errors.Is(err, fs.ErrExist) {
		// The number is ours by the name in mess, so this one was left by a crash.
		if _, err = in.q.remove(name); err == nil {
			f, err = in.q.fs.Create(name, fileMode)
		}
	}
	if err != nil {
		return ErrIntd
	}
	in.intd, in.qp = f, qp
	in.env = append(make([]byte, 0, 512), 'u')
	in.env = strconv.AppendInt(in.env, int64(uid), 10)
	in.env = append(in.env, 0, 'p')
	in.env = strconv.AppendUint(in.env, qp, 10)
	in.env = append(in.env, 0)
	in.head = len(in.env)
	return nil
}

// Record adds a record of the envelope, with its letter and its NUL.
func (in *Intake) Record(rec []byte) error {
	in.env = append(in.env, rec...)
	if len(in.env) < envSize {
		return nil
	}
	return in.write(len(in.env) - leftover)
}

// Parameter adds a record of package dsn behind those of the envelope. It stands behind the number once more: whoever
// does not know of it takes it for that.
func (in *Intake) Parameter(rec []byte) error {
	b := strconv.AppendUint([]byte{'p'}, in.qp, 10)
	return in.Record(append(append(b, rec...), 0))
}

// write writes the first n bytes of what is held.
func (in *Intake) write(n int) error {
	if n == 0 {
		return nil
	}
	if _, err := in.intd.Write(in.env[:n]); err != nil {
		return ErrWrite
	}
	in.sent += n
	in.env = in.env[:copy(in.env, in.env[n:])]
	return nil
}

// Commit goes from S3 to S4. Message and envelope are on disk with their names before the name in todo is, or, on an
// ordered disk, not later; and that name is on disk before Commit returns nil. qmail-send is told while this last
// sync is under way: whatever it makes durable by then, on this disk, brings our message along or rests on nothing
// that is not on disk but the name in todo, which stands for our answer alone.
func (in *Intake) Commit() error {
	if in.write(len(in.env)) != nil {
		return ErrWrite
	}
	ordered, err := in.settle()
	if err != nil {
		return ErrWrite
	}
	in.made = true
	if in.q.fs.Link(Intd(in.id), Todo(in.id)) != nil {
		there, err := in.q.there(Todo(in.id)) // a disk that is ill may have made it all the same
		in.made = there || err != nil
		return ErrTodo
	}
	in.q.Pull()
	if ordered {
		err = in.intd.Sync() // which the link has changed; so all that came before the link comes along
	} else {
		err = in.q.fs.SyncFolder("todo")
	}
	if err != nil {
		return ErrWrite
	}
	in.close()
	return nil
}

// settle sees to it that a name made from now on is not on disk without both files, whole and with their names: on an
// ordered disk by writing them out, else by making them durable.
func (in *Intake) settle() (ordered bool, err error) {
	if in.q.ordered() {
		err = in.q.fs.WriteOut(in.intd) // the message is under way already
		if err == nil {
			err = in.q.fs.WriteOut(in.mess)
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return true, err
		}
	}
	return false, in.sync()
}

// sync makes both files and their names durable, in one wait.
func (in *Intake) sync() error {
	if in.q.follow {
		return together(in.mess.Sync, in.intd.Sync)
	}
	fsys, folder := in.q.fs, folderOf(Mess(in.id))
	return together(in.mess.Sync, in.intd.Sync,
		func() error { return fsys.SyncFolder("intd") },
		func() error { return fsys.SyncFolder(folder) })
}

// Abandon goes back to S1. The files go in the reverse order of their making. When todo may have its entry already
// nothing goes: qmail-send may be at work on the message. So its sender, who is told to try again, may send it
// twice, but nobody gets a part of it.
func (in *Intake) Abandon() {
	if !in.made {
		if in.intd != nil {
			in.q.fs.Remove(Intd(in.id))
		}
		in.q.fs.Remove(Mess(in.id))
	}
	in.close()
}

// Leave leaves the files behind, for the cleaning after 36 hours. partial is what was read of the record
// that made the message unfit. Intd holds whole units then; the last one is missing even when it is just full.
func (in *Intake) Leave(partial []byte) {
	if in.intd != nil {
		const head = len("u\x00p\x00") + idDigits
		in.env = append(in.env, partial...)
		n := in.sent + len(in.env) - in.head + head
		if n = (n - 1) / leftover * leftover; n > 0 {
			in.write(n - head + in.head - in.sent)
		}
	}
	in.close()
}

func (in *Intake) close() {
	if in.mess != nil {
		in.mess.Close()
	}
	if in.intd != nil {
		in.intd.Close()
	}
	in.mess, in.intd = nil, nil
}
