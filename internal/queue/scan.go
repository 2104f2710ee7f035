package queue

import (
	"errors"
	"strconv"
	"time"

	"qmail/conf"
)

// A Chore is what qmail-send asks of qmail-clean.
type Chore uint8

const (
	ChoreFoop Chore = iota // remove intd and mess
	ChoreTodo              // remove intd and todo
)

// Found is a message in S5 as the first scan finds it.
type Found struct {
	ID      ID
	Birth   time.Time
	Has     [2]bool      // by Channel: the file is there
	Next    [2]time.Time // of those: when a qmail-send that ended well meant to try next; else in the past
	Bounces bool         // there is a bounce
}

// A Recovery is what the first scan calls. A nil function is not called.
type Recovery struct {
	Waiting func(Found)     // a message in S5
	Ask     func(Chore, ID) // a request for qmail-clean
	Odd     func(name string, err error)
	// Alone either has remove done, and keeps everybody meanwhile from calling Prepare for this message, or does
	// nothing: it must do nothing when this message was read from todo since the scan began, for then its files are
	// not the remains of an earlier time. nil: nobody else is at work, and all is removed.
	Alone func(id ID, remove func() error) error
	// Pace is called after every PaceNames names that were looked at, and may take its time. Once it returns false the
	// scan ends with ErrStopped.
	Pace func() bool
}

// PaceNames is how many names are looked at without a rest.
const PaceNames = 64

// ErrStopped is the end of a walk that its Pace ended.
var ErrStopped = errors.New("stopped")

// Recover is the first scan of a qmail-send. It trusts nothing: a crash may have brought
// back any name that was removed and not synced. What belongs to a message whose mess is gone is removed; so is
// what todo supersedes, and so are recipients and bounces without info, which only a finished message leaves.
// Foreign entries are named to Odd, once, and stay where they are. Mail may come in, be delivered and get its files
// meanwhile, under the conditions of Alone and DropLeftovers; Waiting may then be called for a message that is not
// from before. An error means that a folder could not be read: the scan is not complete.
func (q *Queue) Recover(r Recovery) error {
	if r.Alone == nil {
		r.Alone = func(_ ID, remove func() error) error { return remove() }
	}
	odd := r.Odd
	if odd == nil {
		odd = func(string, error) {}
	}
	pace := every(r.Pace)
	// An entry that cannot be looked at is odd, too; the others go on.
	each := func(name func(ID) string, fn func(ID) error) func(ID) error {
		return func(id ID) error {
			if err := fn(id); err != nil {
				odd(name(id), err)
			}
			if !pace() {
				return ErrStopped
			}
			return nil
		}
	}
	err := q.eachIn("todo", odd, each(Todo, func(id ID) error { return q.recoverTodo(r, id) }))
	if err == nil {
		err = q.eachSplit("info", odd, each(Info, func(id ID) error { return q.recoverInfo(r, id) }))
	}
	for _, c := range Channels() {
		if err == nil {
			err = q.eachSplit(c.String(), odd, each(c.File, func(id ID) error { return q.recoverPart(r, c.File(id), id) }))
		}
	}
	if err == nil {
		err = q.eachIn("bounce", odd, each(Bounce, func(id ID) error { return q.recoverPart(r, Bounce(id), id) }))
	}
	return err
}

// every returns a function that calls pace with every PaceNames-th call.
func every(pace func() bool) func() bool {
	n := 0
	return func() bool {
		if n++; n%PaceNames == 0 && pace != nil {
			return pace()
		}
		return true
	}
}

// recoverTodo asks for the removal of a todo entry whose mess is gone. Mail may be coming in meanwhile: a message
// in the making has its mess first, one that ends loses it last, so only an entry that is there while mess is not
// is nobody's. Nobody takes its number before it is removed.
func (q *Queue) recoverTodo(r Recovery, id ID) error {
	for i, name := range [...]string{Mess(id), Todo(id), Mess(id)} {
		there, err := q.there(name)
		if err != nil || there != (i == 1) {
			return err
		}
	}
	if r.Ask != nil {
		r.Ask(ChoreTodo, id)
	}
	return nil
}

// recoverInfo removes an info without mess, and what todo supersedes, and hands over the rest.
func (q *Queue) recoverInfo(r Recovery, id ID) error {
	mess, err := q.there(Mess(id))
	if err != nil {
		return err
	}
	todo, err := q.there(Todo(id))
	if err != nil {
		return err
	}
	if !mess || todo {
		return r.Alone(id, func() error { return q.DropLeftovers(id) })
	}
	f, err := q.Look(id)
	if isGone(err) {
		return nil
	}
	if err == nil && r.Waiting != nil {
		r.Waiting(f)
	}
	return err
}

