package queue

import "time"

// ossified is when an unfinished message is an orphan. It must exceed qmail-queue's 24-hour limit, or we would
// delete a message still being written.
const ossified = 36 * time.Hour

// CleanFoop removes intd and mess of a finished message, for qmail-clean. Files that are gone already are no error.
// Where the disk may bring names back in any order, intd and todo are gone for good before mess is: else the next
// message with this number could find them.
func (q *Queue) CleanFoop(id ID) error {
	if q.follow {
		return q.removeBoth(Intd(id), Mess(id))
	}
	_, err := q.remove(Intd(id))
	if err == nil {
		err = together(
			func() error { return q.fs.SyncFolder("intd") },
			func() error { return q.fs.SyncFolder("todo") })
	}
	if err == nil {
		_, err = q.remove(Mess(id))
	}
	return err
}

// CleanTodo removes intd and todo of a message that has been preprocessed, or is delivered. intd goes first: todo says
// that there is work to do, so it must be the last.
func (q *Queue) CleanTodo(id ID) error { return q.removeBoth(Intd(id), Todo(id)) }

func (q *Queue) removeBoth(first, second string) error {
	if _, err := q.remove(first); err != nil {
		return err
	}
	_, err := q.remove(second)
	return err
}

// CleanPid removes files of pid that a qmail-queue left which died long ago.
func (q *Queue) CleanPid(now time.Time) {
	q.fs.EachName("pid", func(name string) bool {
		if at, err := q.fs.Accessed("pid/" + name); err == nil && now.Sub(at) > ossified {
			q.fs.Remove("pid/" + name)
		}
		return true
	})
}

// CleanIntd removes entries of intd whose mess is gone: of messages that were finished when the machine went down.
// A message being written has its mess before it has its intd.
func (q *Queue) CleanIntd() {
	q.fs.EachName("intd", func(name string) bool {
		if id, ok := ParseID(name); ok {
			if there, err := q.there(Mess(id)); !there && err == nil {
				q.remove(Intd(id))
			}
		}
		return true
	})
}
