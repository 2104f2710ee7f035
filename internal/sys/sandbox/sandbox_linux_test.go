package sandbox

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the process that gives up its rights.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SANDBOX_TEST"); dir != "" {
		inside(dir)
		return
	}
	os.Exit(m.Run())
}

// inside tries what is and is not allowed, and prints the names of what worked.
func inside(dir string) {
	l, _ := net.Listen("tcp4", "127.0.0.1:0") // open before: it stays so
	held, _ := os.Open(filepath.Join(dir, "out/file"))
	if err := Enter(Rights{
		Read:  []string{filepath.Join(dir, "read"), filepath.Join(dir, "one"), filepath.Join(dir, "missing")},
		Write: []string{filepath.Join(dir, "write")}, Network: os.Getenv("SANDBOX_NETWORK") != "",
	}); err != nil {
		println("enter: " + err.Error())
		return
	}
	open := func(name string) error {
		f, err := os.Open(filepath.Join(dir, name))
		if err == nil {
			f.Close()
		}
		return err
	}
	create := func(name string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o600) }
	say := func(name string, err error) {
		if err == nil {
			os.Stdout.WriteString(name + " ")
		}
	}
	say("read", open("read/file"))
	say("one", open("one"))
	say("create-in-read", create("read/new"))
	say("create", create("write/a/new"))
	say("move", os.Rename(filepath.Join(dir, "write/a/new"), filepath.Join(dir, "write/b/new")))
	say("remove", os.Remove(filepath.Join(dir, "write/b/new")))
	say("out", open("out/file"))
	say("link-out", os.Link(filepath.Join(dir, "out/file"), filepath.Join(dir, "write/file")))
	_, err := held.Read(make([]byte, 1))
	say("held", err)
	say("exec", exec.Command("/bin/true").Run())
	c, err := net.Dial("tcp4", l.Addr().String())
	say("connect", err)
	if err == nil {
		c.Close()
	}
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // which Landlock does not see
	_, err = plain.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	say("listen", err)
}

func TestWhatIsGivenUpIsGone(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"read", "write/a", "write/b", "out"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"read/file", "one", "out/file"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for network, want := range map[string]string{
		"":  "read one create move remove held",
		"1": "read one create move remove held connect",
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"SANDBOX_TEST=" + dir, "SANDBOX_NETWORK=" + network}
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("network %q: %v: works: %s; wanted: %s", network, err, got, want)
		}
	}
}
