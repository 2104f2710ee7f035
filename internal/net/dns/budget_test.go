package dns

import (
	"testing"
	"time"
)

func TestABudgetBoundsQuestionsAndTime(t *testing.T) {
	s := world.serve(t, 4096)
	few := resolver(s).Within(2, time.Now().Add(time.Hour))
	for i := range 4 {
		if _, err := few.A("a.far.test"); (err != nil) != (i >= 2) || err == ErrNotFound {
			t.Errorf("question %d: %v", i, err)
		}
	}
	n := len(s.asked())
	if _, err := resolver(s).Within(100, time.Now()).A("a.far.test"); err == nil || err == ErrNotFound {
		t.Error("after its end a budget answers:", err)
	}
	if len(s.asked()) != n {
		t.Error("after its end a budget asks")
	}
}

func TestANameExistsWithoutAnAddress(t *testing.T) {
	r := resolver(world.serve(t, 4096))
	for name, want := range map[string]bool{
		"a.far.test": true, "b.far.test": true, "far.test": true, "dangling.test": true, "nothing.test": false, "": false,
	} {
		if got, err := r.Exists(name); got != want || err != nil {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if _, err := r.Exists("loop.test"); err == nil {
		t.Error("a failure is an answer")
	}
}
