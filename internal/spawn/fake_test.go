package spawn

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/exit"
	"qmail/internal/worker"
)

// The test binary is also the delivery program: it is linked under this name into a folder of its own. It ends by
// syscall.Exit, since os.Exit says on descriptor 2 that coverage is not written.
const program = "qmail-fake"

// quick keeps a program that is built with the race detector from waiting a second at its end.
const quick = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "sleeper" {
		time.Sleep(time.Second)
		os.Exit(0)
	}
	if filepath.Base(os.Args[0]) != program {
		os.Exit(m.Run())
	}
	if len(os.Args) == 1 && sys.IsPacketSocket(3) {
		parent := worker.Accept(os.NewFile(3, "parent"))
		syscall.Exit(int(parent.Serve(1, func(j worker.Job, out *worker.Output) worker.Answer {
			code := play(j.Args, j.Files[0], out, out.File)
			return worker.Answer{Code: code, Note: []byte("worker")}
		})))
	}
	syscall.Exit(int(play(os.Args[1:], os.Stdin, os.Stdout, func() (*os.File, error) { return os.Stdout, nil })))
}

// play does what its arguments say: "print TEXT", "repeat N", "cat", "stderr TEXT", "child", "exit N", "kill N",
// "where"...
func play(args []string, message io.Reader, out io.Writer, file func() (*os.File, error)) exit.Code {
	for len(args) > 0 {
		verb, arg := args[0], ""
		if len(args) > 1 {
			arg = args[1]
		}
		args = args[min(2, len(args)):]
		n, _ := strconv.Atoi(arg)
		switch verb {
		case "print":
			io.WriteString(out, arg)
		case "stderr":
			os.Stderr.WriteString(arg)
		case "repeat":
			io.WriteString(out, strings.Repeat("x", n))
		case "cat":
			io.Copy(out, message)
		case "where":
			dir, _ := os.Getwd()
			io.WriteString(out, dir+" "+strings.Join(os.Environ(), ","))
		case "child":
			self, _ := os.Executable()
			cmd := exec.Command(self)
			cmd.Args = []string{"sleeper"}
			cmd.Stdout, _ = file()
			cmd.Start()
		case "exit":
			return exit.Code(n)
		case "kill":
			syscall.Kill(os.Getpid(), syscall.Signal(n))
			time.Sleep(time.Minute)
		case "say": // to the parent, unasked
			syscall.Write(3, []byte(arg))
		case "stop":
			os.WriteFile(arg+".new", []byte(strconv.Itoa(os.Getpid())), 0o600)
			os.Rename(arg+".new", arg)
			syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			time.Sleep(time.Minute) // another thread may take the signal
		case "panic":
			panic(arg)
		}
	}
	return exit.OK
}

// bin makes a folder with the program.
func bin(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Link(self, filepath.Join(dir, program)); err != nil {
		if err := os.Symlink(self, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
