package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// A result is one run of one workload on one system.
type result struct {
	work, system   string
	rate           float64 // messages a second
	cpuMS          float64 // CPU milliseconds a message
	starts         float64 // processes and threads started a message
	peakMB, idleMB float64 // anonymous memory
}

func (r result) String() string {
	return fmt.Sprintf("%-8s %-10s %8.0f msg/s %7.2f ms CPU %7.2f starts %7.1f MB peak %6.1f MB idle",
		r.work, r.system, r.rate, r.cpuMS, r.starts, r.peakMB, r.idleMB)
}

// medians brings the rounds of each workload and system to one result, in the order in which they came.
func medians(results []result) []result {
	var out []result
	for i, r := range results {
		var same []result
		first := true
		for k, x := range results {
			if x.work == r.work && x.system == r.system {
				first = first && k >= i
				same = append(same, x)
			}
		}
		if !first {
			continue
		}
		out = append(out, result{
			work: r.work, system: r.system,
			rate:   median(same, func(r result) float64 { return r.rate }),
			cpuMS:  median(same, func(r result) float64 { return r.cpuMS }),
			starts: median(same, func(r result) float64 { return r.starts }),
			peakMB: median(same, func(r result) float64 { return r.peakMB }),
			idleMB: median(same, func(r result) float64 { return r.idleMB }),
		})
	}
	return out
}

func median(rs []result, of func(result) float64) float64 {
	v := make([]float64, len(rs))
	for i, r := range rs {
		v[i] = of(r)
	}
	sort.Float64s(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// printTable writes the medians, and each rate as a multiple of Postfix's where that was measured.
func printTable(w io.Writer, results []result) {
	all := medians(results)
	fmt.Fprintf(w, "%-8s %-10s %9s %9s %9s %9s %9s %9s\n", "work", "system", "msg/s", "ratio", "CPU ms", "starts",
		"peak MB", "idle MB")
	for _, r := range all {
		ratio := ""
		for _, p := range all {
			if p.work == r.work && p.system == "postfix" && p.rate > 0 {
				ratio = fmt.Sprintf("%.2f", r.rate/p.rate)
			}
		}
		fmt.Fprintf(w, "%-8s %-10s %9.0f %9s %9.2f %9.2f %9.1f %9.1f\n", r.work, r.system, r.rate, ratio, r.cpuMS,
			r.starts, r.peakMB, r.idleMB)
	}
}

// plot draws the rates as bars, a group for each workload.
func plot(results []result) string {
	const width, height, left, ground = 760, 320, 50, 270
	all := medians(results)
	var works, systems []string
	add := func(list []string, s string) []string {
		for _, x := range list {
			if x == s {
				return list
			}
		}
		return append(list, s)
	}
	highest := 1.0
	for _, r := range all {
		works, systems = add(works, r.work), add(systems, r.system)
		highest = max(highest, r.rate)
	}
	colours := []string{"#4a90c2", "#e0a030", "#888888", "#60a060"}
	var b strings.Builder
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		width, height)
	group := float64(width-left) / float64(max(1, len(works)))
	bar := group * 0.8 / float64(max(1, len(systems)))
	for i, w := range works {
		x := left + float64(i)*group
		fmt.Fprintf(&b, `<text x="%.0f" y="%d">%s</text>`+"\n", x+4, ground+18, w)
		for k, s := range systems {
			for _, r := range all {
				if r.work != w || r.system != s {
					continue
				}
				h := r.rate / highest * (ground - 30)
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x+float64(k)*bar,
					ground-h, bar*0.9, h, colours[k%len(colours)])
				fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%.0f</text>`+"\n", x+float64(k)*bar, ground-h-4, r.rate)
			}
		}
	}
	fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#999"/>`+"\n", left, ground, width, ground)
	fmt.Fprintf(&b, `<text x="0" y="16">messages a second</text>`+"\n")
	for k, s := range systems {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			left+k*110, height-18, colours[k%len(colours)], left+k*110+16, height-9, s)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
