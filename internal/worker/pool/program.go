package pool

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"qmail/internal/worker"
)

// An executable is a file in the place of a program. One that is replaced is another.
type executable struct {
	name    string
	file    os.FileInfo
	seen    time.Time // when it was last there
	foreign bool      // it cannot greet
}

// look returns the program of a name, and nil where there is none or none that can greet. The caller holds the lock.
func (p *Pool) look(name string, now time.Time) *executable {
	l := p.programs[name]
	if l == nil || now.Sub(l.seen) >= lookAge {
		path := filepath.Join(p.dir, name)
		file, err := os.Stat(path)
		if err != nil {
			delete(p.programs, name)
			return nil
		}
		if l == nil || !same(l.file, file) {
			l = &executable{name: name, file: file, foreign: !canGreet(path)}
			p.programs[name] = l
		}
		l.seen = now
	}
	if l.foreign {
		return nil
	}
	return l
}

// canGreet reports whether a program may be one that greets: the greeting is in its file, or the file cannot be read,
// as is usual in HOME/bin. What stands in a program's place and is a script can be read by whoever runs it, so it is
// never started for nothing.
func canGreet(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	b, kept := make([]byte, 64<<10), 0
	for {
		n, err := f.Read(b[kept:])
		n += kept
		if bytes.Contains(b[:n], []byte(worker.Greeting)) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(b, b[max(0, n-len(worker.Greeting)+1):n])
	}
}

// same reports whether two looks at a file saw the same one.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
