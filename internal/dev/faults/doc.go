// Package faults has only tests: whole systems whose disks fill up, whose processes die and whose network goes
// away. The promise is always the same: what was accepted is delivered at least once, or its sender hears of it,
// when the fault is over.
package faults
