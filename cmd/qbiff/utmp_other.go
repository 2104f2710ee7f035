//go:build !linux

package main

// terminals does nothing: who is logged in is kept in another form here.
func terminals(string, func(string)) {}
