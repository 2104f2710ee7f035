package metrics

import (
	"math"
	"strconv"
)

// A text is what Prometheus reads, in its text format 0.0.4: families, each under a HELP and a TYPE. None of the words
// given to it has a character that needs escaping.
type text struct{ b []byte }

// family begins one; kind is counter, gauge or histogram.
func (t *text) family(name, kind, help string) {
	t.b = append(t.b, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

// sample adds a line; labels are as `channel="local"`, or empty.
func (t *text) sample(name, labels string, value uint64) {
	t.b = append(t.b, name...)
	if labels != "" {
		t.b = append(t.b, "{"+labels+"}"...)
	}
	t.b = strconv.AppendUint(append(t.b, ' '), value, 10)
	t.b = append(t.b, '\n')
}

// histogram adds one: bounds are the upper ones of all buckets but the last.
func (t *text) histogram(name, labels string, bounds []int64, buckets []uint64, sum uint64) {
	total := uint64(0)
	for n, c := range buckets {
		// What a counter has no room for any more begins anew, and so does a histogram; it must not seem to shrink inside.
		if total > math.MaxUint64-c {
			c = 0
		}
		total += c
		le := "+Inf"
		if n < len(bounds) {
			le = strconv.FormatInt(bounds[n], 10)
		}
		t.sample(name+"_bucket", labels+`,le="`+le+`"`, total)
	}
	t.sample(name+"_sum", labels, sum)
	t.sample(name+"_count", labels, total)
}
