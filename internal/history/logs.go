package history

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A stream is the lines of one log: of its files, one after the other.
type stream struct {
	name  string
	files []string
	f     io.ReadCloser // nil: the next file is to be opened
	lines *Lines
	now   time.Time
	line  Line
	over  bool
}

// next reads the stream's next line.
func (s *stream) next() error {
	for {
		if s.lines == nil {
			if s.f == nil {
				if len(s.files) == 0 {
					s.over = true
					return nil
				}
				s.name = s.files[0]
				f, err := os.Open(s.name)
				if s.files = s.files[1:]; err != nil {
					return err
				}
				s.f = f
			}
			var err error
			if s.lines, err = NewLines(s.f, s.now); err != nil {
				return s.fail(err)
			}
		}
		line, err := s.lines.Next()
		if err == nil {
			// A line without a time goes with the one before.
			if line.at = line.Time; line.at.IsZero() {
				line.at = s.line.at
			}
			s.line = line
			return nil
		}
		if err != io.EOF {
			return s.fail(err)
		}
		unread := s.lines.Unread()
		if err := s.close(); err != nil {
			return err
		}
		if unread != nil {
			return fmt.Errorf("%s: %w", s.name, unread)
		}
	}
}

func (s *stream) close() (err error) {
	if s.f != nil {
		err = s.f.Close()
	}
	s.f, s.lines = nil, nil
	return err
}

func (s *stream) fail(err error) error {
	s.close()
	return fmt.Errorf("%s: %w", s.name, err)
}

// merge calls fn with the lines of all streams in the order of their times. It goes on after an error, and returns the
// first.
func merge(streams []*stream, fn func(Line)) (failed error) {
	next := func(s *stream) {
		for !s.over {
			err := s.next()
			if err == nil {
				return
			}
			if failed == nil {
				failed = err
			}
		}
	}
	for _, s := range streams {
		next(s)
	}
	for {
		var first *stream
		for _, s := range streams {
			if !s.over && (first == nil || s.line.at.Before(first.line.at)) {
				first = s
			}
		}
		if first == nil {
			return failed
		}
		fn(first.line)
		next(first)
	}
}

// An Input is where the logs are that no argument names.
type Input struct {
	Now     time.Time
	Stdin   io.Reader                     // nil: it is not to be read
	Journal func() (io.ReadCloser, error) // journald's, in its export format; nil: there is none
	Folder  string                        // "/var/log"
}

// streams returns what a query reads.
func (in Input) streams(files []string) ([]*stream, error) {
	var list []*stream
	for _, name := range files {
		if fi, err := os.Stat(name); err == nil && fi.IsDir() {
			logs := logFiles(name)
			if len(logs) == 0 {
				return nil, fmt.Errorf("%s: no log is in this folder", name)
			}
			list = append(list, &stream{name: name, files: logs, now: in.Now})
			continue
		}
		list = append(list, &stream{name: name, files: []string{name}, now: in.Now})
	}
	if list != nil {
		return list, nil
	}
	if given, err := notEmpty(in.Stdin); given != nil || err != nil {
		return []*stream{{name: "standard input", f: io.NopCloser(given), now: in.Now}}, err
	}
	return in.system()
}

// system returns this system's own log: the journal, else the folders of the services, else syslog's file.
func (in Input) system() ([]*stream, error) {
	if in.Journal != nil {
		j, err := in.Journal()
		if err != nil {
			return nil, err
		}
		switch given, err := notEmpty(j); {
		case given != nil:
			return []*stream{{name: "the journal", f: &journal{given, j}, now: in.Now}}, nil
		case err != nil:
			j.Close()
			return nil, err
		}
		if err := j.Close(); err != nil {
			return nil, err
		}
	}
	var list []*stream
	folders, _ := filepath.Glob(filepath.Join(in.Folder, "qmail", "*"))
	for _, folder := range append(folders, filepath.Join(in.Folder, "qmail")) {
		if logs := logFiles(folder); len(logs) > 0 {
			list = append(list, &stream{name: folder, files: logs, now: in.Now})
		}
	}
	for _, name := range []string{"mail.log", "maillog"} {
		name = filepath.Join(in.Folder, name)
		if _, err := os.Stat(name); err == nil && len(list) == 0 {
			list = append(list, &stream{name: name, files: rotated(name), now: in.Now})
		}
	}
	if list == nil {
		return nil, errors.New("there is no log in the journal, nor in " + filepath.Join(in.Folder, "qmail") +
			" or " + filepath.Join(in.Folder, "mail.log") + "; name a file")
	}
	return list, nil
}

type journal struct {
	io.Reader
	io.Closer
}

// notEmpty returns r, or nil where nothing is in it.
func notEmpty(r io.Reader) (io.Reader, error) {
	if r == nil {
		return nil, nil
	}
	var first [1]byte
	switch _, err := io.ReadFull(r, first[:]); err {
	case nil:
		return io.MultiReader(strings.NewReader(string(first[:])), r), nil
	case io.EOF:
		return nil, nil
	default:
		return nil, err
	}
}

// logFiles returns the files of a folder of multilog, svlogd or s6-log, the oldest first.
func logFiles(folder string) []string {
	files, _ := filepath.Glob(filepath.Join(folder, "@*"))
	current := filepath.Join(folder, "current")
	if fi, err := os.Stat(current); err == nil && fi.Mode().IsRegular() {
		files = append(files, current)
	}
	return files
}

// rotated returns a log and what it was before, the oldest first.
func rotated(name string) []string {
	files, _ := filepath.Glob(name + "*")
	when := make(map[string]time.Time)
	files = slices.DeleteFunc(files, func(f string) bool {
		fi, err := os.Stat(f)
		if err == nil {
			when[f] = fi.ModTime()
		}
		rest := strings.TrimPrefix(f, name)
		return err != nil || fi.Mode()&fs.ModeType != 0 || rest != "" && rest[0] != '.' && rest[0] != '-'
	})
	slices.SortStableFunc(files, func(a, b string) int { return when[a].Compare(when[b]) })
	return files
}
