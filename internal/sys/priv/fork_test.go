package priv

import (
	"io"
	"os"
	"testing"
)

func TestAForkedChildHasItsFilesAndItsEnvironment(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := Fork(Child{
		Path: "/bin/sh", Args: []string{"sh", "-c", `echo "$A$HOME"; exit 7`},
		Env: []string{"A=b"}, Files: []*os.File{nil, w, nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	out, _ := io.ReadAll(r)
	ws, err := Wait(pid)
	if err != nil || !ws.Exited() || ws.ExitStatus() != 7 || string(out) != "b\n" {
		t.Errorf("%v %v %q", ws, err, out)
	}
}

func TestAProgramThatIsNotThereIsAnErrorOfFork(t *testing.T) {
	if _, err := Fork(Child{Path: "/nonexistent", Args: []string{"x"}}); !os.IsNotExist(err) {
		t.Error(err)
	}
}
