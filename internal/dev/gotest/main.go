// Gotest runs go test with its arguments and prints what it would print. At the end it lists the tests that were left
// out, each with its reason, which go test tells nobody; then it says how many tests passed, failed and were left out.
//
// Tests of whole systems wait more than they compute: twice as many run at a time as there are processors.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

func main() {
	atOnce := strconv.Itoa(2 * runtime.NumCPU())
	cmd := exec.Command("go", append([]string{"test", "-json", "-p", atOnce, "-parallel", atOnce}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(2)
	}
	t := newTally(os.Stdout)
	t.read(out)
	err = cmd.Wait()
	t.close()
	if err != nil || t.failed > 0 {
		os.Exit(1)
	}
}

// read takes what go test -json prints, and passes on what is none of it.
func (t *tally) read(r io.Reader) {
	for lines := bufio.NewReader(r); ; {
		l, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(l) > 0 && json.Unmarshal(l, &e) == nil:
			t.take(e)
		case len(l) > 0:
			t.out.Write(l)
		}
		if err != nil {
			return
		}
	}
}
