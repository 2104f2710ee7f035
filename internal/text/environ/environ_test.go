package environ

import (
	"slices"
	"testing"
)

func TestFirstEntryOfANameCounts(t *testing.T) {
	if v, set := Get([]string{"X", "XY=0", "X=1", "X=2"}, "X"); v != "1" || !set {
		t.Error(v, set)
	}
	if v, set := Get([]string{"X="}, "X"); v != "" || !set {
		t.Error("an empty value is a value")
	}
	if _, set := Get([]string{"X"}, "X"); set {
		t.Error("no equals sign")
	}
}

func TestAVariableIsSetOnceAndTheOldEnvironmentStays(t *testing.T) {
	old := []string{"A=1", "X=2", "XY=3", "X=4"}
	if got := With(old, "X=5", "Z=a=b"); !slices.Equal(got, []string{"A=1", "XY=3", "X=5", "Z=a=b"}) {
		t.Errorf("%q", got)
	}
	if old[1] != "X=2" {
		t.Errorf("%q", old)
	}
	if got := Without(old, "A", "X"); !slices.Equal(got, []string{"XY=3"}) {
		t.Errorf("%q", got)
	}
}
