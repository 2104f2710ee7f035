// Package proc is the start and the end of a process: a bug dies by a signal, a broken pipe
// is an error, a descriptor has a name.
package proc

import (
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"qmail/internal/sys"
	"qmail/internal/text/exit"
)

// Begin, or BeginAlone, is the first call of every main. After it a panic in any goroutine ends the process
// by SIGABRT, since an exit code of 2 would be taken for an answer by another qmail's
// programs; and a write to a closed pipe is an error, while children still get the default SIGPIPE.
func Begin() {
	crash()
	CatchPipe()
}

// BeginAlone is Begin for a program that starts no other, but for qmail-queue: SIGPIPE can be ignored then, which
// needs no thread of its own, a tenth of the whole start.
func BeginAlone() {
	crash()
	IgnorePipe()
}

// crash has a bug end the process by SIGABRT. And it ignores SIGQUIT where SIGINT is: a shell starts what is to
// run in the background with both ignored, for all that it starts; the runtime keeps only the first.
func crash() {
	debug.SetTraceback("crash")
	if signal.Ignored(syscall.SIGINT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}

// CatchPipe makes a broken pipe an error; what is started from now on gets the default SIGPIPE.
func CatchPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// IgnorePipe makes a broken pipe an error; what is started from now on ignores it as well.
func IgnorePipe() { signal.Ignore(syscall.SIGPIPE) }

// Exit ends the process with code c.
func Exit(c exit.Code) { os.Exit(int(c)) }

// Die writes a line to descriptor 2 and ends the process with code c. Text is a complete line but for its newline.
func Die(c exit.Code, text string) {
	os.Stderr.WriteString(text + "\n")
	os.Exit(int(c))
}

// FD names an inherited descriptor. The caller holds the File as long as it is in use, since
// a File that is garbage closes its descriptor. Descriptors 0 to 2 are the Files that package os has made already:
// a second one could not wait for a pipe that does not block.
func FD(n int, name string) *os.File {
	switch n {
	case 0:
		return os.Stdin
	case 1:
		return os.Stdout
	case 2:
		return os.Stderr
	}
	return os.NewFile(uintptr(n), name)
}

// Pipe is FD for an inherited end of a pipe that nobody else has, nor what this process starts: the runtime polls
// it, as a goroutine that waits in the kernel holds up the others of a process with one processor. Of descriptors 0
// to 2 package os has already made Files that wait, so they get another number as well. What is no pipe waits.
func Pipe(n int, name string) *os.File {
	syscall.CloseOnExec(n)
	var st syscall.Stat_t
	if err := syscall.Fstat(n, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return FD(n, name)
	}
	fd := n
	if n <= 2 {
		var err error
		if fd, err = sys.Duplicate(n); err != nil {
			return FD(n, name)
		}
	}
	syscall.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}

// WasClosed reports whether descriptor n was not open when the process started. The runtime puts
// /dev/null, open for reading and writing, in the place of such a descriptor 0, 1 or 2 before
// main runs.
func WasClosed(f *os.File) bool {
	fi, err := f.Stat()
	if err != nil {
		return true
	}
	if fi.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(fi, null) {
		return false
	}
	rc, err := f.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	rc.Control(func(fd uintptr) { closed = sys.OpenedReadWrite(fd) })
	return closed
}

// Chdir enters dir and then the folders of path below it.
func Chdir(dir string, path ...string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	for _, p := range path {
		if err := os.Chdir(p); err != nil {
			return err
		}
	}
	return nil
}

// Log returns descriptor 2 where lines may be written to it, and nil where it is the client: inetd gives a server its
// connection as descriptors 0, 1 and 2.
func Log(in, out *os.File) io.Writer {
	log, err := os.Stderr.Stat()
	if err != nil {
		return nil
	}
	for _, f := range []*os.File{in, out} {
		if fi, err := f.Stat(); err != nil || os.SameFile(fi, log) {
			return nil
		}
	}
	return os.Stderr
}
