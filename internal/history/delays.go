package history

import (
	"math"
	"time"
)

// delays counts times by size, in small steps: exact enough for percentiles, and of fixed size.
type delays struct {
	n     int
	sum   time.Duration
	max   time.Duration
	steps [720]int
}

const (
	firstDelay = time.Microsecond
	delayStep  = 1.04
	// perBar is how many steps the distribution that is shown has together.
	perBar = 14
)

func (d *delays) add(t time.Duration) {
	t = max(t, 0)
	d.n++
	d.sum += t
	d.max = max(d.max, t)
	i := 0
	if t > firstDelay {
		i = int(math.Ceil(math.Log(float64(t)/float64(firstDelay)) / math.Log(delayStep)))
	}
	d.steps[min(i, len(d.steps)-1)]++
}

// percentile returns a time that p of 100 do not exceed, at most a twenty-fifth too long.
func (d *delays) percentile(p float64) time.Duration {
	left := int(math.Ceil(float64(d.n) * p / 100))
	for i, n := range d.steps {
		if left -= n; left <= 0 && d.n > 0 {
			return min(d.max, stepEnd(i))
		}
	}
	return d.max
}

func stepEnd(i int) time.Duration {
	return time.Duration(float64(firstDelay) * math.Pow(delayStep, float64(i)))
}

// Delays is how long it took from the first line about a message to a success, in seconds.
type Delays struct {
	Count  int     `json:"count"`
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// Delays returns the delays of the deliveries that succeeded.
func (t *Totals) Delays() Delays {
	d := &t.delays
	if d.n == 0 {
		return Delays{}
	}
	return Delays{
		Count: d.n, Mean: d.sum.Seconds() / float64(d.n), Median: d.percentile(50).Seconds(),
		P90: d.percentile(90).Seconds(), P99: d.percentile(99).Seconds(), Max: d.max.Seconds(),
	}
}

// A Bar is one step of the distribution of delays.
type Bar struct {
	Upto  time.Duration
	Count int
}

// Distribution returns the delays by size, some steps together, from the first to the last that occurs.
func (t *Totals) Distribution() []Bar {
	var bars []Bar
	for i := 0; i < len(t.delays.steps); i += perBar {
		b := Bar{Upto: stepEnd(min(i+perBar, len(t.delays.steps)) - 1)}
		for j := i; j < min(i+perBar, len(t.delays.steps)); j++ {
			b.Count += t.delays.steps[j]
		}
		bars = append(bars, b)
	}
	first, last := 0, len(bars)
	for first < last && bars[first].Count == 0 {
		first++
	}
	for last > first && bars[last-1].Count == 0 {
		last--
	}
	return bars[first:last]
}
