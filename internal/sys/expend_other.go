//go:build !linux

package sys

// Expend has the kernel end a process rather than others when memory is short, where it can be told.
func Expend(pid int) {}
