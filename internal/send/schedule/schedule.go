// Package schedule says when a message is tried again: at the squares of its age, so that the pauses grow with it. All
// times are in seconds of Unix time; a message whose birth is yet to come is born now.
package schedule

import "qmail/internal/queue"

// step is by how many steps of the square the attempts of a channel are apart.
func step(c queue.Channel) int64 {
	if c == queue.Local {
		return 10
	}
	return 20
}

// Next returns when the next attempt is due, if the one that starts at now does not end it.
func Next(birth, now int64, c queue.Channel) int64 {
	birth = min(birth, now)
	n := root(now-birth) + step(c)
	return birth + n*n
}

// Due returns when a message is tried next whose attempts were all made when they were due, the first at its birth.
func Due(birth, now int64, c queue.Channel) int64 {
	birth = min(birth, now)
	n := (root(now-birth)/step(c) + 1) * step(c)
	return birth + n*n
}

// root returns the largest integer whose square is at most x; x is not negative.
func root(x int64) int64 {
	var r int64
	for bit := int64(1) << 30; bit > 0; bit >>= 1 {
		if (r+bit)*(r+bit) <= x {
			r += bit
		}
	}
	return r
}
