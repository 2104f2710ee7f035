package testqmail

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"qmail/conf"
)

const (
	// Gateway4 and Gateway6 are the addresses of the world itself in its network.
	Gateway4, Gateway6 = "10.9.0.1", "fd09::1"
	bridge             = "wire"
	disks              = "/mnt"
)

// Wire lays the network of this world, to which machines are connected when they boot.
func Wire() error {
	for _, c := range [][]string{
		{"ip", "link", "add", bridge, "type", "bridge"},
		{"ip", "addr", "add", Gateway4 + "/24", "dev", bridge},
		{"ip", "addr", "add", Gateway6 + "/64", "dev", bridge, "nodad"},
		{"ip", "link", "set", bridge, "up"},
	} {
		if err := run(c[0], c[1:]...); err != nil {
			return err
		}
	}
	return mount("tmpfs", disks, "tmpfs", 0, "mode=755")
}

// Boot starts the machine, with a fresh disk the first time, and returns when it is in the network. No daemon runs yet.
func (m *Machine) Boot() error {
	m.disk = filepath.Join(disks, m.Name)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), machineVariable+"="+m.Name, diskVariable+"="+m.disk)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := Start(cmd); err != nil {
		return err
	}
	m.init = cmd
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("%s: %q: %w", m.Name, line, err)
	}
	return m.connect()
}

// connect gives the machine its network card.
func (m *Machine) connect() error {
	card := "c" + m.IP4[strings.LastIndexByte(m.IP4, '.')+1:]
	pid := strconv.Itoa(m.init.Process.Pid)
	inside := []string{"nsenter", "-t", pid, "-n", "ip"}
	for _, c := range [][]string{
		{"ip", "link", "add", card, "type", "veth", "peer", "name", "eth0", "netns", pid},
		{"ip", "link", "set", card, "master", bridge, "up"},
		append(inside, "addr", "add", m.IP4+"/24", "dev", "eth0"),
		append(inside, "addr", "add", m.IP6+"/64", "dev", "eth0", "nodad"),
		append(inside, "link", "set", "eth0", "up"),
	} {
		if err := run(c[0], c[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// Kill ends the machine at once, with all that runs on it.
func (m *Machine) Kill() {
	if m.init == nil {
		return
	}
	m.init.Process.Kill()
	dead := make(chan struct{})
	go func() { m.init.Wait(); close(dead) }()
	for {
		select {
		case <-dead:
			m.init = nil
			return
		case <-time.After(5 * time.Millisecond):
			buryStrangers()
		}
	}
}

// buryStrangers waits for the dead of machines whose parents have died: they are our children then, being those of a
// command that was started from here, and a machine is not gone before its last process is.
func buryStrangers() {
	statuses, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, s := range statuses {
		text, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		var pid, parent int
		var inside []string
		zombie := false
		for _, l := range strings.Split(string(text), "\n") {
			f := strings.Fields(l)
			switch {
			case len(f) < 2:
			case f[0] == "State:":
				zombie = f[1] == "Z"
			case f[0] == "Pid:":
				pid, _ = strconv.Atoi(f[1])
			case f[0] == "PPid:":
				parent, _ = strconv.Atoi(f[1])
			case f[0] == "NSpid:":
				inside = f[1:]
			}
		}
		if zombie && parent == os.Getpid() && len(inside) > 1 && inside[len(inside)-1] != "1" {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// Path returns where the world sees a file of the machine.
func (m *Machine) Path(name string) string {
	if m.init == nil {
		return name
	}
	return filepath.Join("/proc", strconv.Itoa(m.init.Process.Pid), "root", name)
}

// Command returns a command that will run on the machine as user. A Machine that was never booted is the world itself.
func (m *Machine) Command(user string, args ...string) *exec.Cmd {
	uid, gid, ok := account(user)
	if !ok {
		args = []string{"/bin/sh", "-c", "echo no account is called " + user + "; exit 111"}
	}
	if m.init != nil {
		enter := []string{"nsenter", "-t", strconv.Itoa(m.init.Process.Pid), "-m", "-n", "-u", "-i", "-p", "--wd=/"}
		if uid != 0 {
			enter = append(enter, "-S", strconv.Itoa(uid), "-G", strconv.Itoa(gid))
		}
		args = append(append(enter, "--"), args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + conf.Home() + "/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "USER=" + user,
		"LOGNAME=" + user, "HOME=" + HomeOf(user)}
	if m.init == nil && uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	return cmd
}

// HomeOf returns the home of a user of a world.
func HomeOf(user string) string { return homes + user }

// RunMachine is the first process of a machine: it makes it, says so, and buries the dead.
func RunMachine() int {
	if err := makeMachine(os.Getenv(machineVariable), os.Getenv(diskVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("up")
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err == syscall.ECHILD {
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func makeMachine(name, disk string) error {
	base := os.Getenv(baseVariable)
	fresh := false
	if _, err := os.Stat(disk); err != nil {
		fresh = true
	}
	for _, f := range []func() error{
		func() error { return mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		func() error { return mount("proc", "/proc", "proc", 0, "") },
		func() error { return mount("tmpfs", "/run", "tmpfs", 0, "mode=755") },
		makeDev,
		func() error { return makeEtc(base) },
		func() error {
			return os.WriteFile("/etc/resolv.conf", []byte("nameserver "+Gateway4+"\noptions timeout:1\n"), 0o644)
		},
		func() error { return useDisk(base, disk, fresh) },
		func() error { return syscall.Sethostname([]byte(name)) },
		loopbackUp,
	} {
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// useDisk mounts the disk as the qmail home and the homes of the users.
func useDisk(base, disk string, fresh bool) error {
	home := conf.Home()
	for _, d := range []string{disk + "/qmail", disk + "/home", homes} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if fresh {
		if err := run("cp", "-a", filepath.Join(base, home)+"/.", disk+"/qmail"); err != nil {
			return err
		}
	}
	if err := bind(disk+"/qmail", home); err != nil {
		return err
	}
	if err := bind(disk+"/home", homes); err != nil {
		return err
	}
	if !fresh {
		return nil
	}
	return makeUsers()
}
