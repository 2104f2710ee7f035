package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// slack is how much worse than a kept figure a new one may be: more than medians of three rounds differ by.
const slack = 0.15

// A figure is what is kept of a workload: its messages a second and its CPU a message, as multiples of those of the
// floor in the same run, so that another machine, or another hour, changes little.
type figure struct{ rate, cpu float64 }

// figures returns those of our own programs.
func figures(results []result) (map[string]figure, error) {
	all, list := medians(results), map[string]figure{}
	for _, base := range all {
		if base.work != "floor" || base.rate <= 0 || base.cpuMS <= 0 {
			continue
		}
		for _, r := range all {
			if r.system == "qmail" {
				list[r.work] = figure{r.rate / base.rate, r.cpuMS / base.cpuMS}
			}
		}
		return list, nil
	}
	return nil, errors.New("the floor was not measured")
}

// keep writes the figures of a run to a file: a workload a line.
func keep(path string, results []result) error {
	list, err := figures(results)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# What make bench-check compares with: a workload, its messages a second, and its CPU a message,\n" +
		"# both as multiples of the floor's. make bench-keep writes it, on a quiet machine.\n")
	for _, r := range medians(results) {
		if f, ok := list[r.work]; ok {
			fmt.Fprintf(&b, "%s %.3f %.3f\n", r.work, f.rate, f.cpu)
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// compare fails for each workload that is worse than what a file has of it, and where one was not measured.
func compare(path string, results []result) error {
	list, err := figures(results)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var worse []error
	for in := bufio.NewScanner(f); in.Scan(); {
		if strings.HasPrefix(in.Text(), "#") {
			continue
		}
		var work string
		var kept figure
		if _, err := fmt.Sscan(in.Text(), &work, &kept.rate, &kept.cpu); err != nil {
			return fmt.Errorf("%s: %q: %w", path, in.Text(), err)
		}
		now, ok := list[work]
		switch {
		case !ok:
			worse = append(worse, fmt.Errorf("%s was not measured", work))
		case now.rate < kept.rate*(1-slack):
			worse = append(worse, fmt.Errorf("%s: %.3f times the floor's rate, and it was %.3f", work, now.rate, kept.rate))
		case now.cpu > kept.cpu*(1+slack):
			worse = append(worse, fmt.Errorf("%s: %.3f times the floor's CPU, and it was %.3f", work, now.cpu, kept.cpu))
		}
	}
	return errors.Join(worse...)
}
