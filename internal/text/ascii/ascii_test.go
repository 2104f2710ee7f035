package ascii

import (
	"strings"
	"testing"
)

func TestNothingInOneLineEndsIt(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	want := strings.Repeat("_", 32) + string(all[32:127]) + "_" + string(all[128:])
	if got := OneLine(string(all)); got != want || OneLine(want) != want || OneLine("") != "" {
		t.Errorf("%q", got)
	}
}
