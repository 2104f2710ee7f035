// Predate runs a program on its input with a Date field of local time put before it; see predate(1).
//
//	predate program [arg ...]
//
//	uid   any user     exec  date, then the program
//	fd 0  a message    fd 1, 2  the program's
//	exit  that of the program; 111 it could not be run or crashed; 100 wrong usage
package main

import (
	"bytes"
	"io"
	"os"

	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("predate: usage: predate program [ arg ... ]")
	if len(os.Args) < 2 {
		proc.Die(exit.Perm, "predate: usage: predate child")
	}
	child, input := start(os.Args[1:])
	input.Write(append(append([]byte("Date: "), localDate()...), '\n'))
	io.Copy(input, os.Stdin)
	input.Close()
	st, err := child.Wait()
	if err != nil || !st.Exited() {
		proc.Die(exit.Temp, "predate: fatal: child crashed")
	}
	proc.Exit(exit.Code(st.ExitCode()))
}

// start starts the program with a pipe on its descriptor 0.
func start(args []string) (*os.Process, *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		proc.Die(exit.Temp, "predate: fatal: unable to create pipe: "+sys.Reason(err))
	}
	file, err := proc.Look(args[0], os.Environ())
	if err != nil {
		unable(args[0], err)
	}
	p, err := os.StartProcess(file, args, &os.ProcAttr{Files: []*os.File{r, os.Stdout, os.Stderr}})
	if err != nil {
		unable(args[0], err)
	}
	r.Close()
	return p, w
}

func unable(name string, err error) {
	proc.Die(exit.Temp, "predate: fatal: unable to run "+name+": "+sys.Reason(err))
}

// localDate asks date(1), as $TZ may name any file and that program is the place to believe it.
func localDate() []byte {
	r, w, err := os.Pipe()
	if err != nil {
		unable("date", err)
	}
	file, err := proc.Look("date", nil)
	if err != nil {
		unable("date", err)
	}
	env := []string{"LC_ALL=C"}
	if tz, ok := os.LookupEnv("TZ"); ok {
		env = append(env, "TZ="+tz)
	}
	p, err := os.StartProcess(file, []string{"date", "+%e %b %Y %H:%M:%S %z"}, &os.ProcAttr{
		Env: env, Files: []*os.File{nil, w, os.Stderr},
	})
	if err != nil {
		unable("date", err)
	}
	w.Close()
	out, _ := io.ReadAll(io.LimitReader(r, 256))
	if st, err := p.Wait(); err != nil || !st.Success() {
		proc.Die(exit.Temp, "predate: fatal: date failed")
	}
	return bytes.Trim(out, " \n")
}
