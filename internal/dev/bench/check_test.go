package main

import (
	"path/filepath"
	"testing"
)

func TestAWorkloadThatHasBecomeSlowerOrDearerFailsTheCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.txt")
	run := func(smtp, relay, base result) []result {
		smtp.work, relay.work, base.work = "smtp", "relay", "floor"
		smtp.system, relay.system, base.system = "qmail", "qmail", "disk"
		return []result{smtp, {work: "smtp", system: "postfix", rate: 1, cpuMS: 100}, relay, base}
	}
	base, half, quick := result{rate: 1000, cpuMS: 1}, result{rate: 500, cpuMS: 2}, result{rate: 1500, cpuMS: 1}
	if err := keep(path, run(result{rate: 500, cpuMS: 3}, result{rate: 700, cpuMS: 2}, base)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		smtp, relay, base result
		fails             bool
	}{
		"as it was":               {result{rate: 500, cpuMS: 3}, result{rate: 700, cpuMS: 2}, base, false},
		"within the noise":        {result{rate: 440, cpuMS: 3.3}, result{rate: 610, cpuMS: 2.2}, base, false},
		"better":                  {result{rate: 900, cpuMS: 1}, result{rate: 900, cpuMS: 1}, base, false},
		"a machine half as fast":  {result{rate: 250, cpuMS: 6}, result{rate: 350, cpuMS: 4}, half, false},
		"slower":                  {result{rate: 400, cpuMS: 3}, result{rate: 700, cpuMS: 2}, base, true},
		"dearer":                  {result{rate: 500, cpuMS: 3}, result{rate: 700, cpuMS: 2.5}, base, true},
		"behind a faster machine": {result{rate: 500, cpuMS: 3}, result{rate: 700, cpuMS: 2}, quick, true},
		"no floor":                {result{rate: 500, cpuMS: 3}, result{rate: 700, cpuMS: 2}, result{}, true},
	} {
		if err := compare(path, run(c.smtp, c.relay, c.base)); err != nil != c.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := compare(path, []result{{work: "floor", rate: 1000, cpuMS: 1}}); err == nil {
		t.Error("what was not measured passes")
	}
}
