package queue

import (
	"io"
	"time"
)

// AppendBounce adds text to the bounce of a message, durably, name included: only then may the recipient's letter
// become D. A text that could not be written whole is taken back.
func (q *Queue) AppendBounce(id ID, text []byte) error {
	f, err := q.fs.Append(Bounce(id), recordMode)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		if q.follow || fi.Size() > 0 {
			err = f.Sync()
		} else {
			err = together(f.Sync, func() error { return q.fs.SyncFolder("bounce") })
		}
	}
	if err != nil {
		f.Truncate(fi.Size())
	}
	return err
}

// RemoveBounce removes the bounce of a message once its text is queued as a message of its own, or discarded.
func (q *Queue) RemoveBounce(id ID) error {
	_, err := q.remove(Bounce(id))
	return err
}

// EndChannel removes the recipients of a channel when all of them are done.
func (q *Queue) EndChannel(c Channel, id ID) error {
	_, err := q.remove(c.File(id))
	return err
}

// Finish takes the first half of the way from S5 to S1, when both channels are ended and the bounce is gone: info
// goes. The caller then asks qmail-clean for foop, which takes the second half. Where the disk may bring names back
// in any order, all four are gone for good before mess is: else a later message of the same number could find them.
func (q *Queue) Finish(id ID) error {
	if _, err := q.remove(Info(id)); err != nil {
		return err
	}
	if q.follow {
		return nil
	}
	folders := []string{folderOf(Info(id)), folderOf(Local.File(id)), folderOf(Remote.File(id)), "bounce"}
	errs := make([]error, len(folders))
	each(len(folders), func(i int) { errs[i] = q.fs.SyncFolder(folders[i]) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// NextTry records when a channel of a message is to be tried next, for the qmail-send that is started after this
// one: as the time of its file.
func (q *Queue) NextTry(c Channel, id ID, at time.Time) error { return q.fs.SetTime(c.File(id), at) }

// SetBirth sets the birth time of a message in S5.
func (q *Queue) SetBirth(id ID, at time.Time) error { return q.fs.SetTime(Info(id), at) }

// CopyBounce writes the text of the failures to w. None at all is fs.ErrNotExist.
func (q *Queue) CopyBounce(id ID, w io.Writer) error {
	f, err := q.OpenBounce(id)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