// DropLeftovers removes info, local, remote and bounce of a message that is in todo: they are from an earlier
// qmail-send. Until the first scan is complete, whoever reads a message from todo calls it before anything else is
// done about the message. Else a delivery straight from todo would leave them to the next message with this number.
// After that scan there are none.
func (q *Queue) DropLeftovers(id ID) error {
	for _, name := range [...]string{Local.File(id), Remote.File(id), Bounce(id), Info(id)} {
		if err := q.drop(name); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a name that may not come back.
func (q *Queue) drop(name string) error {
	there, err := q.remove(name)
	if err == nil && there && !q.follow {
		err = q.fs.SyncFolder(folderOf(name))
	}
	return err
}

// Look returns what the first scan returns about a message in S5.
func (q *Queue) Look(id ID) (Found, error) {
	fi, err := q.fs.Lstat(Info(id))
	if err != nil {
		return Found{}, err
	}
	f := Found{ID: id, Birth: fi.ModTime()}
	for _, c := range Channels() {
		fi, err := q.fs.Lstat(c.File(id))
		if err == nil {
			f.Has[c], f.Next[c] = true, fi.ModTime()
		} else if !isGone(err) {
			return Found{}, err
		}
	}
	f.Bounces, err = q.there(Bounce(id))
	return f, err
}

// recoverPart removes a file of local, remote or bounce, unless its message is in S5.
func (q *Queue) recoverPart(r Recovery, name string, id ID) error {
	keep := true
	for i, n := range [...]string{Mess(id), Info(id), Todo(id)} {
		there, err := q.there(n)
		if err != nil {
			return err
		}
		keep = keep && there == (i < 2)
	}
	if keep {
		return nil
	}
	return r.Alone(id, func() error { return q.drop(name) })
}

// EachTodo calls fn for each message in todo, in no order, until it returns false. Foreign entries go to odd.
func (q *Queue) EachTodo(odd func(name string, err error), fn func(ID) bool) error {
	return q.eachIn("todo", odd, func(id ID) error {
		if !fn(id) {
			return errStop
		}
		return nil
	})
}

// EachInfo calls fn for each message that has an info file, in no order.
func (q *Queue) EachInfo(fn func(ID)) error {
	return q.eachSplit("info", func(string, error) {}, func(id ID) error { fn(id); return nil })
}

// EachOrphan calls fn for each message file of subfolder part of mess (0 to conf.Split() - 1) that has neither info
// nor todo and was last read over 36 hours ago: what a qmail-queue left that died. The caller asks qmail-clean for
// foop, unless the end of that message has begun since the call. pace is as that of a Recovery. The clock alone is
// not believed, since it may have been set: nobody must be at work on the file. It is asked first, then todo, then
// info: so a message that comes into the queue, or goes from todo to info, meanwhile is in one of the three.
func (q *Queue) EachOrphan(part uint64, now time.Time, pace func() bool, fn func(ID)) error {
	folder := "mess/" + strconv.FormatUint(part, 10)
	pace = every(pace)
	return q.eachIn(folder, func(string, error) {}, func(id ID) error {
		if !pace() {
			return ErrStopped
		}
		at, err := q.fs.Accessed(Mess(id))
		if err != nil || now.Sub(at) <= ossified {
			return nil
		}
		if held, err := q.fs.Held(Mess(id)); held || err != nil {
			return nil
		}
		for _, n := range [...]string{Todo(id), Info(id)} {
			if there, err := q.there(n); there || err != nil {
				return nil
			}
		}
		fn(id)
		return nil
	})
}

// stop ends a walk early without an error.
type stop struct{}

func (stop) Error() string { return "stop" }

var errStop error = stop{}

// eachIn calls fn for each message named in a folder. Other names go to odd.
func (q *Queue) eachIn(folder string, odd func(string, error), fn func(ID) error) error {
	var failed error
	err := q.fs.EachName(folder, func(name string) bool {
		if id, ok := ParseID(name); !ok {
			odd(folder+"/"+name, ErrDamaged)
		} else {
			failed = fn(id)
		}
		return failed == nil
	})
	if failed == errStop {
		return nil
	}
	if failed != nil {
		return failed
	}
	return err
}

// eachSplit is eachIn for a folder with subfolders. A message in the subfolder of another number is foreign.
func (q *Queue) eachSplit(folder string, odd func(string, error), fn func(ID) error) error {
	parts := conf.Split()
	for part := range parts {
		sub := folder + "/" + strconv.FormatUint(part, 10)
		err := q.eachIn(sub, odd, func(id ID) error {
			if uint64(id)%parts != part {
				odd(sub+"/"+id.String(), ErrDamaged)
				return nil
			}
			return fn(id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ErrSplit says that the folders of mess are not those of conf-split.
var ErrSplit = errors.New("mess is not split as conf-split says; run queue-fix")

// CheckSplit looks whether the queue is split as this program was built for. With another split every message would
// seem to be gone.
func (q *Queue) CheckSplit() error {
	for _, c := range []struct {
		folder uint64
		want   bool
	}{{conf.Split() - 1, true}, {conf.Split(), false}} {
		there, err := q.there("mess/" + strconv.FormatUint(c.folder, 10))
		if err != nil {
			return err
		}
		if there != c.want {
			return ErrSplit
		}
	}
	return nil
}
