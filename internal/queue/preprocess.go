package queue

import (
	"bufio"
	"io"
	"time"
)

// recordMode is for what qmail-send makes.
const recordMode = 0o600

// A Plan says how a message goes from S4 to S5.
type Plan struct {
	ID ID
	// Route returns a recipient's address as it is delivered to, and its channel.
	Route func(recipient string) (string, Channel)
	// Done reports whether the recipient with this number (in the order of todo, from 0) has its message already, as
	// after a first delivery straight from todo. nil: none.
	Done func(n int) bool
	// Birth becomes the birth time of the message when it is not zero; else that is now.
	Birth time.Time
}

// Prepared is a message whose info, local and remote files are written and not yet synced.
type Prepared struct {
	ID       ID
	Sender   string
	UID, PID uint64
	Birth    time.Time
	Has      [2]bool // by Channel: there is a file, with at least one recipient that is not done

	files   []File
	folders []string // to sync where names do not follow their files
	names   []string // made, to be removed if it comes to nothing
}

// Prepare reads the todo file, removes what an earlier try left, and writes info, local and remote. A channel whose
// recipients are all done gets no file. The caller then passes the result to Settle or to its Drop. After an error
// nothing is left but what the next Prepare removes.
func (q *Queue) Prepare(p Plan) (*Prepared, error) {
	t, err := q.OpenTodo(p.ID)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	m := &Prepared{ID: p.ID, Sender: t.Sender, UID: t.UID, PID: t.PID}
	if err = q.removeStale(m); err == nil {
		err = q.writeRecords(m, t, p)
	}
	if err != nil {
		q.Drop(m)
		return nil, err
	}
	return m, nil
}

// removeStale removes what is not to be trusted while todo is there.
func (q *Queue) removeStale(m *Prepared) error {
	for _, name := range [...]string{Info(m.ID), Local.File(m.ID), Remote.File(m.ID), Bounce(m.ID)} {
		there, err := q.remove(name)
		if err != nil {
			return err
		}
		if there {
			m.folders = append(m.folders, folderOf(name))
		}
	}
	return nil
}

func (q *Queue) writeRecords(m *Prepared, t *TodoReader, p Plan) error {
	info, err := q.create(m, Info(m.ID))
	if err != nil {
		return err
	}
	if _, err = info.Write(record('F', []byte(m.Sender))); err != nil {
		return err
	}
	var out [2]*bufio.Writer
	for n := 0; ; n++ {
		rcpt, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if p.Done != nil && p.Done(n) {
			continue
		}
		addr, c := p.Route(string(rcpt))
		if out[c] == nil {
			f, err := q.create(m, c.File(m.ID))
			if err != nil {
				return err
			}
			out[c], m.Has[c] = bufio.NewWriterSize(f, bufSize), true
		}
		out[c].WriteByte('T')
		out[c].WriteString(addr)
		out[c].WriteByte(0)
	}
	for _, w := range out {
		if w != nil {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if t.Asks() {
		if err := q.writeAsked(info, t, p); err != nil {
			return err
		}
	}
	return q.birth(m, info, p.Birth)
}

// writeAsked writes behind the sender what is asked for, with addresses as they are delivered to in the place of
// numbers. So it reads the recipients, of whom there may be any number, once more.
func (q *Queue) writeAsked(info File, t *TodoReader, p Plan) error {
	again, err := q.OpenTodo(p.ID)
	if err != nil {
		return err
	}
	defer again.Close()
	w := bufio.NewWriterSize(info, bufSize)
	for at := 0; ; {
		r, err := t.Parameter()
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		if r.N >= 0 {
			if r.N < at {
				return ErrDamaged
			}
			for ; at <= r.N; at++ {
				rcpt, err := again.Next()
				if err == io.EOF {
					err = ErrDamaged
				}
				if err != nil {
					return err
				}
				r.To, _ = p.Route(string(rcpt))
			}
			if p.Done != nil && p.Done(r.N) {
				continue
			}
			r.N = -1
			if r.To == "" {
				continue
			}
		}
		w.Write(record('p', r.Append(nil)))
	}
}

// birth sets and notes the time of the info file, which is the birth time of the message.
func (q *Queue) birth(m *Prepared, info File, at time.Time) error {
	if !at.IsZero() {
		m.Birth = at
		return q.fs.SetTime(Info(m.ID), at)
	}
	fi, err := info.Stat()
	if err != nil {
		return err
	}
	m.Birth = fi.ModTime()
	return nil
}

func (q *Queue) create(m *Prepared, name string) (File, error) {
	f, err := q.fs.Create(name, recordMode)
	if err != nil {
		return nil, err
	}
	m.files = append(m.files, f)
	m.names = append(m.names, name)
	m.folders = append(m.folders, folderOf(name))
	return f, nil
}

func record(letter byte, s []byte) []byte {
	b := append(make([]byte, 0, len(s)+2), letter)
	return append(append(b, s...), 0)
}

// Settle makes the files of all the messages durable in one wait and closes them. A message whose error is nil is
// in S5 as soon as qmail-clean has done its request for todo, which the caller sends now; until then it is in S4.
// One with an error is still in S4, to be prepared again later.
func (q *Queue) Settle(batch []*Prepared) []error {
	errs := make([]error, len(batch))
	type part struct{ m, f int }
	var parts []part
	for i, m := range batch {
		for j := range m.files {
			parts = append(parts, part{i, j})
		}
	}
	results := make([]error, len(parts))
	each(len(parts), func(i int) { results[i] = batch[parts[i].m].files[parts[i].f].Sync() })
	for i, err := range results {
		if m := parts[i].m; errs[m] == nil {
			errs[m] = err
		}
	}
	if !q.follow {
		q.settleFolders(batch, errs)
	}
	for i, m := range batch {
		for _, f := range m.files {
			f.Close()
		}
		m.files = nil
		if errs[i] != nil {
			q.Drop(m)
		}
	}
	return errs
}

// settleFolders syncs each folder of the batch once.
func (q *Queue) settleFolders(batch []*Prepared, errs []error) {
	at := map[string]int{}
	var folders []string
	for _, m := range batch {
		for _, f := range m.folders {
			if _, ok := at[f]; !ok {
				at[f] = len(folders)
				folders = append(folders, f)
			}
		}
	}
	results := make([]error, len(folders))
	each(len(folders), func(i int) { results[i] = q.fs.SyncFolder(folders[i]) })
	for i, m := range batch {
		for _, f := range m.folders {
			if err := results[at[f]]; errs[i] == nil {
				errs[i] = err
			}
		}
	}
}

// Drop removes what Prepare wrote; the message stays in S4.
func (q *Queue) Drop(m *Prepared) {
	for _, f := range m.files {
		f.Close()
	}
	m.files = nil
	for i := len(m.names) - 1; i >= 0; i-- {
		q.fs.Remove(m.names[i])
	}
	m.names = nil
}
