// Package daybook keeps lines of words, by the day, until somebody makes a report of them. They are no mail: one that
// cannot be kept is lost.
package daybook

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"qmail/internal/sys"
)

const (
	// maxDay is how many bytes a day may have. Above that nothing more is noted.
	maxDay = 64 << 20
	// maxWord and maxLine are the most bytes of a word and of a line: one write appends it whole.
	maxWord, maxLine = 512, 4000
	// form is how the file of a day is named.
	form = "20060102"
)

// The books, below HOME: of mail, for the domains of its authors, and of TLS to other hosts.
const (
	DMARC = "reports/dmarc"
	TLS   = "reports/tls"
)

// Of returns a book of an installed tree.
func Of(home, name string) Book { return Book(filepath.Join(home, name)) }

// A Book is a folder with a file for each day, in UTC.
type Book string

// Add notes words on the day of now, without control characters and without what is too long in each.
func (b Book) Add(now time.Time, words ...string) error {
	line := make([]byte, 0, 256)
	for i, w := range words {
		if i > 0 {
			line = append(line, '\t')
		}
		for _, c := range []byte(w[:min(len(w), maxWord)]) {
			if c < ' ' || c == 0x7f {
				c = '?'
			}
			line = append(line, c)
		}
	}
	if len(line) >= maxLine {
		return errors.New("too many words")
	}
	f, err := os.OpenFile(filepath.Join(string(b), now.UTC().Format(form)),
		os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() || fi.Size() > maxDay {
		return errors.New("no file, or a full one")
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

// A Day is a file of a Book.
type Day struct {
	Begin time.Time
	file  *os.File
}

// End is the last second of the day.
func (d *Day) End() time.Time { return d.Begin.Add(24*time.Hour - time.Second) }

// Days returns the days that are over, the first one first. They are open, and locked against who asks for them
// meanwhile. Files of others than owner, unless that is negative, and whatever else is in the folder are left alone.
func (b Book) Days(now time.Time, owner int) (days []*Day, err error) {
	names, err := os.ReadDir(string(b))
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		begin, err := time.Parse(form, n.Name())
		// A process may have begun to write a line when the day ended.
		if err != nil || now.Before(begin.Add(24*time.Hour+grace)) {
			continue
		}
		f, err := os.OpenFile(filepath.Join(string(b), n.Name()), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if !readable(f, owner) || sys.TryLock(f) != nil {
			f.Close()
			continue
		}
		days = append(days, &Day{begin, f})
	}
	return days, nil
}

func readable(f *os.File, owner int) bool {
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return false
	}
	uid, _ := sys.Owner(fi)
	return owner < 0 || uid == owner
}

// grace is how long after its end a day is left alone.
const grace = time.Minute

// Read calls line with the words of each line, up to one that is too long.
func (d *Day) Read(line func(words []string)) error {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s := bufio.NewScanner(io.LimitReader(d.file, maxDay+maxLine))
	s.Buffer(make([]byte, 0, maxLine), maxLine+1)
	for s.Scan() {
		line(strings.Split(s.Text(), "\t"))
	}
	if err := s.Err(); err != nil && err != bufio.ErrTooLong {
		return err
	}
	return nil
}

// Remove removes the day from its book, when it has been reported.
func (d *Day) Remove() error { return os.Remove(d.file.Name()) }

// Close leaves it for another time.
func (d *Day) Close() error { return d.file.Close() }
