package queue

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stuck is an ordered disk on which one kind of writing out fails.
type stuck struct {
	*model
	bad func(kind, folder string) error
}

func (s stuck) fails(kind string, f File) error {
	for name, o := range s.names {
		if folder, _, _ := strings.Cut(name, "/"); o == f.(*handle).o && folder != "todo" {
			return s.bad(kind, folder)
		}
	}
	return nil
}

func (s stuck) StartOut(f File) error { return s.fails("start", f) }

func (s stuck) WriteOut(f File) error {
	if err := s.fails("wait", f); err != nil {
		return err
	}
	return s.model.WriteOut(f)
}

func TestDataThatCannotBeWrittenOutIsNeverAccepted(t *testing.T) {
	for _, c := range []struct {
		kind, folder string
		err          error
		want         error
	}{
		{"start", "mess", syscall.EIO, ErrWrite},
		{"wait", "mess", syscall.EIO, ErrWrite},
		{"wait", "intd", syscall.ENOSPC, ErrWrite},
		{"start", "mess", errors.ErrUnsupported, nil},
		{"wait", "mess", errors.ErrUnsupported, nil},
		{"wait", "intd", errors.ErrUnsupported, nil},
	} {
		m := newModel(law{follow: true, ordered: true, unnamed: true})
		q := Open("", stuck{m, func(kind, folder string) error {
			if kind == c.kind && folder == c.folder {
				return c.err
			}
			return nil
		}})
		in, err := q.Begin(1, time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		id := in.ID()
		if err = in.Text(nil, strings.NewReader("text\n")); err == nil {
			if err = in.Envelope(1, 1); err == nil {
				err = in.Commit()
			}
		}
		if err != c.want {
			t.Errorf("%+v: %v", c, err)
		}
		if _, there := m.Lstat(Todo(id)); (there == nil) != (c.want == nil) {
			t.Errorf("%+v: todo: %v", c, there)
		}
		if err != nil {
			in.Abandon()
			if _, err := m.Lstat(Mess(id)); !errors.Is(err, fs.ErrNotExist) || len(m.names) > 0 {
				t.Errorf("%+v leaves %v", c, m.names)
			}
		}
	}
}
