// Package counters is where programs count what they do: HOME/stats has a file for each role, which root makes and the
// user of that role writes. There, and only there, is counted. A file is slots of eight bytes, little endian, whose
// numbers never change; slot 0 is the second in which it was written last.
//
// Counts only inform: nobody waits for them long, one that cannot be written is lost, and no mail is.
package counters

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/sys"
)

const (
	word = 8
	// Most is how many slots a file may have, and Size how many bytes.
	Most = 256
	Size = Most * word
	// patience is how long it may take until a file is ours.
	patience = time.Second
)

// Folder is where the files are.
func Folder() string { return filepath.Join(conf.Home(), "stats") }

// A Role is who counts.
type Role string

// The roles: qmail-send, and the sessions of SMTP servers.
const (
	Send    Role = "send"
	Session Role = "session"
)

// A File is that of a role. A nil one counts nothing.
type File struct{ f *os.File }

// Open opens the file of a role to count in it; nil where this is off.
func Open(r Role) *File { return open(filepath.Join(Folder(), string(r)), os.Geteuid()) }

func open(path string, owner int) *File {
	f, err := regular(path, os.O_RDWR)
	if err != nil {
		return nil
	}
	if fi, err := f.Stat(); err == nil {
		if uid, _ := sys.Owner(fi); uid == owner {
			return &File{f}
		}
	}
	f.Close()
	return nil
}

// Load returns what a role has counted, for who may read that; ok is false where nothing is counted.
func Load(r Role) (s Slots, ok bool) {
	f, err := regular(filepath.Join(Folder(), string(r)), os.O_RDONLY)
	if err != nil {
		return s, false
	}
	defer f.Close()
	s, err = Read(f)
	return s, err == nil
}

// regular opens a file that is one, by no link.
func regular(path string, flag int) (*os.File, error) {
	f, err := sys.Open(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, errors.New("no plain file")
	}
	return f, nil
}

// Slots are the counts of a role, by their numbers.
type Slots [Most]uint64

// Read returns what f counts, from a file that may be short.
func Read(f io.ReaderAt) (s Slots, err error) {
	b := make([]byte, Size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return s, err
	}
	for n := range s {
		s[n] = binary.LittleEndian.Uint64(b[n*word:])
	}
	return s, nil
}

// Add adds what somebody has counted, of several who do. Who cannot have the file in time is not counted.
func (f *File) Add(counted *Slots, now time.Time) {
	if f == nil || sys.LockWithin(f.f, patience) != nil {
		return
	}
	defer sys.Unlock(f.f)
	s, err := Read(f.f)
	if err != nil {
		return
	}
	for n, c := range counted {
		s[n] += c
	}
	f.Write(&s, now)
}

// Read returns what the file counts, to go on from there: nothing where it cannot be read.
func (f *File) Read() Slots {
	if f == nil {
		return Slots{}
	}
	s, _ := Read(f.f)
	return s
}

// Write writes all counts, for the only one who does.
func (f *File) Write(s *Slots, now time.Time) {
	if f == nil {
		return
	}
	b := make([]byte, 0, Size)
	b = binary.LittleEndian.AppendUint64(b, uint64(max(0, now.Unix())))
	for _, c := range s[1:] {
		b = binary.LittleEndian.AppendUint64(b, c)
	}
	f.f.WriteAt(b, 0)
}
