package testqmail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"qmail/conf"
)

// Host is the name of the machine in a world.
const Host = "qmail.test"

// Start starts cmd, which is to call enter, as the first process of new namespaces. It dies with us, and all of its
// world with it.
func Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC,
		Pdeathsig: syscall.SIGKILL,
	}
	// The signal comes when the thread ends that started the process: this one lasts as long as we do.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- cmd.Start()
		select {}
	}()
	return <-done
}

// Enter makes the world of a process that Start has started with the folder of Installed.
func Enter(base string) error { return enter(base) }

// enter makes the world around this process: mounts nobody else sees.
func enter(base string) error {
	if os.Getpid() != 1 {
		return errors.New("not the first process of a PID namespace")
	}
	steps := []func() error{
		func() error { return mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		func() error { return mount("proc", "/proc", "proc", 0, "") },
		func() error { return mount("tmpfs", "/run", "tmpfs", 0, "mode=755") },
		makeDev,
		func() error { return makeEtc(base) },
		func() error { return makeHome(base) },
		func() error { return syscall.Sethostname([]byte(Host)) },
		loopbackUp,
		answerNoName,
	}
	for _, f := range steps {
		if err := f(); err != nil {
			return err
		}
	}
	return makeUsers()
}

func mount(from, to, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(from, to, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s: %w", to, err)
	}
	return nil
}

func bind(from, to string) error { return mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, "") }

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// makeDev makes a /dev without /dev/log.
func makeDev() error {
	if err := os.MkdirAll("/run/dev/shm", 0o755); err != nil {
		return err
	}
	os.Chmod("/run/dev/shm", 0o777|os.ModeSticky)
	for _, n := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := os.WriteFile("/run/dev/"+n, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+n, "/run/dev/"+n); err != nil {
			return err
		}
	}
	if err := os.Symlink("/proc/self/fd", "/run/dev/fd"); err != nil {
		return err
	}
	return bind("/run/dev", "/dev")
}

// overlay puts what folder from has at folder at, with a layer of its own for changes: copying would take longer than
// most tests. Where there are no overlays it is a copy.
func overlay(from, at string) error {
	upper, work := "/run/layers"+at+"/upper", "/run/layers"+at+"/work"
	for _, d := range []string{upper, work, at} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := alike(from, upper); err != nil {
		return err
	}
	if mount("overlay", at, "overlay", 0, "lowerdir="+from+",upperdir="+upper+",workdir="+work) == nil {
		return nil
	}
	if err := run("cp", "-a", from+"/.", upper); err != nil {
		return err
	}
	return bind(upper, at)
}

// alike gives folder to the owner and mode of folder from.
func alike(from, to string) error {
	fi, err := os.Stat(from)
	if err != nil {
		return err
	}
	own := fi.Sys().(*syscall.Stat_t)
	if err := os.Chown(to, int(own.Uid), int(own.Gid)); err != nil {
		return err
	}
	return os.Chmod(to, fi.Mode())
}

// makeEtc makes /etc one with the accounts of the world and a resolver on the loopback.
func makeEtc(base string) error {
	if err := overlay("/etc", "/etc"); err != nil {
		return err
	}
	for _, n := range []string{"passwd", "group", "shadow"} {
		b, err := os.ReadFile(filepath.Join(base, "etc", n))
		if err == nil {
			err = os.WriteFile("/etc/"+n, b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	for n, text := range map[string]string{
		"resolv.conf": "nameserver 127.0.0.1\n", "hosts": "127.0.0.1 localhost\n",
	} {
		os.Remove("/etc/" + n)
		if err := os.WriteFile("/etc/"+n, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeHome puts a fresh installed tree in its place. What is large and seldom changes is an overlay; the queue is none,
// for links and numbers of files are not what they are elsewhere.
func makeHome(base string) error {
	home := conf.Home()
	if err := mountable(home); err != nil {
		return err
	}
	if err := mount("tmpfs", home, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	from := filepath.Join(base, home)
	if err := alike(from, home); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	copied := []string{"-a"}
	for _, e := range entries {
		switch n := e.Name(); n {
		case "bin", "boot", "doc", "man":
			err = overlay(filepath.Join(from, n), filepath.Join(home, n))
		default:
			copied = append(copied, filepath.Join(from, n))
		}
		if err != nil {
			return err
		}
	}
	return run("cp", append(copied, home)...)
}

// mountable makes folder path, which the machine may lack, without touching the machine: its first missing part is made
// in a tmpfs that has everything of the folder above bound into it.
func mountable(path string) error {
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if err := mountable(above); err != nil {
		return err
	}
	skeleton := "/run/above" + above
	if err := os.MkdirAll(skeleton, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(above)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(above, e.Name()), filepath.Join(skeleton, e.Name())
		if !e.IsDir() {
			err = run("cp", "-a", from, to)
		} else if err = os.Mkdir(to, 0o755); err == nil {
			err = bind(from, to)
		}
		if err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(skeleton, filepath.Base(path)), 0o755); err != nil {
		return err
	}
	return bind(skeleton, above)
}

func makeUsers() error {
	if err := os.MkdirAll(homes, 0o755); err != nil {
		return err
	}
	for _, u := range Users() {
		if !u.Owned && !u.Other {
			continue
		}
		if err := os.Mkdir(u.Home, 0o755); err != nil {
			return err
		}
		if u.Owned {
			if err := os.Chown(u.Home, u.UID, u.UID); err != nil {
				return err
			}
		}
	}
	return nil
}
