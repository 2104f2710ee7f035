package cases

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

// command runs one command and returns its exit code and what it wrote.
func (e *bed) command(c *Case, p Command, timeout float64) (map[string]any, error) {
	r := &running{bed: e}
	defer r.close()
	if err := r.open(p); err != nil {
		return nil, err
	}
	limit := limit(timeout)
	cmd := e.exec(p, r)
	if err := cmd.Start(); err != nil {
		kind := "OSError"
		if errors.Is(err, os.ErrNotExist) {
			kind = "FileNotFoundError"
		} else if errors.Is(err, os.ErrPermission) {
			kind = "PermissionError"
		}
		return map[string]any{"exit": "exec: " + kind, "stdout": "", "stderr": ""}, nil
	}
	r.started(limit)
	done := make(chan error, 1)
	go func() { cmd.Wait(); done <- nil }()
	var code any
	select {
	case <-done:
		code = exitCode(cmd.ProcessState)
	case <-time.After(limit):
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		code = "timeout"
	}
	out, errOut := r.output()
	return map[string]any{"exit": code, "stdout": e.normal(out, c), "stderr": e.normal(errOut, c)}, nil
}

// exitCode is negative for a signal.
func exitCode(st *os.ProcessState) any {
	ws := st.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return float64(-int(ws.Signal()))
	}
	return float64(ws.ExitStatus())
}

// exec makes the command line, through a shell that sets the umask and closes descriptors.
func (e *bed) exec(p Command, r *running) *exec.Cmd {
	args := make([]string, len(p.Argv))
	for i, a := range p.Argv {
		args[i] = e.fill(raw(a))
	}
	if !contains(args[0], '/') {
		args[0] = filepath.Join(conf.Home(), "bin", args[0])
	}
	umask := p.Umask
	if umask == "" {
		umask = "022"
	}
	script := "umask " + umask + "; "
	if len(p.CloseFDs) > 0 {
		script += "exec"
		for _, n := range p.CloseFDs {
			way := ">"
			if n == 0 {
				way = "<"
			}
			script += " " + strconv.Itoa(n) + way + "&-"
		}
		script += "; "
	}
	env := map[string]string{"PATH": conf.Home() + "/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
	for k, v := range p.Env {
		if v == nil {
			delete(env, k)
		} else {
			env[k] = e.fill(raw(*v))
		}
	}
	cmd := &exec.Cmd{Path: args[0], Args: args, Dir: "/", Env: []string{}}
	if _, err := os.Stat(args[0]); err == nil {
		// A shell would add PWD to the environment, hence env.
		script += `exec env -i "$@"`
		cmd.Path = "/bin/sh"
		cmd.Args = []string{"/bin/sh", "-c", script, "sh"}
		for k, v := range env {
			cmd.Args = append(cmd.Args, k+"="+v)
		}
		cmd.Args = append(cmd.Args, args...)
	}
	if p.Cwd != "" {
		cmd.Dir = e.fill(raw(p.Cwd))
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r.in, r.out, r.errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p.AsUser != "" && p.AsUser != "root" {
		cred := &syscall.Credential{Uid: uint32(e.who.uid[p.AsUser]), Gid: uint32(e.who.gid[p.AsUser])}
		if p.AsUser == "orcjoe" {
			cred.Groups = []uint32{testqmail.GroupID}
		}
		cmd.SysProcAttr.Credential = cred
	}
	return cmd
}

func contains(s string, c byte) bool {
	for i := range len(s) {
		if s[i] == c {
			return true
		}
	}
	return false
}

// running holds the descriptors of a command.
type running struct {
	bed             *bed
	in, out, errOut *os.File
	kept            *os.File // what output goes to, where out is something else
	held            *os.File // the writing end of an input that stays open
	net             net.Conn
	netInput        []byte
	netOutput       []byte
	netDone         chan struct{}
}

// open makes descriptors 0, 1 and 2.
func (r *running) open(p Command) error {
	dir, err := os.MkdirTemp(r.bed.top, "fd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	data, err := r.bed.input(p)
	if err != nil {
		return err
	}
	if r.kept, err = os.OpenFile(dir+"/out", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	if r.errOut, err = os.OpenFile(dir+"/err", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	r.out = r.kept
	switch p.StdinMode {
	case "tcp":
		err = r.socket(p)
		r.netInput, r.out = data, r.in
	case "hold":
		if r.in, r.held, err = os.Pipe(); err == nil {
			_, err = r.held.Write(data)
		}
	case "pipe":
		var w *os.File
		if r.in, w, err = os.Pipe(); err == nil {
			go func() { w.Write(data); w.Close() }()
		}
	case "closed":
		r.in, err = os.Open(os.DevNull)
	default:
		r.in, err = fileWith(dir+"/in", data)
	}
	if err == nil && p.FD1In != nil {
		r.out, err = fileWith(dir+"/in1", []byte(r.bed.fill(raw(*p.FD1In))))
	}
	return err
}

// fileWith returns a file opened for reading.
func fileWith(path string, data []byte) (*os.File, error) {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// socket makes descriptor 0 a connection.
func (r *running) socket(p Command) error {
	at := func(ip string) string {
		if ip == "" {
			ip = "127.0.0.1"
		}
		return net.JoinHostPort(ip, "0")
	}
	l, err := net.Listen("tcp", at(p.LocalIP))
	if err != nil {
		return err
	}
	defer l.Close()
	from, err := net.ResolveTCPAddr("tcp", at(p.RemoteIP))
	if err != nil {
		return err
	}
	if r.net, err = (&net.Dialer{LocalAddr: from}).Dial("tcp", l.Addr().String()); err != nil {
		return err
	}
	server, err := l.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	r.bed.ports["LOCAL"] = l.Addr().(*net.TCPAddr).Port
	r.bed.ports["REMOTE"] = r.net.LocalAddr().(*net.TCPAddr).Port
	if r.in, err = server.(*net.TCPConn).File(); err == nil {
		err = syscall.SetNonblock(int(r.in.Fd()), false)
	}
	return err
}

// started plays the other end of a connection.
func (r *running) started(limit time.Duration) {
	if r.net == nil {
		return
	}
	r.in.Close()
	r.net.SetDeadline(time.Now().Add(limit))
	r.net.Write(r.netInput)
	r.net.(*net.TCPConn).CloseWrite()
	r.netDone = make(chan struct{})
	go func() { r.netOutput, _ = io.ReadAll(r.net); close(r.netDone) }()
}

// output returns what the command wrote.
func (r *running) output() (out, errOut string) {
	read := func(f *os.File) string {
		f.Seek(0, io.SeekStart)
		b, err := io.ReadAll(f)
		if err != nil {
			return fmt.Sprintf("reading output: %v", err)
		}
		return string(b)
	}
	if r.net != nil {
		<-r.netDone
		return string(r.netOutput), read(r.errOut)
	}
	return read(r.kept), read(r.errOut)
}

func (r *running) close() {
	for _, f := range []*os.File{r.in, r.out, r.errOut, r.kept, r.held} {
		if f != nil {
			f.Close()
		}
	}
	if r.net != nil {
		r.net.Close()
	}
}
